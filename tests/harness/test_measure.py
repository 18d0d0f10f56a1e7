# SPDX-License-Identifier: Apache-2.0
"""How much of a profile is left, and when times have settled."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness import measure
from harness.measure import Profile, Quota, Warmup


def test_the_profiles() -> None:
    assert {name: (p.count, p.duration) for name, p in measure.PROFILES.items()} == {
        "none": (0, 0.0),
        "quick": (64, 6.0),
        "normal": (128, 10.0),
        "submission": (1024, 60.0),
    }
    assert measure.PROFILES["quick"].facts() == {"profile": "quick", "count": 64, "duration_s": 6.0}
    assert all(p.restarts >= 3 for p in measure.PROFILES.values() if p.count)


profiles = st.builds(Profile, st.just("p"), st.integers(1, 500), st.floats(0.5, 60), st.integers(1, 7))


@given(profiles, st.floats(1e-4, 0.3))
def test_count_and_duration_are_both_reached_over_all_restarts_unless_given_up(
    profile: Profile, per_frame: float
) -> None:
    frames, seconds, given_up = 0, 0.0, False
    for _ in range(profile.restarts):
        quota = Quota(profile)
        while not (quota.reached or quota.given_up):
            block = measure.block_frames(quota)
            quota.add(block, block * per_frame)
        frames, seconds, given_up = frames + quota.frames, seconds + quota.seconds, given_up or quota.given_up
        assert quota.given_up or quota.share == 1.0

    assert given_up or (frames >= profile.count and seconds >= profile.duration - 1e-6)


def test_a_slow_runtime_is_given_up_at_ten_times_the_planned_duration() -> None:
    quota = Quota(Profile("p", 64, 5.0, 5))

    quota.add(3, 9.9)
    assert not quota.given_up
    quota.add(1, 0.2)
    assert quota.given_up
    assert not quota.reached


@given(st.floats(1e-5, 2.0))
def test_a_block_is_about_as_long_as_asked_and_has_a_frame(per_frame: float) -> None:
    frames = measure.frames_for(measure.BLOCK_SECONDS, per_frame)

    assert 1 <= frames <= 4096
    assert frames in (1, 4096) or abs(frames * per_frame - measure.BLOCK_SECONDS) <= per_frame


def warm_up(time_of_frame: list[float]) -> Warmup:
    """A warm-up over frames of these times; the last one goes on for ever."""
    warmup, number = Warmup(), 0
    while not warmup.over:
        times = [time_of_frame[min(number + i, len(time_of_frame) - 1)] for i in range(warmup.next_frames)]
        warmup.add(times)
        number += len(times)
    return warmup


@given(st.floats(1e-4, 0.05))
def test_even_times_settle_at_once(per_frame: float) -> None:
    warmup = warm_up([per_frame])

    assert warmup.settled
    assert warmup.seconds <= 4 * (0.1 + per_frame) + 2 * per_frame


@given(st.floats(1.4, 3.0), st.integers(20, 150))
def test_falling_times_are_waited_for(factor: float, falling: int) -> None:
    """Frames get steadily faster, as with a processor whose clock is rising, then stay."""
    times = [0.01 * factor ** (1 - i / falling) for i in range(falling)]
    assume(sum(times) < 2.0)

    warmup = warm_up([*times, 0.01])

    assert warmup.settled
    reached = times[warmup.frames] if warmup.frames < falling else 0.01
    assert reached <= 0.0105


def test_times_that_never_settle_end_after_three_seconds_and_say_so() -> None:
    warmup = warm_up([0.02 * 0.995**i for i in range(2000)])

    assert not warmup.settled
    assert 3.0 <= warmup.seconds < 3.2


@pytest.mark.parametrize("profile", [p for p in measure.PROFILES.values() if p.count], ids=lambda p: p.name)
def test_a_restart_holds_several_blocks_of_each_runtime(profile: Profile) -> None:
    assert profile.duration_per_restart / measure.BLOCK_SECONDS >= 4
