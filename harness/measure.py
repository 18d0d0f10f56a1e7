# SPDX-License-Identifier: Apache-2.0
"""How a runtime is timed: profiles, and when the steady phase has lasted long enough. Knows no models."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_CAP = 10.0  # a steady phase that takes this many times its planned duration is given up
_BLOCK_SECONDS = 0.5  # length of one block: short enough for progress and for a prompt Ctrl-C


@dataclass(frozen=True)
class Profile:
    """The steady phase stops when both are reached: ``count`` frames and ``duration`` seconds."""

    name: str
    count: int
    duration: float

    def facts(self) -> dict[str, Any]:
        return {"profile": self.name, "count": self.count, "duration_s": self.duration}


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("none", 0, 0.0),
        Profile("quick", 64, 6.0),
        Profile("normal", 128, 10.0),
        Profile("submission", 1024, 60.0),
    )
}

Samples = list[dict[str, Any]]


def steady_blocks(profile: Profile, time_block: Callable[[int, int], Samples], done: int = 0) -> Iterator[Samples]:
    """Blocks of timed frames until the profile is satisfied or its cap is reached.

    Args:
        profile: what to reach.
        time_block: times that many frames, counting from a frame number; returns their samples.
        done: steady frames that an interrupted run has left behind.

    Yields:
        The samples of each block, in time order.
    """
    start = time.monotonic()
    count, frames = done, 4
    while True:
        began = time.monotonic()
        samples = time_block(frames, count)
        yield samples
        count += len(samples)
        elapsed = time.monotonic() - start
        if (count >= profile.count and elapsed >= profile.duration) or elapsed >= _CAP * max(profile.duration, 1.0):
            return
        per_frame = (time.monotonic() - began) / len(samples)
        frames = max(1, min(1024, round(_BLOCK_SECONDS / max(per_frame, 1e-6))))
