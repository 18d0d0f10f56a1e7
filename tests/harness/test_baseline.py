# SPDX-License-Identifier: Apache-2.0
"""Baselines: what is recorded under a name, and what later runs are held against, here and elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from harness import baseline, baseline_check, gates, report, resources
from harness.baseline_check import Check
from harness.errors import ExitCode, HarnessError, InvalidError
from harness.report import check as check_report
from harness.runs import Run, find_bundles, open_runs
from harness.verdict import Verdict

from . import bundles
from .commands import run

CASES = {
    name: np.random.default_rng(number).uniform(0, 1, (16, 12)).astype(np.float32) for number, name in enumerate("ab")
}
MODEL = {**bundles.facts()["model"], "bytes": 1000, "ops": 54}
ACTIVATIONS = {"tensors": 55, "bytes": 19_000, "peak_bytes": 3_700}
DEVICE = bundles.facts()["device"]
TIMED = {"profile": "quick", "count": 60, "duration_s": 1, "timer": {}, "frame": "a"}


def steady(milliseconds: float, starts: int = 5, seed: int = 0) -> list[dict[str, Any]]:
    """Samples of a few starts, of some blocks each, with noise of 1 %."""
    random = np.random.default_rng(seed)
    samples = []
    for restart, block in np.ndindex(starts, 12):
        total = round(milliseconds * 1e6 * random.lognormal(0, 0.01))
        times = {"preprocess_ns": total // 10, "invoke_ns": total * 8 // 10, "postprocess_ns": total // 10}
        about = {"phase": "steady", "restart": restart, "block": block, "case": "a"}
        samples.append({**about, "start_ns": 10**9 * (1 + len(samples)), **times, "total_ns": total})
    return samples


Make = Callable[..., list[Run]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A run of both lanes, each call a session of its own: ``make("tflite:int8", milliseconds=20)``."""
    count = 0

    def made(
        label: str = "tflite:int8", milliseconds: float | None = 20.0, shift: float = 0.0, starts: int = 5, **about: Any
    ) -> list[Run]:
        nonlocal count
        count += 1
        outputs = {name: (output + np.float32(shift)).clip(0, 1) for name, output in CASES.items()}
        model = {**MODEL, "variant": label.partition(":")[2] or "fp32", "activations": ACTIVATIONS}
        runtime = {**bundles.facts()["runtime"], "name": label.partition(":")[0]}
        facts = {"label": label, "session": {"id": f"session-{count}", "arm": label, "order": 0}, "runtime": runtime}
        facts |= {"model": model, "request": {"spec": label}, **about}
        session = facts.pop("session")
        paths = []
        for lane in ("tensor", "image"):
            timed = lane == "image" and milliseconds is not None
            told = {**facts, "protocol": TIMED} if timed and "protocol" not in facts else facts
            folder = tmp_path / f"{count}-{lane}.run"
            samples = steady(milliseconds, starts, count) if timed and milliseconds else []
            paths.append(bundles.write(folder, outputs, samples, lane=lane, session=session["id"], **told))
        return open_runs(paths)

    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "baselines"


def check(found: baseline.Baseline, runs: list[Run], **options: Any) -> Check:
    return baseline_check.check(found, runs, gates.load(resources.default_gates()), "harness baseline check", **options)


def rows(found: Check, pattern: str) -> dict[str, Verdict]:
    """Verdicts of the rows that begin with it."""
    every = (row for comparison in found.comparisons.values() for row in comparison.rows)
    return {row.row: row.verdict for row in every if row.row.startswith(pattern)}


# --- recording -----------------------------------------------------------------------------------


def test_a_baseline_holds_its_runs_whole(make: Make, folder: Path) -> None:
    runs = make("tflite:int8") + make("core:int8")

    saved = baseline.save("v1.0", runs, folder)

    found = baseline.load("v1.0", folder)
    assert found == saved
    assert [r.target for r in found.runs] == ["tflite:int8", "core:int8"]
    assert found.suite["sha256"] == "0" * 64
    assert found.runs[0].model == {"name": "portrait", "variant": "int8", "sha256": "1" * 64, "bytes": 1000}
    assert found.runs[0].machine["cpu"] == DEVICE["cpu"]
    assert 0 < found.bytes == sum(p.stat().st_size for p in (folder / "v1.0").iterdir())
    for recorded, original in zip(found.runs, runs, strict=True):
        again = found.open(recorded)
        assert set(again.lanes) == {"tensor", "image"}
        for lane, bundle in again.lanes.items():
            assert bundle.facts == original.lanes[lane].facts
            assert bundle.samples().equals(original.lanes[lane].samples())
            for case in CASES:
                assert np.array_equal(bundle.tensor(case), original.lanes[lane].tensor(case))


def test_the_same_runs_give_the_same_bytes(make: Make, folder: Path) -> None:
    runs = make()
    one, other = (baseline.save(name, runs, folder) for name in ("one", "other"))

    for recorded in one.runs:
        for name in recorded.bundles.values():
            assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_a_baseline_can_be_recorded_from_another_one(make: Make, folder: Path) -> None:
    first = baseline.save("first", make(), folder)

    baseline.save("second", open_runs(find_bundles(first.folder)), folder)

    assert check(baseline.load("second", folder), make()).verdict is Verdict.PASS


def test_a_name_is_taken_until_it_is_replaced(make: Make, folder: Path) -> None:
    baseline.save("v1", make("tflite:int8"), folder)

    with pytest.raises(HarnessError, match="--replace"):
        baseline.save("v1", make("core:int8"), folder)
    assert [r.target for r in baseline.load("v1", folder).runs] == ["tflite:int8"]

    baseline.save("v1", make("core:int8"), folder, replace=True)
    assert [r.target for r in baseline.load("v1", folder).runs] == ["core:int8"]
    assert [p.name for p in folder.iterdir()] == ["v1"]


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "a b", "-x"])
def test_a_name_is_a_plain_word(name: str, make: Make, folder: Path) -> None:
    with pytest.raises(HarnessError, match="no name"):
        baseline.save(name, make(), folder)
    assert not folder.exists()


def test_what_cannot_be_recorded_leaves_the_old_baseline_as_it_was(make: Make, folder: Path) -> None:
    baseline.save("v1", make(), folder)
    before = {p.name: p.read_bytes() for p in (folder / "v1").iterdir()}
    gone = make()
    (gone[0].lanes["image"].path / "tensors" / "a.npy").unlink()

    with pytest.raises(InvalidError, match=r"tensors/a\.npy is missing"):
        baseline.save("v1", gone, folder, replace=True)

    assert {p.name: p.read_bytes() for p in (folder / "v1").iterdir()} == before
    assert [p.name for p in folder.iterdir()] == ["v1"]


def test_a_folder_that_cannot_be_written_is_one_clear_error(make: Make, folder: Path) -> None:
    folder.write_text("a file")

    with pytest.raises(HarnessError, match="--folder"):
        baseline.save("v1", make(), folder)


def test_only_complete_runs_of_one_suite_each_once_are_recorded(make: Make, folder: Path, tmp_path: Path) -> None:
    half = open_runs([bundles.write(tmp_path / "half.run", CASES, status="partial", label="half", session="half")])
    broken = {"kind": "crash", "message": "it died"}
    failed = open_runs([bundles.write(tmp_path / "x.run", CASES, status="failed", error=broken, session="x")])
    other = make("core:int8", suite={**bundles.facts()["suite"], "sha256": "2" * 64})

    with pytest.raises(InvalidError, match="partial"):
        baseline.save("v1", half, folder)
    with pytest.raises(InvalidError, match="failed"):
        baseline.save("v1", make() + failed, folder)
    with pytest.raises(HarnessError, match="another suite"):
        baseline.save("v1", make() + other, folder)
    with pytest.raises(HarnessError, match="a second run of tflite:fp32"):
        baseline.save("v1", make("tflite") + make("tflite:fp32"), folder)
    with pytest.raises(HarnessError, match="name the runs"):
        baseline.save("v1", [], folder)
    assert not folder.exists()


# --- masks and model, everywhere -----------------------------------------------------------------


def test_the_same_run_again_passes_and_every_figure_was_looked_at(make: Make, folder: Path) -> None:
    saved = baseline.save("v1", make(), folder)

    found = check(saved, make())

    assert (found.verdict, found.exit_code) == (Verdict.PASS, ExitCode.PASS)
    model = ("bytes", "ops", "activation_tensors", "activation_bytes", "activation_peak_bytes")
    assert rows(found, "baseline/model/") == {f"baseline/model/{name}": Verdict.PASS for name in model}
    stages = ("total", "preprocess", "invoke", "postprocess")
    assert rows(found, "baseline/latency/") == {f"baseline/latency/{name}/ratio": Verdict.PASS for name in stages}
    assert rows(found, "pooled/mask_iou") != {}


def test_other_masks_fail_as_parity(make: Make, folder: Path) -> None:
    saved = baseline.save("v1", make(), folder)

    found = check(saved, make(shift=0.3))

    assert found.exit_code is ExitCode.PARITY
    assert rows(found, "pooled/mask_iou")["pooled/mask_iou"] is Verdict.FAIL


@pytest.mark.parametrize(
    ("change", "figure"),
    [
        ({"bytes": 1021}, "bytes"),
        ({"ops": 55}, "ops"),
        ({"activations": {**ACTIVATIONS, "tensors": 56}}, "activation_tensors"),
        ({"activations": {**ACTIVATIONS, "bytes": 19_001}}, "activation_bytes"),
        ({"activations": {**ACTIVATIONS, "peak_bytes": 3_701}}, "activation_peak_bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_model_that_grew_fails_on_every_machine(
    change: dict[str, Any], figure: str, make: Make, folder: Path
) -> None:
    saved = baseline.save("v1", make(), folder)
    model = {**MODEL, "variant": "int8", "activations": ACTIVATIONS}
    elsewhere = {**DEVICE, "cpu": "another"}

    found = check(saved, make(model={**model, **change}, device=elsewhere), other_machine=True)

    failed = {row for row, verdict in rows(found, "").items() if verdict is Verdict.FAIL}
    assert failed == {f"baseline/model/{figure}"}
    assert found.exit_code is ExitCode.PARITY


def test_a_smaller_model_passes(make: Make, folder: Path) -> None:
    saved = baseline.save("v1", make(), folder)
    smaller = {"bytes": 900, "ops": 50, "activations": {name: value - 1 for name, value in ACTIVATIONS.items()}}

    assert check(saved, make(model={**MODEL, "variant": "int8", **smaller})).verdict is Verdict.PASS


def test_what_only_one_side_tells_is_skipped_by_name(make: Make, folder: Path) -> None:
    saved = baseline.save("v1", make(), folder)

    found = check(saved, make(model={**MODEL, "variant": "int8", "ops": None}))

    assert rows(found, "baseline/model/ops") == {"baseline/model/ops": Verdict.SKIP}
    assert found.exit_code is ExitCode.PASS


# --- speed, on the same machine ------------------------------------------------------------------


def test_a_slower_run_fails_as_only_slow(make: Make, folder: Path) -> None:
    saved = baseline.save("v1", make(milliseconds=20), folder)

    found = check(saved, make(milliseconds=25))

    assert found.exit_code is ExitCode.PERFORMANCE
    assert rows(found, "baseline/latency/total")["baseline/latency/total/ratio"] is Verdict.FAIL


def test_the_gate_is_wider_than_that_of_runs_beside_each_other(make: Make, folder: Path) -> None:
    saved = baseline.save("v1", make(milliseconds=20), folder)

    assert check(saved, make(milliseconds=21.2)).exit_code is ExitCode.PASS


def test_another_machine_is_refused_with_what_differs_and_what_to_do(make: Make, folder: Path) -> None:
    saved = baseline.save("v1", make(), folder)

    with pytest.raises(HarnessError, match=r"cores was 1, is 64.*--other-machine") as refused:
        check(saved, make(device={**DEVICE, "cores": 64}))
    assert refused.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    "change",
    [{"cpu": "x"}, {"arch": "arm64"}, {"cores": 9}, {"kind": "phone"}, {"model": "x"}, {"os": "Darwin"}],
    ids=str,
)
def test_each_part_of_the_machine_counts(change: dict[str, Any], make: Make, folder: Path) -> None:
    saved = baseline.save("v1", make(device={**DEVICE, "model": None}), folder)
    other = {"device": {**DEVICE, "model": None, **change}}

    with pytest.raises(HarnessError, match="another machine"):
        check(saved, make(**other))
    found = check(saved, make(milliseconds=99, **other), other_machine=True)

    assert found.exit_code is ExitCode.PASS
    assert rows(found, "baseline/latency/") == {}
    assert "another machine" in found.speed["tflite:int8"]
    assert len(rows(found, "baseline/model/")) == 5


def test_a_kernel_update_and_a_governor_that_one_side_does_not_tell_make_no_other_machine(
    make: Make, folder: Path
) -> None:
    told = {"before": {"governor": "powersave"}}
    saved = baseline.save("v1", make(device={**DEVICE, "os": "Debian 12 (kernel 6.1)"}, conditions=told), folder)
    updated = {**DEVICE, "os": "Debian 12 (kernel 6.2)"}

    assert check(saved, make(device=updated)).speed == {"tflite:int8": ""}
    with pytest.raises(HarnessError, match="governor was powersave, is performance"):
        check(saved, make(device=updated, conditions={"before": {"governor": "performance"}}))


def test_a_run_that_was_not_timed_is_gated_on_all_but_speed_wherever_it_ran(make: Make, folder: Path) -> None:
    saved = baseline.save("v1", make(), folder)

    found = check(saved, make(milliseconds=None, device={**DEVICE, "cpu": "another"}))

    assert found.exit_code is ExitCode.PASS
    assert found.speed["tflite:int8"] == "this run was not timed"


def test_a_single_start_says_nothing_of_the_next_and_the_check_says_that(make: Make, folder: Path) -> None:
    saved = baseline.save("v1", make(), folder)

    found = check(saved, make(starts=1, protocol={**TIMED, "count": 12}))

    assert rows(found, "baseline/latency/") == {}
    assert "fewer than two timed starts" in found.speed["tflite:int8"]


def test_times_of_another_picture_are_refused(make: Make, folder: Path) -> None:
    saved = baseline.save("v1", make(), folder)

    with pytest.raises(HarnessError, match="--frame a"):
        check(saved, make(protocol={**TIMED, "frame": "b"}))


# --- who is whose counterpart --------------------------------------------------------------------


def test_counterparts_are_found_by_what_was_run_and_not_by_how_it_was_named(make: Make, folder: Path) -> None:
    saved = baseline.save("v1", make("tflite") + make("tflite:int8"), folder)

    found = check(saved, make("tflite:fp32"))

    assert list(found.comparisons) == ["tflite:fp32"]
    assert found.missing == ["tflite:int8"]


def test_threads_and_released_packages_are_targets_of_their_own(make: Make) -> None:
    runtime = bundles.facts()["runtime"]
    threads = make("tflite:int8", runtime={**runtime, "name": "tflite", "requested": {"threads": 2}})
    package = make("tflite", request={"spec": "tflite:int8@tflite-runtime==2.14.0"}, model={**MODEL, "variant": "int8"})

    assert baseline.target(threads[0]) == "tflite:int8, 2 threads"
    assert baseline.target(package[0]) == "tflite:int8@tflite-runtime==2.14.0"


def test_a_run_without_a_counterpart_or_of_another_suite_is_refused(make: Make, folder: Path) -> None:
    saved = baseline.save("v1", make(), folder)

    with pytest.raises(HarnessError, match=r"no core:int8; it has tflite:int8"):
        check(saved, make("core:int8"))
    with pytest.raises(HarnessError, match="run the same suite"):
        check(saved, make(suite={**bundles.facts()["suite"], "sha256": "2" * 64}))


def test_times_alone_and_masks_are_not_held_against_each_other(make: Make, folder: Path) -> None:
    whole, times = (
        baseline.save(n, make(protocol={**TIMED, "parity": p}), folder) for n, p in (("a", True), ("b", False))
    )

    with pytest.raises(HarnessError, match="this run holds times alone.*harness run"):
        check(whole, make(protocol={**TIMED, "parity": False}))
    with pytest.raises(HarnessError, match="the baseline holds times alone.*harness bench"):
        check(times, make())
    found = check(times, make(protocol={**TIMED, "parity": False}))

    assert found.exit_code is ExitCode.PASS
    assert rows(found, "pooled/") == {}
    assert len(rows(found, "baseline/")) == 9


def test_a_damaged_baseline_is_found_out(make: Make, folder: Path) -> None:
    saved = baseline.save("v1", make(), folder)
    archive = saved.folder / saved.runs[0].bundles["tensor"]
    archive.write_bytes(archive.read_bytes()[:-200])

    with pytest.raises(InvalidError, match="not a run bundle"):
        check(saved, make())
    (saved.folder / "baseline.json").write_text("{")
    with pytest.raises(InvalidError, match="not a readable baseline"):
        baseline.load("v1", folder)
    with pytest.raises(HarnessError, match="no baseline 'v2'; there is v1"):
        baseline.load("v2", folder)


# --- what is written -----------------------------------------------------------------------------


def test_the_files_of_a_check_say_the_same(make: Make, folder: Path, tmp_path: Path) -> None:
    saved = baseline.save("v1", make("tflite:int8") + make("core:int8"), folder)
    found = check(saved, make("tflite:int8") + make("core:int8", milliseconds=30))

    page = check_report.write(found, tmp_path / "out", exports={"junit": str(tmp_path / "elsewhere.xml")})

    data = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    assert (data["verdict"], data["exit_code"]) == ("FAIL", 3)
    assert [t["verdict"] for t in data["targets"]] == ["PASS", "FAIL"]
    failed = {r["row"] for r in data["targets"][1]["rows"] if r["verdict"] == "FAIL"}
    tests = ElementTree.parse(tmp_path / "elsewhere.xml").getroot()
    assert {suite.get("name") for suite in tests} == {"tflite:int8", "core:int8"}
    assert {case.get("name") for case in tests.iter("testcase") if case.find("failure") is not None} == failed
    assert "baseline/latency/total/ratio" in failed
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Baseline v1: FAIL")
    assert "harness bench" in text
    for target in data["targets"]:
        assert (tmp_path / "out" / target["report"]).is_file()
    assert (tmp_path / "out" / "check.csv").read_text(encoding="utf-8").startswith(",".join(report.CSV_FIELDS))


def test_the_report_of_a_target_says_what_grew_and_what_is_slower(make: Make, folder: Path, tmp_path: Path) -> None:
    saved = baseline.save("v1", make(), folder)
    grown = {**MODEL, "variant": "int8", "ops": 60}
    check_report.write(check(saved, make(milliseconds=40, model=grown)), tmp_path / "out")

    page = (tmp_path / "out" / "tflite-int8" / "index.html").read_text(encoding="utf-8")

    assert "tflite:int8 has grown: ops 60, recorded 54." in page
    assert "tflite:int8 is slower than tflite:int8 of v1: the frame takes" in page


# --- the command ---------------------------------------------------------------------------------


def test_the_command_records_lists_and_checks(make: Make, folder: Path, tmp_path: Path) -> None:
    first, slower = make(), make(milliseconds=30)
    paths = [str(b.path) for b in first[0].lanes.values()]

    saved = run("baseline", "save", "v1", *paths, "--folder", folder)
    listed = run("baseline", "list", "--folder", folder)
    names = [str(b.path) for b in slower[0].lanes.values()]
    checked = run("baseline", "check", "v1", *names, "--folder", folder, "--out", tmp_path / "out", "--json")
    again = run("baseline", "save", "v1", *paths, "--folder", folder)

    assert (saved.returncode, listed.returncode, checked.returncode, again.returncode) == (0, 0, 3, 2), checked.stderr
    assert "v1" in listed.stdout and "tflite:int8" in listed.stdout
    assert json.loads(checked.stdout)["targets"][0]["verdict"] == "FAIL"
    assert again.stderr.startswith("harness: ") and "--replace" in again.stderr


@pytest.mark.system  # half a minute
def test_a_runtime_is_run_and_held_against_itself(folder: Path, tmp_path: Path) -> None:
    """End to end, with real workers and the shipped model."""
    options = ("--profile", "none", "--folder", folder)

    saved = run("baseline", "save", "v1", "tflite:int8", *options, "--out", tmp_path / "runs")
    checked = run("baseline", "check", "v1", "tflite:int8", *options, "--out", tmp_path / "out")

    assert (saved.returncode, checked.returncode) == (0, 0), saved.stderr + checked.stderr
    data = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    looked_at = {row["row"] for row in data["targets"][0]["rows"]}
    assert {"pooled/mask_iou", "baseline/model/bytes", "baseline/model/activation_peak_bytes"} <= looked_at
    assert "was not timed" in checked.stdout
