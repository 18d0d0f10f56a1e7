# SPDX-License-Identifier: Apache-2.0
"""Where each run was made, in words: model, runtime, machine, protocol. Knows the facts of ``run.json`` only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.comparison import Comparison, RunSummary
from harness.conditions import moments
from harness.report import figures


def table(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Name of each fact and its value in each run; a single value where all runs share it."""
    facts = [_facts(run) for run in comparison.runs]
    rows = [(name, [each[name] for each in facts]) for name in facts[0]]
    return [(name, values[:1] if len(set(values)) == 1 else values) for name, values in rows if any(values)]


def _facts(run: RunSummary) -> dict[str, str]:
    facts = run.facts
    model, runtime, device, protocol, tool = (
        facts.get(part) or {} for part in ("model", "runtime", "device", "protocol", "tool")
    )
    return {
        "model": _join(model.get("name"), model.get("variant"), model.get("format")),
        "model sha256": model.get("sha256") or "",
        "model size": _unit(figures.megabytes(model.get("bytes")), "MB"),
        "operators": str(model.get("ops") or ""),
        "runtime": _join(runtime.get("name"), runtime.get("version")),
        "requested": in_words(runtime.get("requested")),
        "actual": in_words(runtime.get("actual")),
        "device": _join(device.get("kind"), device.get("model"), "emulated" if device.get("emulated") else None),
        "processor": _join(device.get("cpu"), device.get("arch"), _unit(str(device.get("cores") or ""), "cores")),
        "system": device.get("os") or "",
        "build": in_words(facts.get("build")),
        "protocol": in_words({key: value for key, value in protocol.items() if key != "timer"}),
        "timer": in_words(protocol.get("timer")),
        "started": facts.get("started_at") or "",
        "session": (facts.get("session") or {}).get("id") or "",
        "recorded with": _join(
            f"{tool.get('name', '')} {tool.get('version', '')}".strip(),
            _unit("commit", str(tool.get("commit") or "")[:12]) if tool.get("commit") else None,
            "with changes" if tool.get("dirty") else None,
        ),
        "bundles": ", ".join(run.bundles.values()),
    }


_NAMES = {
    "load": "load, 1 5 15 min",
    "frequency_mhz": "MHz",
    "temperature_c": "°C",
    "other_processes": "processors kept busy by others",
}


@dataclass(frozen=True)
class Conditions:
    """What the machine was busy with while the runs of one session were timed.

    Attributes:
        runs: their labels.
        columns: names of what the platform told.
        rows: when, and the figures by column.
    """

    runs: list[str]
    columns: list[str]
    rows: list[tuple[str, list[str]]]


def conditions(comparison: Comparison) -> list[Conditions]:
    """One table for each session that tells of its conditions; its runs took turns and shared them."""
    sessions: dict[str, list[RunSummary]] = {}
    for run in comparison.runs:
        if run.facts.get("conditions"):
            sessions.setdefault((run.facts.get("session") or {}).get("id") or run.label, []).append(run)
    tables = (_conditions(runs) for runs in sessions.values())
    return [table for table in tables if table.rows]


def _conditions(runs: list[RunSummary]) -> Conditions:
    # A run that broke off tells less than those that were timed to the end.
    told = max((run.facts["conditions"] for run in runs), key=lambda each: len(each.get("during") or []))
    of_list = isinstance(told.get("during"), list)
    rows: list[tuple[str, Any]] = []
    starts = 0
    of_blocks = of_list and any("block" in moment for when, moment in moments({"conditions": told}) if when == "during")
    for when, moment in moments({"conditions": told}):
        starts += when == "during"
        start = moment.get("restart", 0) + 1 if of_blocks else starts
        rows.append((_place(moment, start) if when == "during" and of_list else when, moment))
    keys = list(dict.fromkeys(key for _, moment in rows for key in moment if key not in ("restart", "block", "at_ns")))
    return Conditions(
        [run.label for run in runs],
        [_NAMES.get(key, key.replace("_", " ")) for key in keys],
        [(when, [in_words(moment.get(key)) for key in keys]) for when, moment in rows],
    )


def _place(moment: Mapping[str, Any], start: int) -> str:
    return f"start {start}" + (f", block {moment['block'] + 1}" if "block" in moment else "")


def in_words(value: Any) -> str:
    """Nested facts in one line: ``threads 2, delegate xnnpack``; inner tables are set off by semicolons."""
    if isinstance(value, dict):
        shown = {str(key).replace("_", " "): inner for key, inner in value.items() if inner not in (None, "", {}, [])}
        nested = any(isinstance(inner, dict) for inner in shown.values())
        parts = [f"{key}{':' * isinstance(inner, dict)} {in_words(inner)}" for key, inner in shown.items()]
        return ("; " if nested else ", ").join(parts)
    if isinstance(value, (list, tuple)):
        return " ".join(map(in_words, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else "" if value is None else str(value)


def _join(*parts: Any) -> str:
    return ", ".join(str(part) for part in parts if part not in (None, ""))


def _unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if text and text != figures.NONE else ""
