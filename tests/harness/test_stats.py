# SPDX-License-Identifier: Apache-2.0
"""What may be said of samples: percentiles, how much slower one side is and how sure that is, drift, outliers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import binom, norm, t

from harness import stats
from tests import scripts

times = st.floats(1e6, 3e6)
restarts_of_pairs = st.lists(
    st.integers(1, 12).flatmap(lambda n: arrays.arrays(np.float64, (n, 2), elements=times)), min_size=2, max_size=5
)


def made_up(ratio: float = 1.0, *, restarts: int = 3, pairs: int = 10, sd: float = 0.01, seed: int = 0) -> list[Any]:
    """Restarts of block times (A, B) in microseconds, with independent noise."""
    noise = np.random.default_rng(seed).normal(0, sd, (restarts, pairs, 2))
    return list(1e3 * np.exp(noise) * [1.0, ratio])


def effect(restarts: list[Any], **options: Any) -> stats.Effect:
    found = stats.effect(restarts, **{"resamples": 100, **options})
    assert found is not None
    return found


def log_interval(found: stats.Effect) -> np.ndarray:
    return np.log([found.low, found.estimate, found.high])


@pytest.mark.parametrize(("p", "n"), [(0.5, 11), (0.9, 64), (0.99, 662)])
def test_the_smallest_sample_of_the_usual_percentiles(p: float, n: int) -> None:
    assert stats.smallest_n(p) == n


@given(st.floats(0.02, 0.995))
def test_at_least_two_samples_lie_above_the_percentile_with_99_percent_confidence(p: float) -> None:
    n = stats.smallest_n(p)

    # P[at most one above] in closed form, and one sample fewer would not do.
    def at_most_one(count: int) -> float:
        return p**count + count * (1 - p) * p ** (count - 1)

    assert at_most_one(n) <= 0.01 + 1e-12
    assert n == 2 or at_most_one(n - 1) > 0.01 - 1e-12
    assert at_most_one(n) == pytest.approx(binom.cdf(1, n, 1 - p), abs=1e-12)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, 90.0, math.nan])
def test_a_percentile_is_a_share(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        stats.smallest_n(p)


@pytest.mark.parametrize(("p", "n"), [(0.5, 11), (0.9, 64), (0.99, 662)])
def test_a_percentile_of_too_few_samples_is_none(p: float, n: int) -> None:
    samples = np.random.default_rng(0).permutation(n).astype(float)  # 0 … n-1

    assert stats.percentile(samples[1:], p) is None
    assert stats.percentile(samples, p) == math.ceil(p * n) - 1


@given(st.lists(st.floats(-1e9, 1e9), min_size=64, max_size=200), st.sampled_from([0.5, 0.9]))
def test_a_percentile_is_an_order_statistic(samples: list[float], p: float) -> None:
    value = stats.percentile(np.array(samples), p)

    assert value in samples
    assert sum(s <= value for s in samples) >= p * len(samples)
    assert sum(s < value for s in samples) < p * len(samples)


def test_no_samples_have_no_percentile() -> None:
    assert stats.percentile(np.empty(0), 0.5) is None


# --- the interval of a percentile ----------------------------------------------------------------


@given(st.integers(1, 300), st.floats(0.01, 0.99), st.sampled_from([0.9, 0.95, 0.99]))
def test_a_percentile_lies_between_the_closest_ranks_that_hold_it_with_the_confidence(
    n: int, p: float, confidence: float
) -> None:
    found = stats.percentile_interval(np.random.default_rng(n).permutation(n) + 1.0, p, confidence)  # ranks

    tail = (1 - confidence) / 2
    below = np.cumsum([math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])  # P[at most k below it]
    lows = [rank for rank in range(1, n + 1) if below[rank - 1] <= tail + 1e-9]
    highs = [rank for rank in range(1, n + 1) if 1 - below[rank - 1] <= tail + 1e-9]
    if found is None:
        strictly = [rank for rank in lows if below[rank - 1] <= tail - 1e-9]
        assert not strictly or not [rank for rank in highs if 1 - below[rank - 1] <= tail - 1e-9]
    else:
        low, high = map(int, found)
        assert below[high - 1] - below[low - 1] >= confidence - 1e-9
        assert low in (max(lows), max(lows) - 1) and high in (min(highs), min(highs) + 1)  # a tie may be rounded away


@pytest.mark.parametrize(("p", "n"), [(0.5, 6), (0.9, 36), (0.99, 368)])
def test_too_few_samples_have_no_interval(p: float, n: int) -> None:
    samples = np.arange(n, dtype=float)

    assert stats.percentile_interval(samples, p) is not None
    assert stats.percentile_interval(samples[1:], p) is None
    assert p ** (n - 1) > 0.025 >= p**n  # even the largest sample is too small


@given(st.floats(0.5, 0.99), st.integers(0, 300))
def test_a_percentile_that_is_printed_has_an_interval_about_it(p: float, more: int) -> None:
    samples = np.random.default_rng(more).normal(size=stats.smallest_n(p) + more)

    value, interval = stats.percentile(samples, p), stats.percentile_interval(samples, p)

    assert value is not None and interval is not None
    assert interval[0] <= value <= interval[1]


# --- one against another -------------------------------------------------------------------------


def test_the_estimate_is_the_mean_over_restarts_of_the_median_log_ratio() -> None:
    found = effect([[(1.0, 1.1), (1.0, 1.2), (1.0, 1.3), (1.0, 9.9)], [(2.0, 3.0), (2.0, 3.0)]])

    assert found.estimate == pytest.approx(math.sqrt(math.sqrt(1.2 * 1.3) * 1.5))
    assert (found.restarts, found.pairs) == (2, 6)


def test_without_noise_inside_restarts_the_interval_is_students() -> None:
    found = effect([[(1.0, math.exp(x))] * 4 for x in (0.01, 0.02, 0.06)])

    error = np.std([0.01, 0.02, 0.06], ddof=1) / math.sqrt(3)
    assert log_interval(found) == pytest.approx(0.03 + t.ppf(0.975, 2) * error * np.array([-1, 0, 1]))
    assert found.p_value == pytest.approx(2 * t.sf(0.03 / error, 2))
    assert found.p_slower(0.02) == pytest.approx(t.sf((0.03 - math.log(1.02)) / error, 2))


def test_of_starts_in_turns_the_effect_of_the_order_is_taken_out() -> None:
    """Cross-over: midway between the two orders, and as sure as starts of one order agree."""
    later = [True, False, True, False, True, False]
    by_chance = np.array([0.01, 0.02, 0.04, 0.03, 0.01, 0.07])

    def found(of_the_order: float, **options: Any) -> stats.Effect:
        logs = by_chance - np.where(later, of_the_order, -of_the_order)
        return effect([[(1.0, math.exp(x))] * 4 for x in logs], **options)

    error = math.sqrt((2 * np.var(by_chance[::2], ddof=1) + 2 * np.var(by_chance[1::2], ddof=1)) / 4 / 6)
    for of_the_order in (0.0, 0.1):
        crossed = found(of_the_order, later=later)
        assert crossed.freedom == 4
        assert log_interval(crossed) == pytest.approx(0.03 + t.ppf(0.975, 4) * error * np.array([-1, 0, 1]))
    assert found(0.0, later=[True] * 6) == found(0.0)
    assert found(0.1).high > 1.1 > found(0.1, later=later).high


def test_starts_of_either_order_weigh_the_same_however_many_they_are() -> None:
    logs = [0.00, 0.00, 0.00, 0.02]
    found = effect([[(1.0, math.exp(x))] * 4 for x in logs], later=[True, True, True, False])

    assert math.log(found.estimate) == pytest.approx(0.01)


def test_of_three_starts_the_order_is_not_taken_out() -> None:
    assert effect(made_up(restarts=3), later=[True, False, True]) == effect(made_up(restarts=3))


def test_whether_b_was_later_is_told_of_every_start() -> None:
    with pytest.raises(ValueError, match="of each of the 4 starts"):
        stats.effect(made_up(restarts=4), later=[True, False])


def test_restarts_that_agree_by_luck_promise_no_more_than_their_blocks_hold() -> None:
    found = effect(made_up(1.05, restarts=1, pairs=20) * 3)

    assert found.restart_error == pytest.approx(0, abs=1e-12)
    assert math.log(found.high / found.low) / 2 == pytest.approx(norm.ppf(0.975) * found.block_error)


def test_the_blocks_of_a_restart_know_the_error_of_their_median() -> None:
    errors = [effect(made_up(restarts=2, pairs=20, seed=seed)).block_error for seed in range(100)]

    # A median of n normal log ratios of standard deviation √2 · 1 %, whose own is √(π/2) / √n of that; n = 2 · 20.
    expected = math.sqrt(math.pi / 2) * math.sqrt(2) * 0.01 / math.sqrt(40)
    assert math.sqrt(np.mean(np.square(errors))) == pytest.approx(expected, rel=0.15)


@given(restarts_of_pairs, st.floats(0.01, 100.0), st.floats(0.01, 100.0))
def test_a_unit_of_time_changes_nothing_and_a_slowdown_multiplies_everything(
    restarts: list[np.ndarray], unit: float, slowdown: float
) -> None:
    plain = effect(restarts)

    assert log_interval(effect([x * unit for x in restarts])) == pytest.approx(log_interval(plain), abs=1e-9)
    slower = effect([x * [1.0, slowdown] for x in restarts])
    assert log_interval(slower) == pytest.approx(log_interval(plain) + math.log(slowdown), abs=1e-9)


@given(restarts_of_pairs)
def test_the_other_way_round_estimate_and_interval_are_inverted(restarts: list[np.ndarray]) -> None:
    forward, backward = effect(restarts), effect([x[:, ::-1] for x in restarts])

    assert log_interval(backward) == pytest.approx(-log_interval(forward)[::-1], abs=1e-9)
    assert backward.p_value == pytest.approx(forward.p_value)


@given(restarts_of_pairs, st.floats(-0.5, 2.0), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_p_values_and_interval_say_the_same(restarts: list[np.ndarray], threshold: float, confidence: float) -> None:
    found = effect(restarts, confidence=confidence)

    def agree(p: float, alpha: float, outside: float) -> bool:
        """``outside``: by how much, in logarithms, the interval lies beyond the hypothesis."""
        return abs(outside) < 1e-9 or (p < alpha) == (outside > 0)

    low, estimate, high = log_interval(found)
    assert low <= estimate <= high
    assert agree(found.p_value, 1 - confidence, max(low, -high))
    assert agree(found.p_slower(threshold), (1 - confidence) / 2, low - math.log1p(threshold))
    assert found.p_slower(threshold) >= found.p_slower(threshold - 0.1)
    assert 0 <= found.p_slower(threshold) <= 1 and 0 <= found.p_value <= 1


def test_two_sides_that_are_exactly_alike_differ_by_nothing() -> None:
    found = effect([np.full((4, 2), 7.0)] * 3)

    assert (found.low, found.estimate, found.high) == (1.0, 1.0, 1.0)
    assert found.p_value == 1.0
    assert found.p_slower(0.02) == 1.0
    assert found.smallest_detectable(0.02) == pytest.approx(0.02)


@pytest.mark.parametrize("pairs", [2, 3, 7, 10, 11])
def test_steady_drift_of_any_size_is_no_effect(pairs: int) -> None:
    blocks = np.exp(0.05 * np.arange(2 * pairs)).reshape(pairs, 2)  # 5 % slower with every block
    blocks[1::2] = blocks[1::2, ::-1]  # B A

    found = effect([blocks] * 3)

    assert log_interval(found) == pytest.approx([0, 0, 0], abs=1e-12)


def test_a_few_disturbed_blocks_do_not_move_the_estimate() -> None:
    quiet, disturbed = made_up(1.05, pairs=11), made_up(1.05, pairs=11)
    for pairs, block in zip(disturbed, (2, 5, 8), strict=True):
        pairs[block, 1] *= 20
        pairs[block - 1, 0] *= 10

    assert effect(disturbed).estimate == pytest.approx(effect(quiet).estimate, abs=0.01)


@pytest.mark.parametrize("pairs", [7, 10])
def test_a_disturbed_block_in_each_restart_hardly_widens_the_interval(pairs: int) -> None:
    quiet, disturbed = made_up(pairs=pairs), made_up(pairs=pairs)
    for restart in disturbed:
        restart[4, 1] *= 20

    assert effect(disturbed).high - 1 < 2.5 * (effect(quiet).high - 1)


def test_an_interval_may_have_no_end() -> None:
    found = effect([[(1.0, 1.0)], [(1000.0, 1.0)]], confidence=0.999)

    assert (found.low, found.high) == (0.0, math.inf)
    assert found.smallest_detectable(0.02) == math.inf


def test_the_same_pairs_and_seed_give_the_same_figures() -> None:
    assert stats.effect(made_up(), seed=3) == stats.effect(made_up(), seed=3)


def test_one_restart_says_nothing_of_the_next() -> None:
    assert stats.effect([]) is None
    assert stats.effect(made_up(restarts=1)) is None
    assert stats.effect([*made_up(restarts=1), []]) is None
    assert stats.effect([*made_up(restarts=2), []]) is not None


@pytest.mark.parametrize("pairs", [[(1.0, 0.0)], [(1.0, -1.0)], [(1.0, math.nan)], [(math.inf, 1.0)]])
def test_a_blocks_time_is_positive(pairs: list[tuple[float, float]]) -> None:
    for function in (stats.effect, stats.noise):
        with pytest.raises(ValueError, match="finite number above 0"):
            function([*made_up(), pairs])


@pytest.mark.parametrize("pairs", [[1.0, 2.0], [(1.0, 2.0, 3.0)]])
def test_pairs_are_pairs(pairs: Any) -> None:
    for function in (stats.effect, stats.noise):
        with pytest.raises(ValueError, match=r"shape \(pairs, 2\)"):
            function([*made_up(), pairs])


# --- what the machine alone looks like, and what could be seen -----------------------------------


def test_noise_is_the_effect_of_the_references_own_neighbours() -> None:
    restarts = [np.column_stack([a, np.full(7, 1e6)]) for a in np.random.default_rng(0).normal(100, 1, (3, 7))]

    # A B B A A B B A A B B A A B: the second and third, fourth and fifth, sixth and seventh of A stand together.
    beside = [[(a[1], a[2]), (a[4], a[3]), (a[5], a[6])] for a in (pairs[:, 0] for pairs in restarts)]
    assert stats.noise(restarts) == stats.effect(beside)


def test_noise_knows_nothing_of_b_and_of_drift() -> None:
    found, slower = stats.noise(made_up(pairs=20)), stats.noise(made_up(2.0, pairs=20))
    warming = stats.noise([np.exp(0.05 * np.arange(18)).reshape(9, 2)] * 2)

    assert found is not None and found == slower
    assert found.low < 1 < found.high
    assert warming is not None and warming.estimate == pytest.approx(1.0)


def test_two_pairs_have_no_neighbours() -> None:
    assert stats.noise(made_up(pairs=2)) is None
    assert stats.noise([]) is None
    assert stats.noise(made_up(pairs=3)) is not None


def test_the_smallest_detectable_change_fails_as_often_as_it_says() -> None:
    """By simulation of Student's interval itself, whose spread is known here."""
    random = np.random.default_rng(1)
    for restarts, power in itertools.product((2, 3, 5, 8), (0.8, 0.95)):
        df, error = restarts - 1, 0.01
        known = error * math.sqrt(float(np.median(random.chisquare(df, 100_000))) / df)
        found = stats.Effect(1.0, 0.99, 1.01, 0.95, restarts, 10 * restarts, known, 0.0, restarts - 1)
        change = found.smallest_detectable(0.02, power)

        estimates = math.log1p(change) + error * random.normal(size=100_000)
        spreads = error * np.sqrt(random.chisquare(df, 100_000) / df)
        fails = estimates - t.ppf(0.975, df) * spreads > math.log1p(0.02)
        assert fails.mean() == pytest.approx(power, abs=0.01)


@given(restarts_of_pairs.filter(lambda restarts: len(restarts) > 2), st.floats(0.0, 0.5))
def test_no_less_than_the_gate_can_be_detected(restarts: list[np.ndarray], gate: float) -> None:
    narrow = effect([np.exp(np.log(x) / 1000) for x in restarts])  # ratios as near to 1 as those of a comparison

    change = narrow.smallest_detectable(gate)

    assert gate - 1e-12 <= change <= narrow.smallest_detectable(gate, power=0.99)
    assert narrow.smallest_detectable(gate + 0.01) > change


# --- many at once --------------------------------------------------------------------------------

shares = st.lists(st.floats(0.0, 1.0) | st.sampled_from([0.0, 0.01, 0.02, 1.0]), max_size=7)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 10)), min_size=1, max_size=5))
def test_holms_p_values_are_those_of_the_closed_test(rows: list[tuple[float, float]]) -> None:
    """A hypothesis falls when every intersection it is part of falls by Bonferroni, each by its weight's share."""

    def bonferroni(chosen: tuple[tuple[float, float], ...]) -> float:
        whole = sum(weight for _, weight in chosen)
        return min(1.0, *(p * whole / weight for p, weight in chosen))

    p_values, weights = zip(*rows, strict=True)
    for found, given_rows in (
        (stats.holm(p_values, weights), rows),
        (stats.holm(p_values), [(p, 1.0) for p in p_values]),
    ):
        numbered = list(enumerate(given_rows))
        sets = [chosen for size in range(1, len(rows) + 1) for chosen in itertools.combinations(numbered, size)]
        closed = [max(bonferroni(tuple(row for _, row in s)) for s in sets if own in s) for own in numbered]
        assert found == pytest.approx(closed)


@given(shares)
def test_holm_keeps_order_and_only_raises(p_values: list[float]) -> None:
    adjusted = stats.holm(p_values)

    assert all(raised >= p for raised, p in zip(adjusted, p_values, strict=True))
    assert all(adjusted[i] <= adjusted[j] for i in range(len(adjusted)) for j in range(len(adjusted))
               if p_values[i] <= p_values[j])  # fmt: skip


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_a_p_value_is_a_share(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        stats.holm([0.5, p])


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, math.nan]])
def test_each_p_value_has_a_weight(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weight above 0"):
        stats.holm([0.5, 0.5], weights)


# --- over time -----------------------------------------------------------------------------------


def test_drift_is_the_change_of_the_median_from_the_first_third_to_the_last() -> None:
    found = stats.drift(np.repeat([100.0, 500.0, 103.0], 10))

    assert found is not None
    assert found.change == pytest.approx(0.03)
    assert found.flagged


@pytest.mark.parametrize(("slope", "flagged"), [(0.0, False), (0.005, False), (0.1, True), (-0.1, True)])
def test_drift_is_flagged_where_it_is_beyond_chance_and_large_enough(slope: float, flagged: bool) -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 600)

    found = stats.drift(np.exp(noise + np.linspace(0, slope, 600)))

    assert found is not None and found.flagged is flagged


def test_steady_samples_hardly_ever_drift() -> None:
    random = np.random.default_rng(0)
    found = [stats.drift(random.lognormal(0, 0.1, 64)) for _ in range(300)]

    assert sum(d is not None and d.flagged for d in found) <= 9  # 1 % of 300 is 3


def test_a_burst_is_no_drift() -> None:
    samples = np.random.default_rng(0).normal(100, 1, 90)
    samples[85:] *= 5

    found = stats.drift(samples)

    assert found is not None and abs(found.change) < 0.01 and not found.flagged


def test_few_samples_have_no_drift() -> None:
    assert stats.drift(np.ones(23)) is None
    assert stats.drift(np.ones(24)) == stats.Drift(0.0, 1.0)


def test_outliers_are_3_5_deviations_from_the_median() -> None:
    samples, edge = np.arange(-10.0, 11.0), 3.5 * 6 / 0.6745  # with one more at each end their median deviation is 6

    assert stats.outliers(np.append(samples, [-edge + 0.01, edge - 0.01])).count == 0
    found = stats.outliers(np.append(samples, [-edge - 0.01, edge + 0.01]))
    assert (found.count, found.total) == (2, 23)
    assert found.share == pytest.approx(2 / 23)


def test_outliers_of_samples_that_are_mostly_equal() -> None:
    """A coarse timer: the median absolute deviation is 0."""
    assert stats.outliers(np.array([5.0] * 20 + [6.0])).count == 1
    assert stats.outliers(np.array([5.0] * 20 + [6.0] * 10)).count == 0
    assert stats.outliers(np.full(9, 5.0)) == stats.Outliers(0, 9)
    assert stats.outliers(np.empty(0)).share == 0.0


@given(arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(1.0, 1e6)), st.sampled_from([0.5, 2.0, 1024.0]))
def test_outliers_do_not_depend_on_the_unit(samples: np.ndarray, unit: float) -> None:
    assert stats.outliers(samples * unit) == stats.outliers(samples)


# --- for plots -----------------------------------------------------------------------------------


@given(arrays.arrays(np.float64, st.integers(0, 500), elements=st.floats(-1e9, 1e9)), st.integers(2, 100))
def test_the_thinned_distribution_lies_on_the_whole_one(samples: np.ndarray, points: int) -> None:
    values, shares = stats.ecdf(samples, points)

    assert len(values) == len(shares) == min(points, len(samples))
    ranks = shares * len(samples)
    assert ranks == pytest.approx(ranks.round())
    assert list(values) == [np.sort(samples)[round(rank) - 1] for rank in ranks]
    if len(samples):
        assert (values[0], values[-1], shares[-1]) == (samples.min(), samples.max(), 1.0)
        assert np.diff(shares, prepend=0.0).max() <= 1 / (points - 1) + 1 / len(samples) + 1e-9


# --- coverage ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated() -> Callable[[str, int], list[stats.Effect]]:
    """Comparisons of A with itself under a kind of noise of the benchmark, 10 pairs in each restart."""
    module = scripts.load("benchmarks/coverage.py")

    def simulate(noise: str, restarts: int) -> list[stats.Effect]:
        random, later = np.random.default_rng(0), list(module.later(restarts))
        return [effect(module.comparison(module.NOISE[noise], random, restarts, 10), later=later) for _ in range(300)]

    return simulate


@pytest.mark.parametrize("restarts", [3, stats.RESTARTS])
@pytest.mark.parametrize(
    "noise",
    [
        "independent 1 %",
        "autocorrelated 0.9",
        "linear drift, quiet",
        "step of 5 %",
        "starts, sd 0.3 %",
        "starts, 0 to 2 %",
        "later is faster, 2 %",
        "heavy tails",
        "all of it",
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(
    simulated: Callable[[str, int], list[stats.Effect]], noise: str, restarts: int
) -> None:
    found = simulated(noise, restarts)

    covered = [f.low <= 1 <= f.high for f in found]
    fails = [f.low > 1.02 for f in found]
    assert np.mean(covered) >= 0.92  # 0.93 of many: benchmarks/coverage.py
    assert sum(fails) <= 3


def test_six_restarts_see_five_percent_beyond_two(simulated: Callable[[str, int], list[stats.Effect]]) -> None:
    found = simulated("starts, sd 0.3 %", stats.RESTARTS)

    assert np.mean([f.low * 1.05 > 1.02 for f in found]) >= 0.95
    assert np.median([f.smallest_detectable(0.02) for f in found]) < 0.05


def test_three_restarts_are_not_needlessly_unsure(simulated: Callable[[str, int], list[stats.Effect]]) -> None:
    found = simulated("starts, sd 0.3 %", 3)

    assert np.mean([math.log(f.high / f.low) / 2 for f in found]) < 0.016
