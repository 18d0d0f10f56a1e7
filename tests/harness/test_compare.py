# SPDX-License-Identifier: Apache-2.0
"""What a comparison says of run bundles, and that every figure in it can be computed again from them."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import compare, comparison, gates, suite_making
from harness.comparison import Comparison, Row
from harness.errors import HarnessError
from harness.runs import open_runs
from harness.suite import Suite
from harness.verdict import Verdict
from tests.harness.bundles import CONTRACT, FRAME, picture_hash, write

GATES = """\
version: 1
gates:
- {row: '*/max_abs', max: 1.0e-4, warn: 1.0e-5}
- {row: 'pooled/mask_iou', min: 0.99}
- {row: 'pooled/gt_iou_delta', min: -0.01}
"""
CASES = ["a", "b", "c"]
STAGES = ("preprocess", "invoke", "postprocess")
Outputs = dict[str, np.ndarray]


@pytest.fixture
def outputs() -> Outputs:
    rng = np.random.default_rng(4)
    return {case: rng.random((16, 12), np.float32) for case in CASES}


def near(outputs: Outputs, error: float) -> Outputs:
    """Other outputs, at most this far away."""
    rng = np.random.default_rng(5)
    return {case: p + rng.uniform(-error, error, p.shape).astype(np.float32) for case, p in outputs.items()}


def compared(folder: Path, *paths: Path, suite: Suite | None = None, text: str = GATES) -> Comparison:
    file = folder / "gates.yaml"
    file.write_text(text, encoding="utf-8")
    return compare.compare(open_runs(paths), gates.load(file), "test", "harness compare", suite)


def both_lanes(folder: Path, outputs: Outputs, label: str, **about: Any) -> list[Path]:
    name = label.replace(":", "-")
    return [
        write(folder / f"{name}-{lane}.run", outputs, label=label, lane=lane, session=label, **about)
        for lane in ("tensor", "image")
    ]


def row(result: Comparison, name: str, lane: str = "image") -> Row:
    return next(r for r in result.rows if (r.row, r.lane, r.run) == (name, lane, result.runs[1].label))


# --- verdicts ------------------------------------------------------------------------------------


def test_the_same_outputs_pass(tmp_path: Path, outputs: Outputs) -> None:
    result = compared(tmp_path, *both_lanes(tmp_path, outputs, "keras"), *both_lanes(tmp_path, outputs, "tflite"))

    assert result.verdict is Verdict.PASS
    assert bool(result)
    assert [(run.label, run.reference, run.verdict) for run in result.runs] == [
        ("keras", True, "PASS"),
        ("tflite", False, "PASS"),
    ]
    assert {(c.lane, c.case): c.verdict for c in result.cases if c.run == "tflite"} == {
        (lane, case): "PASS" for lane in ("tensor", "image") for case in CASES
    }
    assert row(result, "pooled/compared").value == 3
    assert row(result, "pooled/max_abs", "tensor").value == 0
    assert not result.findings
    assert result.suite == {"id": "figures", "sha256": "0" * 64, "cases": 3}


@pytest.mark.parametrize(("error", "verdict"), [(9e-6, "PASS"), (5e-5, "WARN"), (2e-3, "FAIL")])
def test_outputs_that_differ_are_judged_by_the_gates(
    tmp_path: Path, outputs: Outputs, error: float, verdict: str
) -> None:
    reference, run = write(tmp_path / "r.run", outputs), write(tmp_path / "o.run", near(outputs, error), session="2")

    result = compared(tmp_path, reference, run)

    assert row(result, "pooled/max_abs").verdict == verdict
    assert result.verdict == result.runs[1].verdict == verdict
    assert bool(result) is (verdict != "FAIL")
    assert row(result, "case/a/max_abs").limit == row(result, "pooled/max_abs").limit


def test_one_bad_case_fails_the_run_and_is_named(tmp_path: Path, outputs: Outputs) -> None:
    other = outputs | {"b": 1 - outputs["b"]}

    result = compared(tmp_path, write(tmp_path / "r.run", outputs), write(tmp_path / "o.run", other, session="2"))

    assert {c.case: c.verdict for c in result.cases if c.run != "tflite"} == {"a": "PASS", "b": "FAIL", "c": "PASS"}
    assert result.verdict is Verdict.FAIL


def test_the_gates_of_a_runs_own_variant_apply(tmp_path: Path, outputs: Outputs) -> None:
    text = "version: 1\ngates:\n- {variant: int8, row: '*/max_abs', max: 0.1}\n- {row: '*/max_abs', max: 1.0e-4}\n"
    reference = write(tmp_path / "r.run", outputs, variant="keras")
    integer = write(tmp_path / "i.run", near(outputs, 0.05), session="2", variant="int8")
    half = write(tmp_path / "h.run", near(outputs, 0.05), session="3", variant="fp16")

    assert [run.verdict for run in compared(tmp_path, reference, integer, half, text=text).runs[1:]] == ["PASS", "FAIL"]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_output_that_is_not_finite_is_an_outright_fail(tmp_path: Path, outputs: Outputs, bad: float) -> None:
    broken = outputs["b"].copy()
    broken[3, 4:6] = bad

    result = compared(
        tmp_path,
        write(tmp_path / "r.run", outputs),
        write(tmp_path / "o.run", outputs | {"b": broken}, session="2", label="core"),
        text="version: 1\ngates: []\n",  # whatever the tolerances
    )

    assert result.verdict is Verdict.FAIL
    found = row(result, "case/b/not_finite")
    assert (found.value, found.verdict) == (2, Verdict.FAIL)
    assert next(c.note for c in result.cases if (c.run, c.case) == ("core", "b")) == "NaN or infinity in 2 pixels"
    assert row(result, "pooled/max_abs").value == 0  # the others were compared all the same
    assert [finding.run for finding in result.findings] == ["core"]
    comparison.from_json(result.to_json())  # JSON has no NaN


def test_a_reference_that_is_not_finite_is_no_reference(tmp_path: Path, outputs: Outputs) -> None:
    broken = outputs | {"b": np.full((16, 12), np.nan, np.float32)}

    result = compared(tmp_path, write(tmp_path / "r.run", broken), write(tmp_path / "o.run", outputs, session="2"))

    assert [run.verdict for run in result.runs] == ["FAIL", "INVALID"]
    assert result.verdict is Verdict.INVALID
    assert "reference" in next(c.note for c in result.cases if c.verdict is Verdict.INVALID)


def test_another_picture_under_the_same_name_is_invalid(tmp_path: Path, outputs: Outputs) -> None:
    other = write(tmp_path / "o.run", outputs, session="2", label="core", status="partial")
    table = json.loads((other / "run.json").read_text(encoding="utf-8"))
    table["suite"]["cases"][1]["input_sha256"] = picture_hash("another")
    table["status"] = "complete"
    (other / "run.json").write_text(json.dumps(table), encoding="utf-8")
    (other / "checksums.txt").write_text(checksums(other), encoding="utf-8")

    result = compared(tmp_path, write(tmp_path / "r.run", outputs), other)

    assert result.verdict is Verdict.INVALID
    assert {c.case: c.verdict for c in result.cases if c.run == "core"} == {"a": "PASS", "b": "INVALID", "c": "PASS"}
    assert "picture" in next(c.note for c in result.cases if c.verdict is Verdict.INVALID)


def checksums(folder: Path) -> str:
    import hashlib

    files = [p for p in folder.rglob("*") if p.is_file() and p.name != "checksums.txt"]
    return "".join(f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(folder).as_posix()}\n" for p in files)


def test_a_case_that_the_run_lacks_is_invalid_and_one_that_the_reference_lacks_is_ignored(
    tmp_path: Path, outputs: Outputs
) -> None:
    fewer = {case: outputs[case] for case in ("a", "c")}
    all_of_them, some = write(tmp_path / "3.run", outputs), write(tmp_path / "2.run", fewer, session="2")

    lacking, ignoring = compared(tmp_path, all_of_them, some), compared(tmp_path, some, all_of_them)

    assert lacking.verdict is Verdict.INVALID
    assert (row(lacking, "pooled/compared").value, row(lacking, "pooled/compared").verdict) == (2, "INVALID")
    assert row(lacking, "pooled/max_abs").verdict is Verdict.PASS
    assert ignoring.verdict is Verdict.PASS
    assert row(ignoring, "pooled/compared").value == 2


def test_a_tensor_that_is_missing_from_either_side_is_invalid(tmp_path: Path, outputs: Outputs) -> None:
    whole = write(tmp_path / "whole.run", outputs)
    holes = write(tmp_path / "holes.run", {"a": outputs["a"]}, cases=CASES, session="2")

    for pair in ((whole, holes), (holes, whole)):
        result = compared(tmp_path, *pair)
        assert result.verdict is Verdict.INVALID
        assert row(result, "pooled/compared").value == 1


def test_no_case_in_common_is_invalid(tmp_path: Path, outputs: Outputs) -> None:
    others = {f"other-{case}": p for case, p in outputs.items()}

    result = compared(tmp_path, write(tmp_path / "r.run", outputs), write(tmp_path / "o.run", others, session="2"))

    assert result.verdict is Verdict.INVALID
    assert row(result, "pooled/compared").value == 0


def test_no_cases_at_all_are_invalid(tmp_path: Path) -> None:
    result = compared(tmp_path, write(tmp_path / "r.run", {}), write(tmp_path / "o.run", {}, session="2"))

    assert result.verdict is Verdict.INVALID


def test_only_lanes_that_both_have_are_compared(tmp_path: Path, outputs: Outputs) -> None:
    image = write(tmp_path / "phone.run", outputs, label="swift", session="2")

    result = compared(tmp_path, *both_lanes(tmp_path, outputs, "keras"), image)

    assert result.verdict is Verdict.PASS
    assert {r.lane for r in result.rows if r.run == "swift"} == {"image"}


def test_no_lane_in_common_is_invalid(tmp_path: Path, outputs: Outputs) -> None:
    tensor = write(tmp_path / "t.run", outputs, lane="tensor", session="2", label="core")

    result = compared(tmp_path, write(tmp_path / "i.run", outputs), tensor)

    assert result.verdict is Verdict.INVALID
    assert "no lane in common" in row(result, "pooled/compared", "tensor").note


def test_another_resolution_is_invalid(tmp_path: Path, outputs: Outputs) -> None:
    larger = {case: np.repeat(p, 2, axis=0) for case, p in outputs.items()}

    result = compared(tmp_path, write(tmp_path / "r.run", outputs), write(tmp_path / "o.run", larger, session="2"))

    assert result.verdict is Verdict.INVALID
    assert "(32, 12)" in result.cases[-1].note
    assert "(16, 12)" in result.cases[-1].note


def test_outputs_of_changing_resolution_are_invalid(tmp_path: Path) -> None:
    # A model has one resolution; where the first output is the smallest, the others are not what it told.
    rng = np.random.default_rng(6)
    changing = {f"{i:02}": rng.random((4 if i == 0 else 40, 4), np.float32) for i in range(30)}

    result = compared(tmp_path, write(tmp_path / "r.run", changing), write(tmp_path / "o.run", changing, session="2"))

    assert result.verdict is Verdict.INVALID
    assert row(result, "pooled/compared").value == 1


def test_an_interrupted_run_is_invalid_with_the_remedy(tmp_path: Path, outputs: Outputs) -> None:
    reference = write(tmp_path / "r.run", outputs)
    partial = write(tmp_path / "runs" / "o.run", outputs, session="2", status="partial")

    run = compared(tmp_path, reference, partial).runs[1]

    assert run.verdict is Verdict.INVALID
    assert f"--resume {tmp_path / 'runs'}" in run.error


def test_a_failed_run_is_invalid_with_its_message_and_the_others_are_judged(tmp_path: Path, outputs: Outputs) -> None:
    error = {"kind": "crash", "message": "killed by signal 11", "case": "b"}
    paths = [
        write(tmp_path / "r.run", outputs),
        write(tmp_path / "f.run", {"a": outputs["a"]}, cases=CASES, session="2", status="failed", error=error),
        write(tmp_path / "o.run", outputs, session="3", label="core"),
    ]

    result = compared(tmp_path, *paths)

    assert [run.verdict for run in result.runs] == ["PASS", "INVALID", "PASS"]
    assert result.runs[1].error == "killed by signal 11"
    assert result.verdict is Verdict.INVALID
    assert [(f.run, "case b" in f.title) for f in result.findings] == [("tflite (2)", True)]


def test_a_run_that_found_no_model_is_invalid(tmp_path: Path, outputs: Outputs) -> None:
    error = {"kind": "model", "message": "model.int8.tflite: damaged", "case": None}
    failed = write(tmp_path / "f.run", {}, cases=CASES, session="2", model=None, status="failed", error=error)

    result = compared(tmp_path, write(tmp_path / "r.run", outputs), failed)

    assert (result.runs[1].verdict, result.runs[1].error) == (Verdict.INVALID, "model.int8.tflite: damaged")


def test_a_reference_that_failed_makes_the_comparison_invalid(tmp_path: Path, outputs: Outputs) -> None:
    partial = write(tmp_path / "r.run", outputs, status="partial")

    result = compared(tmp_path, partial, write(tmp_path / "o.run", outputs, session="2"))

    assert result.verdict is Verdict.INVALID


def test_a_single_run_is_reported_alone(tmp_path: Path, outputs: Outputs) -> None:
    result = compared(tmp_path, write(tmp_path / "r.run", outputs))

    assert result.verdict is Verdict.PASS
    assert [run.reference for run in result.runs] == [True]


def test_another_contract_is_pointed_out(tmp_path: Path, outputs: Outputs) -> None:
    model = {"name": "m", "variant": "fp32", "format": "tflite", "sha256": "1" * 64, "bytes": 1}
    other = write(
        tmp_path / "o.run",
        outputs,
        session="2",
        model=model | {"contract": CONTRACT.replace('channels = "rgb"', 'channels = "bgr"')},
    )

    (finding,) = compared(tmp_path, write(tmp_path / "r.run", outputs), other).findings

    assert "channels is 'bgr' here and 'rgb' in the reference" in finding.evidence


# --- opening -------------------------------------------------------------------------------------


def test_a_recorded_zip_and_a_folder_are_compared_alike(tmp_path: Path, outputs: Outputs) -> None:
    folder = write(tmp_path / "o.run", near(outputs, 1e-5), session="2")
    reference = write(tmp_path / "r.run", outputs)
    recorded = tmp_path / "o.run.zip"
    with zipfile.ZipFile(recorded, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(tmp_path).as_posix())

    from_folder, from_zip = compared(tmp_path, reference, folder), compared(tmp_path, reference, recorded)

    assert from_zip.rows == from_folder.rows
    assert from_zip.cases == from_folder.cases


def test_lanes_of_one_run_are_put_together_and_equal_names_are_told_apart(tmp_path: Path, outputs: Outputs) -> None:
    first, second = (
        [write(tmp_path / f"{s}-{lane}.run", outputs, lane=lane, session=s) for lane in ("tensor", "image")]
        for s in ("1", "2")
    )

    runs = open_runs([first[1], *second, first[0]])

    assert [(run.label, sorted(run.lanes)) for run in runs] == [
        ("tflite", ["image", "tensor"]),
        ("tflite (2)", ["image", "tensor"]),
    ]


def test_what_cannot_be_compared_is_refused(tmp_path: Path, outputs: Outputs) -> None:
    made = write(tmp_path / "r.run", outputs)
    changed = write(tmp_path / "changed.run", outputs, session="3")
    (changed / "tensors" / "a.npy").write_bytes(b"")
    model = {"name": "m", "variant": "fp32", "format": "tflite", "sha256": "1" * 64, "bytes": 1, "contract": "?"}
    unreadable = write(tmp_path / "contract.run", outputs, session="4", model=model)

    for paths, message, status in [
        ([made, made], r"r\.run: the image lane of this run was given already", 2),
        ([made, changed], r"changed\.run: tensors/a\.npy has changed", 4),
        ([made, unreadable], r"contract\.run: .*contract", 4),
        ([made, tmp_path / "none.run"], r"none\.run: no such run bundle", 4),
    ]:
        with pytest.raises(HarnessError, match=message) as caught:
            open_runs(paths)
        assert caught.value.exit_code == status

    with pytest.raises(HarnessError, match="at least one run"):
        compared(tmp_path)


# --- every figure again --------------------------------------------------------------------------


def masks() -> dict[str, np.ndarray]:
    """Ground truth of the cases: a figure, another one, and nobody."""
    y, x = np.mgrid[: FRAME[0], : FRAME[1]]
    return {"a": (x - 20) ** 2 + (y - 30) ** 2 < 200, "b": (x > 8) & (y > 12), "c": np.zeros(FRAME, bool)}


def smooth(rng: np.random.Generator, mask: np.ndarray, noise: float) -> np.ndarray:
    """A network's output for a mask: right for the most part."""
    coarse = mask[1::3, 1::3][:, :12].astype(np.float32)
    return np.clip(0.1 + 0.8 * coarse + rng.normal(0, noise, coarse.shape), 0, 1).astype(np.float32)


def timed(rng: np.random.Generator, frames: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    now = 10**15
    for number in range(frames + 4):
        stages = {f"{stage}_ns": int(rng.integers(10**6, 2 * 10**6)) for stage in STAGES}
        phase = "cold" if number == 0 else "warm" if number < 4 else "steady"
        total = sum(stages.values()) + 1000
        restart = 0 if number < frames // 2 else 1
        rows.append(
            {"phase": phase, "restart": restart, "block": 0, "case": "a", "start_ns": now, "total_ns": total, **stages}
        )
        now += total + (10**9 if number + 1 == frames // 2 else 500)
    return rows


@pytest.fixture
def judged(tmp_path: Path) -> tuple[Comparison, dict[str, Path]]:
    """Three runs in both lanes with ground truth and timing, their comparison read back from its JSON."""
    entries = [
        suite_making.Entry(case, np.zeros((*FRAME, 3), np.uint8), mask if case != "c" else None)
        for case, mask in masks().items()
    ]
    suite = suite_making.write(tmp_path / "suite", "figures", entries)
    rng = np.random.default_rng(8)
    base = {case: smooth(rng, mask, 0.05) for case, mask in masks().items()}
    paths: dict[str, Path] = {}
    for label, noise, frames in (("keras", 0.0, 64), ("tflite:fp16", 0.01, 63), ("tflite:int8", 0.3, 10)):
        for lane in ("tensor", "image"):
            moved = {k: np.clip(p + rng.normal(0, noise, p.shape), 0, 1).astype(np.float32) for k, p in base.items()}
            paths[f"{label}/{lane}"] = write(
                tmp_path / f"{label.replace(':', '-')}-{lane}.run",
                moved,
                timed(rng, frames) if lane == "image" else [],
                label=label,
                lane=lane,
                memory={"peak_bytes": int(rng.integers(1 << 30))},
            )
    result = compared(tmp_path, *paths.values(), suite=suite)
    return comparison.from_json(result.to_json()), paths


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum() if (a | b).any() else 1.0  # two empty masks agree


def parity_again(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], tolerance: float) -> dict[str, Any]:
    """The figures of one or more outputs against the reference's, by plain NumPy."""
    p, r = (np.concatenate([x.ravel() for x in maps]).astype(float) for maps in (ours, theirs))
    e, flips = np.abs(p - r), (p > 0.5) != (r > 0.5)
    ious = [iou(a > 0.5, b > 0.5) for a, b in zip(ours, theirs, strict=True)]
    return {
        "max_abs": e.max(), "mean_abs": e.mean(), "p99_abs": np.sort(e)[math.ceil(0.99 * e.size) - 1],
        "psnr": -10 * np.log10((e**2).mean()) if e.any() else None, "cosine": p @ r / np.sqrt(p @ p * (r @ r)),
        "mask_iou": np.mean(ious), "mask_iou_min": min(ious), "flipped": flips.sum(),
        "flip_margin": (np.abs(r[flips] - 0.5) <= tolerance).mean() if flips.any() else None,
    }  # fmt: skip


def accuracy_again(p: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """IoU and boundary IoU of one output against its ground truth, by plain NumPy."""
    for axis, n in enumerate(truth.shape):
        at = np.clip((np.arange(n) + 0.5) * p.shape[axis] / n - 0.5, 0, p.shape[axis] - 1)
        p = np.apply_along_axis(lambda line, at=at: np.interp(at, np.arange(len(line)), line), axis, p.astype(float))
    cores = [p > 0.5, truth]
    for _ in range(max(1, round(0.02 * math.hypot(*truth.shape)))):
        padded = [np.pad(core, 1, constant_values=True) for core in cores]
        cores = [q[1:-1, 1:-1] & q[:-2, 1:-1] & q[2:, 1:-1] & q[1:-1, :-2] & q[1:-1, 2:] for q in padded]
    rings = [mask & ~core for mask, core in zip((p > 0.5, truth), cores, strict=True)]
    return {"gt_iou": iou(p > 0.5, truth), "gt_boundary_iou": iou(*rings)}


def latency_again(folder: Path) -> dict[str, Any]:
    """The latency figures of an image bundle, by plain Python."""
    rows = [r for r in csv.DictReader((folder / "samples.csv").open(encoding="utf-8")) if r["phase"] == "steady"]
    totals, starts = sorted(int(r["total_ns"]) for r in rows), [int(r["start_ns"]) for r in rows]
    ends = [start + int(r["total_ns"]) for start, r in zip(starts, rows, strict=True)]
    cut = next((i for i, r in enumerate(rows) if r["restart"] == "1"), len(rows))
    stretches = [s for s in (slice(0, cut), slice(cut, None)) if starts[s]]
    wall = sum(ends[s][-1] - starts[s][0] for s in stretches)
    return {
        "n": len(rows), "fps": len(rows) / wall * 1e9,
        "p50": totals[math.ceil(0.5 * len(rows)) - 1] / 1e6 if len(rows) >= 11 else None,
        "p90": totals[math.ceil(0.9 * len(rows)) - 1] / 1e6 if len(rows) >= 64 else None,
        "stages": {s: np.median([int(r[f"{s}_ns"]) for r in rows]) / 1e6 for s in STAGES},
    }  # fmt: skip


def close(value: Any) -> Any:
    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)


def test_every_figure_can_be_computed_again_from_the_bundles(judged: tuple[Comparison, dict[str, Path]]) -> None:
    result, paths = judged
    tensors = {key: [np.load(folder / "tensors" / f"{case}.npy") for case in CASES] for key, folder in paths.items()}
    truth, expected = masks(), {}
    for key, maps in tensors.items():
        label, lane = key.split("/")
        reference = tensors[f"keras/{lane}"]
        figures = {}
        if label != "keras":
            figures |= {f"pooled/{name}": v for name, v in parity_again(maps, reference, 1e-4).items()}
            figures["pooled/compared"] = 3
            for case, p, r in zip(CASES, maps, reference, strict=True):
                figures |= {f"case/{case}/{name}": v for name, v in parity_again([p], [r], 1e-4).items()}
                del figures[f"case/{case}/mask_iou_min"]
        if lane == "image":
            of_cases = {case: accuracy_again(p, truth[case]) for case, p in zip(CASES[:2], maps, strict=False)}
            figures |= {f"case/{case}/{name}": v for case, a in of_cases.items() for name, v in a.items()}
            for name in ("gt_iou", "gt_boundary_iou"):
                figures[f"pooled/{name}"] = np.mean([a[name] for a in of_cases.values()])
        expected |= {(label, lane, name): value for name, value in figures.items()}
    for label in ("tflite:fp16", "tflite:int8"):
        accuracy = expected[label, "image", "pooled/gt_iou"], expected["keras", "image", "pooled/gt_iou"]
        expected[label, "image", "pooled/gt_iou_delta"] = accuracy[0] - accuracy[1]

    told = {(r.run, r.lane, r.row): r.value for r in result.rows}
    told |= {(c.run, c.lane, f"case/{c.case}/{name}"): v for c in result.cases for name, v in c.metrics.items()}

    assert told == {key: close(value) for key, value in expected.items()}
    of_runs = {
        (run.label, lane, f"pooled/{name}"): value
        for run in result.runs
        for lane, pooled in run.pooled.items()
        for name, value in pooled.items()
    }
    assert of_runs == {k: v for k, v in told.items() if k[2].startswith("pooled/") and k[2] != "pooled/compared"}


def test_every_latency_can_be_computed_again_from_the_samples(judged: tuple[Comparison, dict[str, Path]]) -> None:
    result, paths = judged

    for run in result.runs:
        folder = paths[f"{run.label}/image"]
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        assert run.latency is not None
        told = dataclasses.asdict(run.latency)
        # The phases have tests of their own.
        assert sum(start["frames"] for start in told.pop("starts")) == run.latency.n
        assert (told.pop("paced"), told.pop("sustained")) == ([], None)
        assert told == {
            **{name: close(value) for name, value in latency_again(folder).items()},
            "load": facts["timing"]["load_ns"] / 1e6,
            "first": facts["timing"]["first_inference_ns"] / 1e6,
            "note": "",
        }
        assert run.peak_memory_bytes == facts["memory"]["peak_bytes"]
    assert [run.latency.p90 is not None for run in result.runs if run.latency] == [True, False, False]


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"protocol": {"profile": "quick", "count": 64, "duration_s": 6, "timer": {}}}, "INVALID: 20 of 64 frames"),
        ({"device": {"kind": "desktop", "cpu": "", "arch": "", "cores": 1, "os": "", "emulated": True}}, "INVALID"),
        ({}, ""),
    ],
)
def test_latency_that_is_not_to_be_trusted_says_so(
    tmp_path: Path, outputs: Outputs, changes: dict[str, Any], note: str
) -> None:
    samples = timed(np.random.default_rng(1), 20)

    (run,) = compared(tmp_path, write(tmp_path / "r.run", outputs, samples, **changes)).runs

    assert run.latency is not None
    assert (note in run.latency.note) if note else run.latency.note == ""
    assert run.verdict is Verdict.PASS  # of parity: latency is not gated


def test_a_comparison_survives_being_written_and_read(judged: tuple[Comparison, dict[str, Path]]) -> None:
    result, _ = judged

    assert comparison.from_json(result.to_json()) == result
    assert json.loads(result.to_json())["schema"] == "comparison/1"
    with pytest.raises(ValueError, match="comparison/2"):
        comparison.from_json(result.to_json().replace("comparison/1", "comparison/2"))
