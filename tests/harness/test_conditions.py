# SPDX-License-Identifier: Apache-2.0
"""Which runs' times mean nothing, and that everything that shows times says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import bundle, conditions, gates, history, latency, live, performance, resources
from harness.performance import Timed
from harness.verdict import Verdict

from . import recordings
from .bundles import facts, write

DEVICE = facts()["device"]
CALM = {"thermal": "nominal", "debugger": False, "foreground": True}
SPOILED: dict[str, dict[str, Any]] = {
    "a simulator": {"device": {**DEVICE, "kind": "simulator", "emulated": True}},
    "a simul": {"device": {**DEVICE, "kind": "simulator"}},  # which does not say `emulated`
    "an emulated processor": {"device": {**DEVICE, "emulated": True}},
    "a Debug build": {"build": {"configuration": "Debug"}},
    "a Debug build:": {"build": {"configuration": "debug"}},  # as the core's Python module writes it
    "a debugger was attached": {"conditions": {"before": CALM, "during": [CALM, {**CALM, "debugger": True}]}},
    # As segbench writes it.
    "a debugger was": {"conditions": {"during": {"debugger": True}}},
}
spoiled = pytest.mark.parametrize(("reason", "about"), SPOILED.items(), ids=SPOILED)


def steady(frames: int = 70) -> list[dict[str, Any]]:
    return [
        {"phase": "steady", "restart": n // 10, "block": n % 10 // 5, "case": "a", "start_ns": n * 10, "total_ns": 10}
        for n in range(frames)
    ]


@spoiled
def test_it_is_said_what_spoiled_the_times(reason: str, about: dict[str, Any]) -> None:
    assert conditions.why_untimed(facts(**about)).startswith(reason)


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"build": {"configuration": "Release"}},
        {"build": {"configuration": "RelWithDebInfo"}},
        {"conditions": {"before": CALM, "during": [CALM, CALM], "after": CALM}},
        {"conditions": {"before": None, "during": None}},
    ],
)
def test_nothing_speaks_against_a_plain_run(about: dict[str, Any]) -> None:
    assert conditions.why_untimed(facts(**about)) == ""


@spoiled
def test_the_latency_of_a_run_carries_the_reason(tmp_path: Path, reason: str, about: dict[str, Any]) -> None:
    found = latency.summarise(bundle.open(write(tmp_path / "a.run", {}, steady(), **about)))

    assert found is not None
    assert found.note.startswith(f"latency is INVALID: {reason}")
    assert found.p50 is not None  # the figures are kept, marked


@spoiled
def test_where_nothing_was_timed_there_is_nothing_to_say(tmp_path: Path, reason: str, about: dict[str, Any]) -> None:
    found = latency.summarise(bundle.open(write(tmp_path / "a.run", {}, [{"phase": "cold", "total_ns": 9}], **about)))

    assert found is not None
    assert found.note == ""


@spoiled
def test_so_do_the_times_of_a_camera_application(tmp_path: Path, reason: str, about: dict[str, Any]) -> None:
    path = recordings.write(tmp_path / "a.run", recordings.steady(30, 33_000_000), **about)

    assert live.summarise(bundle.open(path)).note.startswith(f"times are INVALID: {reason}")


@spoiled
def test_a_camera_application_with_such_times_is_not_gated(tmp_path: Path, reason: str, about: dict[str, Any]) -> None:
    sound = recordings.write(tmp_path / "1.run", recordings.recording(seed=1))
    slow = recordings.write(tmp_path / "2.run", recordings.recording(fps=5, latency=900), label="rtcpp", **about)

    result = recordings.compared(sound, slow)

    beside = [row for row in result.rows if row.of_performance]
    assert beside and all(row.limit is None for row in beside)
    assert all(row.note.startswith(("not gated: another machine", f"not gated: {reason}")) for row in beside)


@pytest.mark.parametrize("side", ["reference", "run"])
@spoiled
def test_beside_a_reference_nothing_follows_from_such_times(
    tmp_path: Path, reason: str, about: dict[str, Any], side: str
) -> None:
    opened = {
        name: bundle.open(write(tmp_path / f"{name}.run", {}, steady(), label=name, **(about if name == side else {})))
        for name in ("reference", "run")
    }
    timed = Timed("run", "fp32", opened["reference"], opened["run"])

    (row,) = performance.judge([timed], gates.load(resources.default_gates()))

    # An emulated processor is nobody's mistake; the others can be mended, and a comparison must not pass over them.
    assert row.verdict is (Verdict.SKIP if "device" in about else Verdict.INVALID)
    assert reason in row.note


@spoiled
def test_a_page_over_many_runs_leaves_such_times_out(tmp_path: Path, reason: str, about: dict[str, Any]) -> None:
    timing = {"steady": {"frames": 70, "p50_ns": 10.0, "p90_ns": 10.0, "fps": 1e8}}
    write(tmp_path / "1.run", {}, steady(), timing=timing, session="sound")
    write(tmp_path / "2.run", {}, steady(), timing=timing, session="spoiled", **about)

    found = {entry.session: entry for entry in history.index(tmp_path)}

    assert found["sound"].p50 == 1e-5
    assert (found["spoiled"].p50, found["spoiled"].fps, found["spoiled"].problem) == (None, None, "")
