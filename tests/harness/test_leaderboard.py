# SPDX-License-Identifier: Apache-2.0
"""``harness leaderboard``: models beside each other, on the shipped model and a few of the suite's pictures."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness import contract as contracts
from harness import leaderboard, metrics, model_cost, model_file, pictures, resources, suite
from harness.errors import HarnessError
from harness.report import leaderboard as page
from harness.runs import open_runs
from harness.standing import Accuracy, Entry
from models_src import inference

from .commands import run

MODEL = resources.default_model()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four of the suite's pictures as a folder of pairs."""
    folder = tmp_path_factory.mktemp("data") / "few"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for case in [case for case in suite.find(suite.DEFAULT).cases if case.mask][:4]:
        mask = np.where(case.read_mask(), np.uint8(255), np.uint8(0))
        (folder / "images" / f"{case.id}.png").write_bytes(pictures.encode_png(case.read_image(), 1))
        (folder / "masks" / f"{case.id}.png").write_bytes(pictures.encode_png(mask, 1))
    return folder


@pytest.fixture(scope="module")
def board(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, object]], str]:
    """The page's folder, the entries, and the table: two variants and one of them again as somebody else's file."""
    foreign = tmp_path_factory.mktemp("foreign") / "foreign.tflite"
    foreign.write_bytes((MODEL / "model.int8.tflite").read_bytes())
    out = tmp_path_factory.mktemp("board") / "out"
    done = run(
        "leaderboard", MODEL, f"{foreign},{MODEL / 'contract.toml'}", "--variants", "fp32,int8", "--data", f"{data},*",
        "--out", out, "--profile", "quick",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out, json.loads((out / "leaderboard.json").read_text()), done.stdout


def test_accuracy_is_that_of_the_model_on_those_pictures(
    board: tuple[Path, list[dict[str, object]], str],
) -> None:
    _, entries, _ = board
    assert [entry["label"] for entry in entries] == ["portrait/fp32", "portrait/int8", "foreign"]

    file = model_file.find(MODEL, "int8")
    network, scores = inference.load(file), []
    (accuracy,) = entries[1]["accuracy"].values()  # type: ignore[attr-defined]
    for case in [case for case in suite.find(suite.DEFAULT).cases if case.mask][:4]:
        plane = inference.probability(network, file.contract, case.read_image())
        mask = contracts.frame_probability(file.contract, plane, case.read_mask().shape) > file.contract.threshold
        scores.append((metrics.iou(mask, case.read_mask()), metrics.boundary_iou(mask, case.read_mask())))
    assert (accuracy["iou"], accuracy["boundary_iou"]) == pytest.approx(tuple(np.mean(scores, axis=0)), abs=1e-4)
    assert accuracy["pictures"] == 4
    assert entries[1]["accuracy"] == entries[2]["accuracy"]


def test_all_are_timed_in_one_session_and_held_against_the_first(
    board: tuple[Path, list[dict[str, object]], str],
) -> None:
    _, (fp32, int8, foreign), _ = board

    assert fp32["ratio"] is None
    assert all(0 < entry["invoke_ms"] < entry["total_ms"] for entry in (fp32, int8, foreign))  # type: ignore[operator]
    for entry in (int8, foreign):
        estimate, low, high = entry["ratio"]  # type: ignore[misc]
        assert low <= estimate <= high < 1


def test_where_the_first_has_failed_the_others_keep_their_times(
    board: tuple[Path, list[dict[str, object]], str], tmp_path: Path
) -> None:
    shutil.copytree(board[0], tmp_path / "out")
    (folder,) = (tmp_path / "out/runs").iterdir()
    cut_off = next(folder.glob("portrait-fp32-*"))
    (cut_off / "checksums.txt").unlink()
    facts = (cut_off / "run.json").read_text().replace('"status": "complete"', '"status": "partial"')
    (cut_off / "run.json").write_text(facts)

    _, entries = leaderboard.find([str(MODEL), f"{MODEL / 'model.int8.tflite'},{MODEL / 'contract.toml'}"], ["fp32"])
    runs = open_runs(sorted(folder.glob("portrait-*")))
    (sets,) = (tmp_path / "out/suites").iterdir()
    failed, other = leaderboard.rank(entries, [str(sets)], [runs])

    assert failed.problem and failed.invoke_ms is None
    assert other.invoke_ms and not other.problem and other.ratio is None


def test_sets_whose_paths_end_alike_are_judged_apart(data: Path, tmp_path: Path) -> None:
    sets = [tmp_path / where / "portraits/val" for where in ("street", "selfies")]
    for number, folder in enumerate(sets):
        for name in ("images", "masks"):
            (folder / name).mkdir(parents=True)
            for picture in sorted((data / name).iterdir())[number : number + 2]:
                shutil.copy(picture, folder / name)
    asked = ["leaderboard", f"{MODEL / 'model.int8.tflite'},{MODEL / 'contract.toml'}", "--profile", "none"]

    done = run(*asked, "--data", sets[0], "--data", sets[1], "--out", tmp_path / "out", "--json")

    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)
    assert list(entry["accuracy"]) == ["portraits-val", "portraits-val-2"]
    assert len({figures["iou"] for figures in entry["accuracy"].values()}) == 2
    for path in (sets[0], tmp_path / "street/../street/portraits/val"):
        again = run(*asked, "--data", sets[0], "--data", path)
        assert again.returncode == 2 and "a set is named twice" in again.stderr


def test_suites_of_the_same_name_are_refused(data: Path, tmp_path: Path) -> None:
    for where in ("a", "b"):
        assert run("suite", "create", data, "--out", tmp_path / where / "few").returncode == 0

    done = run(
        "leaderboard", MODEL, "--variants", "int8", "--data", tmp_path / "a/few", "--data", tmp_path / "b/few",
        "--out", tmp_path / "out",
    )  # fmt: skip

    assert done.returncode == 2 and "two suites are called few" in done.stderr
    assert not (tmp_path / "out").exists()


def test_page_table_and_csv_tell_the_same(board: tuple[Path, list[dict[str, object]], str]) -> None:
    out, entries, table = board

    html = (out / page.PAGE).read_text()
    assert all(str(entry["label"]) in html for entry in entries)
    assert "Accuracy for its time" in html and "<script" not in html
    lines = table.splitlines()
    assert len(lines) == 1 + 3 + 2 and lines[-1].endswith(page.PAGE)
    assert any(line.startswith("*") for line in lines)
    with (out / "leaderboard.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [entry["label"] for entry in entries]
    assert [float(row["invoke_ms"]) for row in rows] == [entry["invoke_ms"] for entry in entries]


def test_weights_and_multiplications_are_those_of_the_network() -> None:
    facts = json.loads((MODEL / "model.json").read_text())
    costs = [model_cost.of(MODEL / f"model.{variant}.tflite") for variant in model_file.VARIANTS]

    assert {cost.macs for cost in costs} == {facts["macs"]}
    assert len({cost.parameters for cost in costs}) == 1
    # A converter folds batch normalisation into weights and biases: of its four numbers a channel, one is left.
    assert 0.9 * facts["parameters"] < costs[0].parameters < facts["parameters"]


def entry(label: str, iou: float | None, ms: float | None) -> Entry:
    accuracy = {} if iou is None else {"set": Accuracy(iou, iou / 2, 10)}
    return Entry(label, label, "fp32", (224, 224), 1_000_000, 900_000, 2_000_000, accuracy, ms, ms and 2 * ms)


def test_the_front_is_what_nothing_beats_in_both() -> None:
    entries = [entry("slow", 0.9, 4.0), entry("good", 0.95, 2.0), entry("fast", 0.8, 1.0), entry("failed", None, None)]

    assert page.front(entries) == [2, 1]
    table = page.table(entries)
    assert [line[0] for line in table.splitlines()] == [" ", " ", "*", "*", " "]
    assert "n/a" in table.splitlines()[4]


def test_what_cannot_be_ranked_is_told(data: Path, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="two models are called portrait/fp32"):
        leaderboard.find([str(MODEL), str(MODEL)], ["fp32"])
    with pytest.raises(HarnessError, match="int4"):
        leaderboard.find([str(MODEL)], ["int4"])
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(b"no model")
    with pytest.raises(HarnessError):
        leaderboard.find([str(bare)])
    done = run("leaderboard", MODEL, "--data", data, "--data", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert done.returncode == 2 and "nowhere" in done.stderr
    assert not (tmp_path / "out").exists(), "a folder that nothing came of"
