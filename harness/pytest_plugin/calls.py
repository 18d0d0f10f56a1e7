# SPDX-License-Identifier: Apache-2.0
"""Single durations into pytest-benchmark: calls of a function in this process, and frames that were timed elsewhere.

Both use its fixture's pedantic mode with one iteration per round, so that every figure of its table and every
percentile is of single calls, and never of means of several.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness import measure

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

_SHARE = 0.1  # of a profile's duration: nothing is restarted, and no partner takes turns
_LEAST = 11  # calls of a function that is slow: the fewest that a median may be printed for


class RecordedClock:
    """A timer for pytest-benchmark that stands still but for durations that are given to it, in seconds."""

    __name__ = "recorded_frames"  # what pytest-benchmark's data call the timer

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def present(benchmark: BenchmarkFixture, clock: RecordedClock, seconds: Sequence[float]) -> None:
    """Give pytest-benchmark durations that were recorded elsewhere, one round each, unchanged to the last bit.

    Args:
        clock: the timer that this fixture was made with.
    """
    recorded = iter(seconds)

    def begin() -> None:
        clock.now = 0.0

    def frame() -> None:
        clock.now = next(recorded, 0.0)

    benchmark.pedantic(frame, setup=begin, rounds=len(seconds), iterations=1)


def time_calls(
    benchmark: BenchmarkFixture,
    profile: str,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    """Time a function call by call, after its times have settled and with the garbage collector at rest.

    Args:
        profile: name of one of :data:`harness.measure.PROFILES`. Its count is reached and a tenth of its duration, but
            its duration is not exceeded for the sake of the count.

    Returns:
        What the last call returned.
    """
    warmup = measure.Warmup()
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        while not warmup.over:
            warmup.add([_seconds(function, args, kwargs) for _ in range(warmup.next_frames)])
        asked = measure.PROFILES[profile]
        per_call = warmup.seconds / warmup.frames
        rounds = max(asked.count, measure.frames_for(asked.duration * _SHARE, per_call))
        rounds = min(rounds, max(_LEAST, measure.frames_for(asked.duration, per_call)))
        return benchmark.pedantic(function, args=tuple(args), kwargs=dict(kwargs), rounds=rounds, iterations=1)
    finally:
        if enabled:
            gc.enable()


def _seconds(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> float:
    start = time.perf_counter()
    function(*args, **kwargs)
    return time.perf_counter() - start
