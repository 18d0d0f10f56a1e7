# SPDX-License-Identifier: Apache-2.0
"""What a machine was like while a run was timed, by its ``run.json``. Knows facts only: no clocks, no verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def why_untimed(facts: Mapping[str, Any]) -> str:
    """Why the times of a run mean nothing, however they came out; empty where nothing speaks against them.

    What was drawn is valid all the same: an emulated processor, a Debug build and a debugger change no mask.
    """
    if emulated(facts):
        return "a simulator" if facts["device"]["kind"] == "simulator" else "an emulated processor"
    if str(facts["build"].get("configuration")).lower() == "debug":
        return "a Debug build: build it as Release"
    if any(moment.get("debugger") is True for _, moment in moments(facts)):
        return "a debugger was attached: run it without"
    return ""


def emulated(facts: Mapping[str, Any]) -> bool:
    """Whether the processor was emulated; a simulator's is, even if it does not say so."""
    return bool(facts["device"]["emulated"]) or facts["device"]["kind"] == "simulator"


MACHINE = ("kind", "model", "cpu", "arch", "cores")
"""Keys of ``device`` that tell one machine from another."""


def machine(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    """What is the same in two runs on one machine."""
    device = facts.get("device") or {}
    return tuple(device.get(part) for part in MACHINE)


def moments(facts: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """When (``before``, ``during``, ``after``) and what was told then, in the order of time; where nothing was told,
    nothing."""
    told = facts["conditions"]
    for when in ("before", "during", "after"):
        each = told.get(when)
        for moment in each if isinstance(each, list) else [each]:
            if isinstance(moment, Mapping) and moment:
                yield when, moment
