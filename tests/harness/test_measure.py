# SPDX-License-Identifier: Apache-2.0
"""When the steady phase has lasted long enough: count and duration, or the cap. A clock of the tests' own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import measure
from harness.measure import Profile


class Clock:
    """A clock that moves only when frames are timed."""

    def __init__(self, seconds_per_frame: float) -> None:
        self.now = 1000.0
        self.per_frame = seconds_per_frame
        self.calls: list[tuple[int, int]] = []

    def time_block(self, frames: int, first: int) -> measure.Samples:
        self.calls.append((frames, first))
        self.now += frames * self.per_frame
        return [{"seq": first + i} for i in range(frames)]

    def run(self, profile: Profile, done: int = 0) -> list[int]:
        """Numbers of all frames that were timed."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(measure.time, "monotonic", lambda: self.now)
            return [s["seq"] for block in measure.steady_blocks(profile, self.time_block, done) for s in block]


def test_the_profiles() -> None:
    assert {name: (p.count, p.duration) for name, p in measure.PROFILES.items()} == {
        "none": (0, 0.0),
        "quick": (64, 6.0),
        "normal": (128, 10.0),
        "submission": (1024, 60.0),
    }
    assert measure.PROFILES["quick"].facts() == {"profile": "quick", "count": 64, "duration_s": 6.0}


@given(st.floats(1e-4, 0.5), st.sampled_from([Profile("a", 64, 6.0), Profile("b", 10, 20.0), Profile("c", 500, 1.0)]))
def test_the_steady_phase_reaches_count_and_duration_and_ends_soon_after(per_frame: float, profile: Profile) -> None:
    clock = Clock(per_frame)

    frames = clock.run(profile)

    capped = (clock.now - 1000.0) >= 10 * profile.duration
    assert frames == list(range(len(frames)))
    assert capped or (len(frames) >= profile.count and clock.now - 1000.0 >= profile.duration)
    # Without the last block one of the two was not reached.
    before = len(frames) - clock.calls[-1][0]
    assert before < profile.count or before * per_frame < profile.duration


def test_a_slow_runtime_is_given_up_at_ten_times_the_planned_duration() -> None:
    clock = Clock(seconds_per_frame=3.0)

    frames = clock.run(Profile("quick", 64, 6.0))

    assert 60.0 <= clock.now - 1000.0 <= 60.0 + 4 * 3.0
    assert len(frames) < 64


@given(st.floats(1e-5, 2.0))
def test_blocks_are_about_half_a_second_long(per_frame: float) -> None:
    clock = Clock(per_frame)

    clock.run(Profile("normal", 128, 10.0))

    after_the_first = [frames for frames, _ in clock.calls[1:]]
    assert all(frames == 1 or frames * per_frame <= 0.5 + per_frame for frames in after_the_first)
    assert all(1 <= frames <= 1024 for frames in after_the_first)


def test_a_resumed_phase_counts_the_frames_it_left_behind() -> None:
    clock = Clock(seconds_per_frame=0.1)

    frames = clock.run(Profile("x", 64, 0.5), done=60)

    assert frames[0] == 60
    assert 64 <= 60 + len(frames) < 75
