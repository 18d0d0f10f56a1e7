# SPDX-License-Identifier: Apache-2.0
"""Sweeps: which experiments a grid makes, and the table of what came of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from harness.errors import HarnessError
from models_src import runs, sweep
from tests.models_src.conftest import REPOSITORY, SMOKE, segmodel, settings

GRID = {"MODEL.ALPHA": [0.25, 0.5], "TRAIN.LEARNING_RATE": ["1e-3", 0.002], "MODEL.OUTPUT": ["half"]}


def written(folder: Path, **table: object) -> Path:
    path = folder / "rates.yaml"
    path.write_text(yaml.safe_dump({"base": str(SMOKE), "grid": GRID, **table}, sort_keys=False))
    return path


def run_of(file: Path, number: int, ious: list[float], name: str = "20250101-000000") -> Path:
    """A run of an experiment as a training leaves it: its configuration, and the table of its epochs."""
    cfg = sweep.read(file).configuration(number)
    run = Path(cfg.OUTPUT) / cfg.EXPERIMENT / name
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(cfg.dump())
    rows = [runs.row(k + 1, 4 * (k + 1), {"loss": 1.0, "iou": 0.1, "val_loss": 1.0, "val_iou": v}, 1e-3, 7.0)
            for k, v in enumerate(ious)]  # fmt: skip
    runs.write_epochs(run, rows)
    return run


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs/train/sweep").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_sweep_is_readable(path: Path) -> None:
    assert len(sweep.read(path).experiments) > 1


def test_every_combination_is_an_experiment_the_last_key_changing_first(tmp_path: Path) -> None:
    found = sweep.read(written(tmp_path, set={"TRAIN.EPOCHS": 3}))

    configurations = [found.configuration(number) for number in range(4)]
    assert [(cfg.MODEL.ALPHA, cfg.TRAIN.LEARNING_RATE) for cfg in configurations] == [
        (0.25, 0.001), (0.25, 0.002), (0.5, 0.001), (0.5, 0.002)
    ]  # fmt: skip
    assert {(cfg.TRAIN.EPOCHS, cfg.MODEL.OUTPUT) for cfg in configurations} == {(3, "half")}
    assert [cfg.EXPERIMENT for cfg in configurations] == [f"rates/{number}" for number in range(4)]
    with pytest.raises(HarnessError, match="has experiments 0 to 3, no 4"):
        found.configuration(4)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"grid": {}}, "`grid` has a list"),
        ({"grid": {"MODEL.ALPHA": 3}}, "`grid` has a list"),
        ({"grid": {"MODEL.WIDTH": [1]}}, "MODEL.WIDTH"),
        ({"set": [1]}, "`set` has a value"),
        ({"base": "none.yaml"}, "none.yaml"),
        ({"more": 1}, "a sweep has `base`"),
    ],
)
def test_what_is_wrong_with_a_sweep_is_told(table: dict[str, object], told: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=told):
        sweep.read(written(tmp_path, **table))


def test_the_report_has_the_best_first_and_those_that_have_not_begun_last(tmp_path: Path) -> None:
    file = written(tmp_path, set={"OUTPUT": str(tmp_path / "runs"), "TRAIN.EPOCHS": 2})
    for number, ious in ((1, [0.5, 0.7]), (3, [0.8])):
        run_of(file, number, ious)

    rows = json.loads(segmodel("sweep", "report", file, "--json").stdout)

    assert [(row["number"], row["epochs"], row["val_iou"], row["best_epoch"], row["seconds"]) for row in rows] == [
        (3, "1/2", 0.8, 1, 7), (1, "2/2", 0.7, 2, 14), (0, "0/2", None, None, 0), (2, "0/2", None, None, 0)
    ]  # fmt: skip
    lines = segmodel("sweep", "report", file).stdout.splitlines()
    assert lines[0].split()[:3] == ["number", "MODEL.ALPHA", "TRAIN.LEARNING_RATE"]
    assert "0.8000" in lines[1]


def test_runs_with_settings_of_before_the_sweep_was_changed_are_told_and_left_out(tmp_path: Path) -> None:
    common = {"OUTPUT": str(tmp_path / "runs"), "TRAIN.EPOCHS": 2}
    file = written(tmp_path, set=common)
    old = [run_of(file, number, [0.5 + number / 10]) for number in range(4)]

    written(tmp_path, set=common, grid={**GRID, "TRAIN.LEARNING_RATE": [0.001, 0.004]})
    result = segmodel("sweep", "report", file, "--json")

    rows = {row["number"]: row for row in json.loads(result.stdout)}
    assert [rows[number]["val_iou"] for number in range(4)] == [0.5, None, 0.7, None]
    assert result.stderr.splitlines() == [
        f"segmodel: {old[n]}: left out, it has TRAIN.LEARNING_RATE 0.002, not 0.004 as {file} has it now"
        for n in (1, 3)
    ]
    run_of(file, 1, [0.9], "20260101-000000")
    written(tmp_path, set=common)
    again = segmodel("sweep", "report", file, "--json")
    assert {row["number"]: row["run"] for row in json.loads(again.stdout)} == dict(enumerate(map(str, old)))


def test_a_run_keeps_its_number_though_it_tells_the_checkpoint_that_its_initial_weights_were(tmp_path: Path) -> None:
    common = {"OUTPUT": str(tmp_path / "runs"), "TRAIN.INITIAL_WEIGHTS": str(tmp_path / "runs/first")}
    file = written(tmp_path, set=common)
    run = run_of(file, 0, [0.5])
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("runs/first", "runs/first/20250101-000000/best.keras"))

    assert sweep.report(sweep.read(file), others := [])[0]["run"] == str(run) and not others
    written(tmp_path, set={**common, "TRAIN.INITIAL_WEIGHTS": str(tmp_path / "runs/second")})
    assert sweep.report(sweep.read(file), others)[0]["run"] is None and "runs/second" in others[0]


@pytest.mark.system  # several trainings
def test_a_task_trains_its_experiment_and_a_finished_one_is_left_as_it_is(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    values = settings(folders, tmp_path / "runs", TRAIN__EPOCHS=1)
    file = written(
        tmp_path, set=dict(zip(values[::2], values[1::2], strict=True)), grid={"MODEL.OUTPUT": ["half", "bilinear"]}
    )

    assert segmodel("sweep", "list", file, "--count").stdout == "2\n"
    result = segmodel("sweep", "run", file, "--task", 1)
    assert result.exit_code == 0, result.output
    again = segmodel("sweep", "run", file, "--task", 1)
    assert again.exit_code == 0
    assert again.stdout.splitlines()[-1] == result.stdout.splitlines()[-1]
    assert len(list((tmp_path / "runs/rates/1").iterdir())) == 1
    file.write_text(file.read_text().replace("bilinear", "subpixel"))
    changed = segmodel("sweep", "run", file, "--task", 1)
    assert changed.exit_code == 0
    assert "left out, it has MODEL.OUTPUT 'bilinear', not 'subpixel'" in changed.stderr
    assert len(list((tmp_path / "runs/rates/1").iterdir())) == 2
