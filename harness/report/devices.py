# SPDX-License-Identifier: Apache-2.0
"""The devices that runs were made on: what each is, how its heat, battery and memory went, and what ran on it.

Knows the facts of ``run.json`` and the figures of a comparison; verdicts are taken from it, none is computed. Figures
of two devices stand side by side: nothing follows from one being smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness import conditions
from harness.comparison import Comparison, RunSummary
from harness.report import figures, overview, plots
from harness.report.overview import Index
from harness.verdict import Verdict

STATES = ("nominal", "fair", "serious", "critical")
"""Thermal states, the coolest first."""
COLUMNS = ("p50 ms", "p90 ms", "FPS")


@dataclass(frozen=True)
class OnDevice:
    """One run on a device: in each lane what the gates say of its masks, and its figures by :data:`COLUMNS`."""

    run: RunSummary
    masks: list[tuple[str, Verdict | None]]
    cells: list[str]
    note: str


@dataclass(frozen=True)
class Card:
    """One device.

    Attributes:
        name: its model, or its processor.
        facts: name and value of each fact that is told.
        traces: thermal state and battery over each session, as far as they are told.
    """

    name: str
    kind: str
    facts: list[tuple[str, str]]
    runs: list[OnDevice]
    traces: list[plots.Trace]


def cards(comparison: Comparison, found: Index) -> list[Card]:
    """A card for each device, in the order of the runs; none where all ran on one desktop that tells nothing of
    itself."""
    groups: dict[tuple[Any, ...], list[RunSummary]] = {}
    for run in comparison.runs:
        groups.setdefault((*conditions.machine(run.facts), _device(run).get("os")), []).append(run)
    made = [_card(runs, comparison, found) for runs in groups.values()]
    worth = len(made) > 1 or any(card.kind != "desktop" or card.traces for card in made)
    return made if worth else []


def _card(runs: Sequence[RunSummary], comparison: Comparison, found: Index) -> Card:
    device = _device(runs[0])
    sessions: dict[str, RunSummary] = {}
    for run in runs:
        name = (run.facts.get("session") or {}).get("id") or run.label
        sessions[name] = max(sessions.get(name, run), run, key=lambda each: len(_moments(each)))
    lanes = overview.lanes(comparison)
    return Card(
        str(device.get("model") or device.get("cpu") or "unknown device"),
        str(device.get("kind") or ""),
        [(name, value) for name, value in _facts(list(sessions.values())).items() if value],
        [_on_device(run, lanes, found) for run in runs],
        [trace for run in sessions.values() for trace in _traces(run, len(sessions) > 1)],
    )


def _on_device(run: RunSummary, lanes: Sequence[str], found: Index) -> OnDevice:
    masks = [] if run.reference or run.live else [(lane, overview.lane_verdict(run, lane, found)) for lane in lanes]
    timed, shown = run.latency, run.live
    times = (timed.p50, timed.p90, timed.fps) if timed else (shown.p50, shown.p90, shown.presented_fps) if shown else ()
    p50, p90, fps = times or (None, None, None)
    cells = [figures.milliseconds(p50), figures.milliseconds(p90), figures.rate(fps)]
    return OnDevice(run, masks, cells, run.error or note(run))


def note(run: RunSummary) -> str:
    """What is to be known of a run before its figures are read: that it ran on the CPU instead of what was asked for,
    and why its times are not to be trusted. Empty where there is nothing of the kind."""
    times = run.latency.note if run.latency else run.live.note if run.live else ""
    return "; ".join(filter(None, [_fallback(run), times]))


def _fallback(run: RunSummary) -> str:
    told = run.facts.get("runtime") or {}
    asked, found = (told.get(part) or {} for part in ("requested", "actual"))
    if found.get("fell_back") is not True:
        return ""
    used, missed = (str(part.get("delegate", "another")).upper() for part in (found, asked))
    return f"ran on the {used} instead of the {missed}"


def _device(run: RunSummary) -> dict[str, Any]:
    return run.facts.get("device") or {}


def _moments(run: RunSummary) -> list[dict[str, Any]]:
    """What was told before, during and after, in the order of time."""
    return [dict(moment) for _, moment in conditions.moments(run.facts)] if run.facts.get("conditions") else []


# --- in words ------------------------------------------------------------------------------------


def _facts(runs: Sequence[RunSummary]) -> dict[str, str]:
    device = _device(runs[0])
    moments = [moment for run in runs for moment in _moments(run)]
    waits = [wait for run in runs if (wait := (run.facts.get("protocol") or {}).get("thermal_wait"))]
    return {
        "system": str(device.get("os") or ""),
        "processor": f"{device.get('cpu')}, {device.get('arch')}, {device.get('cores')} cores" if device else "",
        "thermal state": _course([moment.get("thermal") for moment in moments], STATES),
        "thermal wait": "; ".join(map(_wait, waits)),
        "battery": _battery([moment["power"] for moment in moments if isinstance(moment.get("power"), dict)]),
        "low power mode": _ever(moments, "low_power_mode"),
        "memory pressure": _course([m.get("memory_pressure") for m in moments], ("normal", "warning", "critical")),
        "least memory left": _least([moment.get("available_memory_bytes") for moment in moments]),
        "quality of service": ", ".join(
            dict.fromkeys(str(m["qos"]).replace("_", " ") for m in moments if m.get("qos"))
        ),
        "in front": _ever(moments, "foreground"),
        "debugger": _ever(moments, "debugger"),
    }


def _course(told: Sequence[Any], order: Sequence[str]) -> str:
    """``nominal to fair, at worst serious``; states that are none of the known come as they are."""
    states = [str(state) for state in told if state]
    if not states:
        return ""
    known = [state for state in states if state in order]
    worst = max(known, key=order.index, default=states[-1])
    course = states[0] if states[0] == states[-1] else f"{states[0]} to {states[-1]}"
    return course if worst in (states[0], states[-1]) else f"{course}, at worst {worst}"


def _wait(wait: dict[str, Any]) -> str:
    return f"{wait['waited_s']:.3g} s of at most {wait['limit_s']:.3g} s, until {wait['reached']}"


def _battery(told: Sequence[dict[str, Any]]) -> str:
    levels = [power["battery_percent"] for power in told if power.get("battery_percent") is not None]
    plugged = {power["plugged"] for power in told if isinstance(power.get("plugged"), bool)}
    level = "" if not levels else f"{levels[0]} %" if levels[0] == levels[-1] else f"{levels[0]} % to {levels[-1]} %"
    source = {(True,): "plugged in", (False,): "not plugged in"}.get(
        tuple(plugged), "plugged in for a part" if plugged else ""
    )
    return ", ".join(filter(None, [level, source]))


def _ever(moments: Sequence[dict[str, Any]], name: str) -> str:
    """``yes``, ``no``, or at how many of the moments."""
    told = [moment[name] for moment in moments if isinstance(moment.get(name), bool)]
    if not told:
        return ""
    return "yes" if all(told) else "no" if not any(told) else f"at {sum(told)} of {len(told)} moments"


def _least(told: Sequence[Any]) -> str:
    known = [value for value in told if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return f"{figures.megabytes(min(known))} MB" if known else ""


# --- curves --------------------------------------------------------------------------------------


def _traces(run: RunSummary, named: bool) -> list[plots.Trace]:
    """Thermal state and battery over the blocks of a run, where two or more of them tell."""
    moments = [moment for when, moment in conditions.moments(run.facts) if when == "during"] if _moments(run) else []
    states = [(k, m, STATES.index(m["thermal"])) for k, m in enumerate(moments) if m.get("thermal") in STATES]
    levels = [(k, m, m["power"]["battery_percent"]) for k, m in enumerate(moments) if _has_level(m)]
    of = f", {run.label}" if named else ""
    made = []
    if len(states) > 1:
        ticks = [plots.Tick(100 * (k + 0.5) / len(STATES), state) for k, state in enumerate(STATES)]
        summary = f"{_course([m['thermal'] for _, m, _ in states], STATES)} over {len(states)} blocks"
        places = [100 * (state + 0.5) / len(STATES) for _, _, state in states]
        made.append(_trace(f"Thermal state{of}", summary, states, places, ticks))
    if len(levels) > 1:
        ticks = [plots.Tick(share, f"{share} %") for share in (0, 50, 100)]
        summary = f"{levels[0][2]} % to {levels[-1][2]} % over {len(levels)} blocks"
        made.append(_trace(f"Battery{of}", summary, levels, [float(level) for _, _, level in levels], ticks))
    return made


def _has_level(moment: Any) -> bool:
    power = moment.get("power")
    return isinstance(power, dict) and isinstance(power.get("battery_percent"), (int, float))


def _trace(
    label: str, summary: str, told: Sequence[tuple[int, Any, float]], places: Sequence[float], ticks: list[plots.Tick]
) -> plots.Trace:
    timed = all(isinstance(moment.get("at_ns"), int) for _, moment, _ in told)
    x = np.array([moment["at_ns"] / 1e9 if timed else float(k + 1) for k, moment, _ in told])
    unit = "seconds" if timed else "blocks"
    return plots.trace(label, f"{label}: {summary}", x - x[0] if timed else x, np.array(places), ticks, unit)
