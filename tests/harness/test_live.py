# SPDX-License-Identifier: Apache-2.0
"""Camera applications side by side: which bundles may be compared, and that every figure follows from their rows."""

from __future__ import annotations

import csv
import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import bundle, compare, comparison, live, report
from harness.bundle import BundleError, BundleWriter
from harness.comparison import Comparison
from harness.errors import HarnessError
from harness.runs import open_runs
from harness.verdict import Verdict
from tests.harness import commands
from tests.harness.bundles import facts
from tests.harness.recordings import CAMERA, MOTION, MS, compared, recording, row, steady, write

# --- figures -------------------------------------------------------------------------------------


@given(count=st.integers(1, 80), interval=st.integers(MS, 100 * MS), behind=st.integers(0, 5))
def test_frames_per_second_of_evenly_spaced_frames_are_exact(
    tmp_path_factory: pytest.TempPathFactory, count: int, interval: int, behind: int
) -> None:
    rows = steady(count, interval, latency=interval)  # the last one is shown when the next would be captured
    counts = {"captured": count + behind, "dropped": behind}
    figures = live.summarise(bundle.open(write(tmp_path_factory.mktemp("run") / "a.run", rows, counts)))

    assert figures.presented_fps == pytest.approx(1e9 / interval)
    assert figures.captured_fps == pytest.approx((count + behind) / count * 1e9 / interval)
    assert figures.seconds == pytest.approx(count * interval / 1e9)


def test_a_slow_picture_lowers_the_rate_though_most_are_fast(tmp_path: Path) -> None:
    # One over the mean of the durations would say 90 FPS and more: the pause between two pictures is in none.
    rows = [row(0, 10 * MS), row(10 * MS, 10 * MS), row(980 * MS, 20 * MS)]

    figures = live.summarise(bundle.open(write(tmp_path / "a.run", rows)))

    assert figures.presented_fps == pytest.approx(3.0)


def test_mask_age_leaves_out_hidden_pictures(tmp_path: Path) -> None:
    ages = [None, 0, 1, 3]
    rows = [row(n * MS, MS, mask_age=age) for n, age in enumerate(ages)]

    figures = live.summarise(bundle.open(write(tmp_path / "a.run", rows, {"inferred": 2})))

    assert (figures.mask_age_mean, figures.mask_age_max, figures.aged) == (
        pytest.approx(4 / 3),
        3,
        pytest.approx(2 / 3),
    )
    assert (figures.hidden, figures.inferred) == (1, 2)


def test_a_percentile_of_the_way_from_capture_to_screen_needs_enough_pictures(tmp_path: Path) -> None:
    few, more = (
        live.summarise(bundle.open(write(tmp_path / f"{n}.run", steady(n, 33 * MS, latency=25 * MS)))) for n in (10, 64)
    )

    assert (few.p50, few.p90, few.p99) == (None, None, None)
    assert (more.p50, more.p90, more.p99) == (25.0, 25.0, None)


def test_stages_are_medians_in_the_order_of_the_path(tmp_path: Path) -> None:
    figures = live.summarise(bundle.open(write(tmp_path / "a.run", steady(3, 33 * MS))))

    assert list(figures.stages.items()) == [
        ("preprocess", 2.0), ("invoke", 5.0), ("postprocess", 1.0), ("refine", 1.0), ("composite", 3.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"presented": 5, "captured": 6}, "5 pictures presented, 4 rows"),
        ({"captured": 9}, "4 presented and 1 dropped are not 9 captured"),
        ({"dropped": 0, "captured": 4}, "0 frames dropped, 1 in the rows"),
        ({"hidden": 2}, "2 pictures hidden, 0 rows without a mask"),
        ({"inferred": 6}, "6 frames inferred, 5 captured"),
        ({"wall_ns": 1}, "1 ns in all, 119000000 ns"),
    ],
)
def test_counters_that_contradict_the_rows_are_invalid(tmp_path: Path, counts: dict[str, int], message: str) -> None:
    rows = [*steady(3, 33 * MS), row(10**12 + 99 * MS, 20 * MS, dropped=1)]
    made = write(tmp_path / "a.run", rows, counts)

    with pytest.raises(BundleError, match=message):
        live.summarise(bundle.open(made))

    result = compared(write(tmp_path / "sound.run", rows), made)
    assert [run.verdict for run in result.runs] == [Verdict.PASS, Verdict.INVALID]
    assert message in result.runs[1].error


# --- beside each other ---------------------------------------------------------------------------


def beside(result: Comparison, label: str = "rtcpp") -> dict[str, comparison.Row]:
    """The rows that hold a run against the reference, by figure."""
    return {r.row.removeprefix("live/"): r for r in result.rows if r.run == label and r.of_performance}


def test_a_recording_of_fifteen_seconds_and_more_has_intervals(tmp_path: Path) -> None:
    long, short = (
        live.summarise(bundle.open(write(tmp_path / f"{s}.run", recording(s, drops=0.2, aged=0.3)))) for s in (16, 14)
    )

    assert short.intervals == {}
    assert set(long.intervals) == {
        "captured_fps", "inferred_fps", "presented_fps", "p50", "p90", "dropped_share", "mask_age_mean",
    }  # fmt: skip
    for name, (low, high) in long.intervals.items():
        assert low < getattr(long, name) < high, name
    low, high = long.intervals["presented_fps"]
    assert 0.02 < high / low - 1 < 0.15


def test_pictures_that_share_a_mask_count_once_as_inferred(tmp_path: Path) -> None:
    # A mask for every picture, then one for every two: presented as evenly as before, inferred half as often.
    rows = [row(10**12 + n * 33 * MS, 20 * MS, mask_age=n % 2 if n >= 500 else 0) for n in range(1000)]

    scatter = live.scatter(bundle.open(write(tmp_path / "a.run", rows, {"inferred": 750})))

    first, *_, last = np.exp(scatter["inferred_fps"]) * 33e-3
    assert first == pytest.approx(1.0, abs=0.1)
    assert last == pytest.approx(0.5, abs=0.1)
    assert np.exp(scatter["presented_fps"]) * 33e-3 == pytest.approx(np.ones(live.STRETCHES), abs=0.01)


def test_two_recordings_that_do_alike_pass_with_intervals_that_hold_one(tmp_path: Path) -> None:
    result = compared(
        write(tmp_path / "1.run", recording(drops=0.1, seed=1)),
        write(tmp_path / "2.run", recording(drops=0.1, seed=2), label="rtcpp"),
    )

    rows = beside(result)
    assert result.verdict is Verdict.PASS
    assert {"captured_fps/ratio", "inferred_fps/ratio", "presented_fps/ratio", "p50/ratio", "p90/ratio"} <= set(rows)
    for name, r in rows.items():
        low, high = r.interval or (math.nan, math.nan)
        assert low <= (1 if name.endswith("/ratio") else 0) <= high or abs(high - low) < 0.02, name
    assert rows["dropped_share/difference"].limit is not None


@pytest.mark.parametrize(
    ("changed", "figure", "verdict"),
    [
        ({"fps": 12}, "presented_fps/ratio", Verdict.FAIL),
        ({"fps": 24}, "presented_fps/ratio", Verdict.WARN),
        ({"latency": 100}, "p50/ratio", Verdict.FAIL),
        ({"latency": 35}, "p50/ratio", Verdict.WARN),
        ({"drops": 0.9}, "dropped_share/difference", Verdict.FAIL),
        ({"drops": 0.1}, "dropped_share/difference", Verdict.WARN),
        ({"fps": 60, "latency": 10}, "presented_fps/ratio", Verdict.PASS),
    ],
)
def test_only_what_is_plain_to_see_fails(
    tmp_path: Path, changed: dict[str, float], figure: str, verdict: Verdict
) -> None:
    reference = write(tmp_path / "1.run", recording(seed=1))
    other = write(tmp_path / "2.run", recording(seed=2, **changed), label="rtcpp")

    result = compared(reference, other)

    assert beside(result)[figure].verdict is verdict
    assert result.only_slow is (result.verdict is Verdict.FAIL)


def test_where_the_gate_lies_inside_the_interval_nothing_fails(tmp_path: Path) -> None:
    # A recording that stutters for a part of its time: half as many pictures, give or take a lot.
    calm = recording(15, seed=2)
    stutter = recording(15, fps=3, seed=3)
    shift = calm[-1]["start_ns"] - stutter[0]["start_ns"] + 333 * MS
    late = [{**r, "start_ns": r["start_ns"] + shift, "presented_ns": r["presented_ns"] + shift} for r in stutter]

    result = compared(
        write(tmp_path / "1.run", recording(seed=1)), write(tmp_path / "2.run", calm + late, label="rtcpp")
    )

    judged = beside(result)["presented_fps/ratio"]
    assert judged.verdict is Verdict.WARN
    assert "inconclusive" in judged.note


PHONE = {"cpu": "another", "kind": "phone", "arch": "arm64", "cores": 1, "os": "iOS", "emulated": False}


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"device": PHONE}, "another machine"),
        ({"counts": {"mode": "low_latency"}}, "another mode"),
        ({"counts": {"paced_fps": 60}}, "played at another rate"),
    ],
)  # fmt: skip
def test_what_did_not_do_the_same_is_not_gated_and_says_why(tmp_path: Path, about: dict[str, Any], reason: str) -> None:
    reference = write(tmp_path / "1.run", recording(seed=1))
    slow = write(tmp_path / "2.run", recording(fps=5, latency=900), label="rtcpp", **about)

    result = compared(reference, slow)

    assert result.verdict is Verdict.PASS
    for judged in beside(result).values():
        assert judged.limit is None
        assert reason in judged.note


def test_the_command_ends_with_the_status_of_what_is_too_slow(tmp_path: Path) -> None:
    reference = write(tmp_path / "1.run", recording(seed=1))
    slow = write(tmp_path / "2.run", recording(fps=10, latency=100, seed=2), label="rtcpp")

    done = commands.run("compare", reference, slow, "--out", tmp_path / "out", "--markdown", tmp_path / "summary.md")

    assert done.returncode == 3, done.stderr
    assert "rtcpp falls behind rtpy: " in done.stdout
    assert "presented FPS 0.33 times" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert page.count('class="interval"') == 5


# --- which may be compared -----------------------------------------------------------------------


def test_two_applications_on_one_suite_stand_side_by_side(tmp_path: Path) -> None:
    first = write(tmp_path / "1.run", steady(30, 33 * MS))
    second = write(tmp_path / "2.run", steady(30, 99 * MS), label="rtcpp")

    result = compared(first, second)

    assert result.verdict is Verdict.PASS
    assert [run.live and round(run.live.presented_fps or 0) for run in result.runs] == [31, 10]
    assert not result.cases
    assert all(r.row.startswith("live/") for r in result.rows)
    assert [r.row for r in result.rows if r.limit] == ["live/presented"] * 2
    assert comparison.from_json(result.to_json()) == result


def test_however_slow_one_of_them_is_nothing_fails(tmp_path: Path) -> None:
    slow = {"cpu": "another", "kind": "phone", "arch": "arm64", "cores": 1, "os": "iOS", "emulated": False}
    result = compared(
        write(tmp_path / "1.run", steady(30, 33 * MS)),
        write(tmp_path / "2.run", steady(30, 3300 * MS), device=slow),
    )

    assert result.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"status": "failed"}, "camera unplugged"),
        ({"status": "partial"}, "cut off"),
        ({"rows": []}, ""),
    ],
    ids=["failed", "partial", "nothing shown"],
)
def test_an_application_without_a_whole_result_is_invalid(tmp_path: Path, made: dict[str, Any], message: str) -> None:
    sound = write(tmp_path / "1.run", steady(30, 33 * MS))
    broken = write(tmp_path / "2.run", **{"rows": steady(30, 33 * MS), **made})

    for paths in ((sound, broken), (broken, sound)):
        result = compared(*paths)

        assert result.verdict is Verdict.INVALID
        assert {r.bundles["image"]: r.verdict for r in result.runs}[str(broken)] is Verdict.INVALID
        assert any(message in r.error for r in result.runs)


def test_what_does_not_stand_side_by_side_is_refused(tmp_path: Path) -> None:
    rows = steady(30, 33 * MS)
    one = write(tmp_path / "1.run", rows)
    other = write(tmp_path / "other.run", rows, suite={**MOTION, "id": "wave", "sha256": "b" * 64})
    cameras = [write(tmp_path / f"camera-{n}.run", rows, suite=CAMERA) for n in (1, 2)]
    judged = BundleWriter(tmp_path / "judged.run", facts())
    judged.finish("complete")

    for paths, message in [
        ([one, judged.folder], r"judged\.run: a suite bundle cannot be compared with a live bundle"),
        ([judged.folder, one], r"1\.run: a live bundle cannot be compared with a suite bundle"),
        ([one, other], r"other\.run: .*'wave'.*'sway'.*one motion suite"),
        (cameras, r"camera-2\.run: .*'camera:0'.*one motion suite"),
    ]:
        with pytest.raises(HarnessError, match=message) as caught:
            open_runs(paths)
        assert caught.value.exit_code == 2

    assert compared(cameras[0]).verdict is Verdict.PASS  # alone it may be looked at


# --- what is written -----------------------------------------------------------------------------


def test_every_output_tells_the_same_figures(tmp_path: Path) -> None:
    rows = [*steady(70, 40 * MS), row(10**12 + 2960 * MS, 40 * MS, dropped=4, mask_age=2)]
    paths = [write(tmp_path / "1.run", rows), write(tmp_path / "2.run", steady(70, 50 * MS), label="rtcpp")]
    result = compare.relative_bundles(compared(*paths), tmp_path / "report")

    page = report.write(result, tmp_path / "report").read_text(encoding="utf-8")

    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    for shown in (page, text):
        assert "rtpy 23.7, rtcpp 20.2" in shown
        assert "nothing is gated" in shown
        assert "0.03 (max 2)" in shown
        assert "IoU" not in shown
    with (tmp_path / "report" / "comparison.csv").open(encoding="utf-8") as file:
        table = {(line["run"], line["row"]): line["value"] for line in csv.DictReader(file)}
    assert float(table["rtpy", "live/presented_fps"]) == pytest.approx(71 / 3.0)
    assert float(table["rtpy", "live/dropped"]) == 4
    assert float(table["rtcpp", "live/invoke_ms"]) == 5.0
    tests = ET.parse(tmp_path / "report" / "junit.xml").getroot()
    assert [(t.get("classname"), t.get("name")) for t in tests.iter("testcase")] == [
        ("rtpy.image", "live/presented"),
        ("rtcpp.image", "live/presented"),
    ]
    assert "not at hand" not in page


def test_the_command_compares_live_bundles_and_refuses_to_mix_them(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.run", steady(30, 33 * MS)) for n in (1, 2)]

    done = commands.run("compare", *paths, "--out", tmp_path / "out")
    mixed = commands.run("compare", paths[0], "tflite", "--out", tmp_path / "mixed")

    assert done.returncode == 0, done.stderr
    assert "nothing is gated" in done.stdout
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["runs"][1]["live"]["presented"] == 30
    assert mixed.returncode == 2
    assert "live bundle cannot be compared with a run of a suite (tflite)" in mixed.stderr
    assert not (tmp_path / "mixed").exists()
