# SPDX-License-Identifier: Apache-2.0
"""How runtimes are timed: profiles, how much of one is left, and when times have settled.

Knows no models, no processes and no statistics beyond a median; :mod:`harness.timing` does what this plans.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BLOCK_SECONDS = 0.05
"""Length of a block. Short, so that the two blocks of a pair see the same machine: measured with a runtime beside
itself, blocks of 0.05, 0.1, 0.2 and 0.4 s gave intervals of ±0.6, ±0.9, ±1.0 and ±1.1 % in the same time."""
BLOCK_FRAMES = 4
"""Frames of a block at least, so that its median does not hang on the first, which finds the caches cold."""

_CAP = 10.0  # a steady phase that takes this many times its planned duration is given up
_WINDOW_SECONDS = 0.1  # frames of about this long are one window of the warm-up
_SETTLED_WINDOWS = 3  # the warm-up ends when so many windows …
_SETTLED = 0.02  # … are no faster than the best one before by more than this share
_WARMUP_CAP = 3.0  # seconds; then the steady phase begins all the same, and the bundle says so
_MOST_FRAMES = 4096


@dataclass(frozen=True)
class Profile:
    """The steady phase of a runtime stops when both are reached: ``count`` frames and ``duration`` seconds.

    It is split evenly over ``restarts`` starts of the process, since the layout of a process in memory is a source
    of variance of its own. They are even in number: each order of starting two processes comes as often as the other.
    """

    name: str
    count: int
    duration: float
    restarts: int = 6

    def facts(self) -> dict[str, Any]:
        return {"profile": self.name, "count": self.count, "duration_s": self.duration}

    @property
    def count_per_restart(self) -> int:
        return -(-self.count // self.restarts)

    @property
    def duration_per_restart(self) -> float:
        return self.duration / self.restarts


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("none", 0, 0.0, 0),
        Profile("quick", 64, 6.0),
        Profile("normal", 128, 10.0),
        Profile("submission", 1024, 60.0),
    )
}

Samples = list[dict[str, Any]]


def frames_for(seconds: float, per_frame: float) -> int:
    """Frames of a block of about ``seconds``, at least one."""
    return max(1, min(_MOST_FRAMES, round(seconds / max(per_frame, 1e-6))))


class Quota:
    """What is left of one arm's steady phase in one restart."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self.frames, self.seconds = 0, 0.0

    def add(self, frames: int, seconds: float) -> None:
        self.frames += frames
        self.seconds += seconds

    @property
    def per_frame(self) -> float:
        """Seconds per frame so far."""
        return self.seconds / self.frames

    @property
    def reached(self) -> bool:
        """Whether count and duration are both reached."""
        return self.frames >= self._profile.count_per_restart and self.seconds >= self._profile.duration_per_restart

    @property
    def given_up(self) -> bool:
        """Whether it takes so long that it is stopped short of its count; the run's latency is then INVALID."""
        return self.seconds >= _CAP * max(self._profile.duration_per_restart, 0.1)

    @property
    def share(self) -> float:
        """Done so far, from 0 to 1."""
        profile = self._profile
        shares = (self.frames / profile.count_per_restart, self.seconds / max(profile.duration_per_restart, 1e-9))
        return min(1.0, *shares)


def block_frames(quota: Quota) -> int:
    """Frames of the next steady block."""
    if not quota.frames:
        return BLOCK_FRAMES
    return max(BLOCK_FRAMES, frames_for(BLOCK_SECONDS, quota.per_frame))


class Warmup:
    """Decides when times have settled: the medians of the last windows are no longer below what came before.

    Caches fill, branch predictors learn, a governor raises the clock: all make later frames faster, so the warm-up
    ends when a few windows together are not faster than the best before them.
    """

    def __init__(self) -> None:
        self.frames, self.seconds = 0, 0.0
        self._medians: list[float] = []

    @property
    def next_frames(self) -> int:
        """Frames of the next window."""
        return 2 if not self.frames else frames_for(_WINDOW_SECONDS, self.seconds / self.frames)

    def add(self, times: Sequence[float]) -> None:
        """Take in a window's times, in seconds."""
        self.frames += len(times)
        self.seconds += sum(times)
        self._medians.append(statistics.median(times))

    @property
    def settled(self) -> bool:
        earlier, last = self._medians[:-_SETTLED_WINDOWS], self._medians[-_SETTLED_WINDOWS:]
        return bool(earlier) and min(last) >= min(earlier) * (1 - _SETTLED)

    @property
    def over(self) -> bool:
        """Whether the steady phase begins: the times have settled, or waiting longer is no use."""
        return self.settled or self.seconds >= _WARMUP_CAP
