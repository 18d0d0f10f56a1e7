# SPDX-License-Identifier: Apache-2.0
"""How fast a run was: figures of each start, each rate and the long phase, from the rows of its bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import bundle, latency
from harness.comparison import Latency, Paced

from .bundles import write

MS = 1_000_000


def summary(folder: Path, rows: list[dict[str, Any]], **about: Any) -> Latency:
    found = latency.summarise(bundle.open(write(folder / "a.run", {}, rows, **about)))
    assert found is not None
    return found


def frames(
    phase: str, times: list[float], restart: int = 0, every: int = 100 * MS, **more: Any
) -> list[dict[str, Any]]:
    """Frames of so many milliseconds."""
    return [
        {"phase": phase, "restart": restart, "block": 0, "start_ns": n * every, "total_ns": round(ms * MS), **more}
        for n, ms in enumerate(times)
    ]


def test_each_start_has_its_beginnings_its_median_and_what_is_odd_about_it(tmp_path: Path) -> None:
    starts = [
        {"restart": n, "cold_start_ns": (300 + n) * MS, "load_ns": 20 * MS, "first_inference_ns": 9 * MS}
        for n in (0, 1)
    ]
    calm = [10.0, 10.1] * 14 + [90.0, 10.0]
    slowing = np.linspace(10, 13, 30)
    rows = frames("steady", calm) + frames("steady", list(slowing), restart=1)

    first, second = summary(tmp_path, rows, timing={"starts": starts}).starts

    assert (first.cold_start, first.load, first.first, first.frames) == (300.0, 20.0, 9.0, 30)
    assert (first.p50, first.outliers, first.drifted) == (10.0, 1, False)
    assert (second.restart, second.cold_start, second.drifted) == (1, 301.0, True)
    thirds = np.median(slowing[:10]), np.median(slowing[-10:])
    assert second.drift == pytest.approx(thirds[1] / thirds[0] - 1, rel=1e-6)


def test_a_start_that_broke_off_before_it_was_timed_is_told_too(tmp_path: Path) -> None:
    starts = [{"restart": 0, "load_ns": 20 * MS}]

    (start,) = summary(tmp_path, [], timing={"starts": starts}).starts

    assert (start.load, start.cold_start, start.frames, start.p50, start.drift) == (20.0, None, 0, None, None)


@given(fps=st.sampled_from([15.0, 30.0, 60.0, 90.0]), dropped=st.lists(st.integers(0, 4), min_size=64, max_size=90))
def test_the_rate_of_a_camera_is_that_at_which_frames_came_dropped_ones_included(
    tmp_path_factory: pytest.TempPathFactory, fps: float, dropped: list[int]
) -> None:
    period, number, rows = round(1e9 / fps), 0, []
    for skipped in dropped:
        number += 1 + skipped
        due = number * period
        rows += frames("paced", [5.0], due_ns=due, presented_ns=due + 7 * MS, dropped=skipped)
        rows[-1]["start_ns"] = due + 2 * MS

    (paced,) = summary(tmp_path_factory.mktemp("run"), rows).paced

    assert paced == Paced(pytest.approx(fps, rel=1e-3), len(dropped), sum(dropped), 2.0, 2.0, 7.0, 7.0)


def test_two_rates_are_told_apart(tmp_path: Path) -> None:
    rows = []
    for block, period in enumerate((33_333_333, 16_666_667)):
        for n in range(20):
            due = block * 10**10 + n * period
            rows += frames("paced", [5.0], due_ns=due, presented_ns=due + 5 * MS, dropped=0)
            rows[-1] |= {"block": block, "start_ns": due}

    assert [paced.fps for paced in summary(tmp_path, rows).paced] == [30.0, 60.0]


def test_the_long_phase_says_how_it_began_and_ended(tmp_path: Path) -> None:
    sustained = summary(tmp_path, frames("sustained", [10.0] * 40 + [11.0] * 40 + [12.0] * 40)).sustained

    assert sustained is not None
    assert (sustained.first, sustained.last, sustained.p50, sustained.drifted) == (10.0, 12.0, 11.0, True)
    assert sustained.seconds == pytest.approx(119 * 0.1 + 0.012)


def test_what_was_not_asked_for_is_not_there(tmp_path: Path) -> None:
    found = summary(tmp_path, frames("steady", [10.0] * 30))

    assert (found.paced, found.sustained) == ([], None)
