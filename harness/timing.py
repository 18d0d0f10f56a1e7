# SPDX-License-Identifier: Apache-2.0
"""Timing runtimes beside each other: their workers live at the same time, are pinned alike, and take turns.

What is measured of each, in a few starts of its process: cold start (process to first mask), load, first
inference, warm-up, the steady phase in mirrored blocks; where asked for, paced at a camera's rate and sustained
for minutes. Everything goes into the bundles as raw samples; nothing here averages or judges.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from harness import device, measure
from harness.bundle import BundleWriter
from harness.measure import Profile, Quota, Warmup
from harness.supervisor import Supervisor, WorkerFailure

_SUSTAINED_BLOCK = 1.0  # seconds


@dataclass(frozen=True)
class Plan:
    """What is timed.

    Attributes:
        frame: id and path of the picture that every frame is of, so that times differ by noise alone.
        paced: rates in frames per second, each held for ``paced_seconds``.
        sustained: seconds that the last start goes on without a pause.
        cpus: processors that the workers run on; empty leaves it to the system.
    """

    profile: Profile
    frame: tuple[str, str]
    paced: tuple[float, ...] = ()
    paced_seconds: float = 4.0
    sustained: float = 0.0
    cpus: tuple[int, ...] = ()


@dataclass
class Arm:
    """One runtime that is timed.

    Attributes:
        start: a new worker process; leaving the context ends it.
        activate: loads the model in a worker; returns the worker's reply.
        writer: the bundle that the samples go to.
        failure: what became of it, once it has failed; it is timed no more, and the others go on.
    """

    label: str
    start: Callable[[], AbstractContextManager[Supervisor]]
    activate: Callable[[Supervisor], dict[str, Any]]
    writer: BundleWriter
    failure: WorkerFailure | None = None
    _worker: Supervisor | None = field(default=None, repr=False)
    _restart: int = 0

    @property
    def pid(self) -> int:
        assert self._worker is not None
        return self._worker.pid

    def time(self, plan: Plan, phase: str, block: int, frames: int) -> measure.Samples:
        """Time some frames and keep their samples."""
        assert self._worker is not None
        samples = self._worker.request("time", cases=[plan.frame], frames=frames, first=0)["samples"]
        self.keep(phase, block, samples)
        return samples

    def keep(self, phase: str, block: int, samples: measure.Samples) -> None:
        self.writer.add_samples({"phase": phase, "restart": self._restart, "block": block, **row} for row in samples)

    def begin(self, plan: Plan, restart: int, turn: int, stack: ExitStack) -> None:
        """Start the process, as the ``turn``-th of this restart; load the model, draw the first mask."""
        self._restart = restart
        began = time.perf_counter_ns()
        self._worker = stack.enter_context(self.start())
        if plan.cpus and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self._worker.pid, plan.cpus)
        loaded = self.activate(self._worker)["load_ns"]
        first = self.time(plan, "cold", 0, 1)[0]["total_ns"]
        started = {
            "restart": restart,
            "turn": turn,
            "cold_start_ns": time.perf_counter_ns() - began,
            "load_ns": loaded,
            "first_inference_ns": first,
        }
        timing = self.writer.facts["timing"]
        timing.setdefault("first_inference_ns", first)
        timing.setdefault("starts", []).append(started)

    def warm_up(self, plan: Plan) -> None:
        warmup, block = Warmup(), 0
        while not warmup.over:
            warmup.add(_seconds(self.time(plan, "warm", block, warmup.next_frames)))
            block += 1
        protocol = self.writer.facts["protocol"]
        protocol["warmup"] += warmup.frames
        protocol["settled"] = protocol.get("settled", True) and warmup.settled

    def pace(self, plan: Plan, block: int, fps: float) -> None:
        assert self._worker is not None
        asked = {"cases": [plan.frame], "fps": fps, "seconds": plan.paced_seconds}
        self.keep("paced", block, self._worker.request("pace", **asked)["samples"])


def time_arms(arms: Sequence[Arm], plan: Plan, progress: Callable[[str, str, float, float], None]) -> None:
    """Time every arm; what becomes of each is in its bundle, and in ``failure`` where it failed."""
    facts = [arm.writer.facts for arm in arms]
    # The starts of one number are those that ran beside each other, in resumed sessions too.
    first = max(f["protocol"]["restarts"] for f in facts)
    for f in facts:
        f["conditions"].setdefault("before", device.conditions())
        f["conditions"].setdefault("during", [])
        f["protocol"].update(frame=plan.frame[0], cpus=list(plan.cpus), block_s=measure.BLOCK_SECONDS)
    for number in range(plan.profile.restarts):
        last = number == plan.profile.restarts - 1
        for arm in _alive(arms):
            arm.writer.facts["protocol"]["restarts"] = first + number + 1
        with ExitStack() as stack:
            _restart(arms, plan, first + number, stack, _progress(progress, plan.profile, number))
            if last:
                _paced_and_sustained(arms, plan, progress)
    for arm in _alive(arms):
        arm.writer.facts["conditions"]["after"] = device.conditions()


def _restart(
    arms: Sequence[Arm], plan: Plan, restart: int, stack: ExitStack, progress: Callable[[float], None]
) -> None:
    """One start of every arm's process: cold, warm, and the steady blocks in mirrored rounds."""
    # Of two equal processes the one that is started later can be faster by more than 1 %: each is so in its turn.
    for turn, arm in enumerate(_alive(arms)[:: -1 if restart % 2 else 1]):
        with _failing(arm):
            arm.begin(plan, restart, turn, stack)
    for arm in _alive(arms):
        with _failing(arm):
            arm.warm_up(plan)
    others = device.OtherProcesses([arm.pid for arm in _alive(arms)])
    quotas = {id(arm): Quota(plan.profile) for arm in arms}
    block = 0
    while pending := [arm for arm in _alive(arms) if not _done(quotas[id(arm)])]:
        # Arms that have enough go on while others need more: a pair needs a partner at its side.
        alive = _alive(arms)
        for half, order in enumerate((alive, alive[::-1])):
            for arm in order:
                if arm.failure is None:
                    with _failing(arm):
                        _steady_block(arm, plan, block + half, quotas[id(arm)])
        block += 2
        progress(min((quotas[id(arm)].share for arm in pending), default=1.0))
    told = {"restart": restart, **device.conditions(), "other_processes": others.share()}
    for arm in _alive(arms):
        arm.writer.facts["conditions"]["during"].append(told)
        arm.writer.save()


def _steady_block(arm: Arm, plan: Plan, block: int, quota: Quota) -> None:
    times = _seconds(arm.time(plan, "steady", block, measure.block_frames(quota)))
    quota.add(len(times), sum(times))


def _paced_and_sustained(arms: Sequence[Arm], plan: Plan, progress: Callable[[str, str, float, float], None]) -> None:
    for arm in _alive(arms):
        with _failing(arm):
            for block, fps in enumerate(plan.paced):
                progress(arm.label, f"paced at {fps:g} FPS", block, len(plan.paced))
                arm.pace(plan, block, fps)
            began = time.monotonic()
            block, per_frame = 0, 0.01
            while (elapsed := time.monotonic() - began) < plan.sustained:
                progress(arm.label, "sustained", elapsed, plan.sustained)
                times = _seconds(arm.time(plan, "sustained", block, measure.frames_for(_SUSTAINED_BLOCK, per_frame)))
                per_frame, block = sum(times) / len(times), block + 1


def _done(quota: Quota) -> bool:
    return quota.reached or quota.given_up


def _alive(arms: Sequence[Arm]) -> list[Arm]:
    return [arm for arm in arms if arm.failure is None]


@contextmanager
def _failing(arm: Arm) -> Iterator[None]:
    """Whatever becomes of an arm's worker in this block is that arm's failure, and nobody else's."""
    try:
        yield
    except WorkerFailure as failure:
        arm.failure = failure


def _seconds(samples: measure.Samples) -> list[float]:
    return [row["total_ns"] / 1e9 for row in samples]


def _progress(
    progress: Callable[[str, str, float, float], None], profile: Profile, number: int
) -> Callable[[float], None]:
    def report(share: float) -> None:
        progress("all", f"timing, start {number + 1} of {profile.restarts}", number + share, profile.restarts)

    return report


def processors(threads: int) -> tuple[int, ...]:
    """Which processors the workers are pinned to: as many as they have threads, the last ones, since systems put
    their own work on the first; none where the platform cannot pin or there are too few."""
    if not hasattr(os, "sched_getaffinity"):
        return ()
    allowed = sorted(os.sched_getaffinity(0))
    return tuple(allowed[-threads:]) if threads < len(allowed) else ()
