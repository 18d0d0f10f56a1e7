# SPDX-License-Identifier: Apache-2.0
"""Statistics of samples. Knows numbers only: no models, runs or verdicts."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_CONFIDENCE = 0.99
_MIN_ABOVE = 2


@functools.cache
def smallest_n(p: float) -> int:
    """The smallest sample size for which a percentile may be printed.

    At least two samples must lie above the true percentile with 99 % confidence: the smallest n with
    ``P[Bin(n, 1 − p) ≤ 1] ≤ 0.01`` (p50: 11, p90: 64, p99: 662).

    Args:
        p: the percentile as a share, 0 < p < 1.
    """
    if not 0.0 < p < 1.0:
        raise ValueError(f"a percentile lies between 0 and 1, not {p}")
    from scipy.stats import binom

    n = _MIN_ABOVE
    while binom.cdf(_MIN_ABOVE - 1, n, 1 - p) > 1 - _CONFIDENCE:
        n += 1
    return n


def percentile(samples: np.ndarray, p: float) -> float | None:
    """The order statistic ``⌈p·n⌉``, or None where there are too few samples (:func:`smallest_n`)."""
    n = len(samples)
    if n < smallest_n(p):
        return None
    return float(np.quantile(samples, p, method="inverted_cdf"))


def percentile_interval(samples: np.ndarray, p: float, confidence: float = 0.95) -> tuple[float, float] | None:
    """Distribution-free confidence interval of a percentile, between two order statistics.

    The ranks l and u are the closest with ``P[Bin(n, p) < l] ≤ α/2`` and ``P[Bin(n, p) ≥ u] ≤ α/2``, where α is
    1 − confidence: W. J. Conover, *Practical Nonparametric Statistics*, 3rd ed. 1999, section 3.2; G. J. Hahn,
    W. Q. Meeker, *Statistical Intervals*, 1991, section 5.2. It holds for independent samples; frames that are slow
    together make it too narrow.

    Args:
        samples: any order; shape (n,).
        p: the percentile as a share, 0 < p < 1.
        confidence: 0 < confidence < 1; what the interval holds at least.

    Returns:
        Its ends, both of them samples; None where so few samples have no such ranks.
    """
    from scipy.stats import binom

    n, alpha = len(samples), 1 - confidence
    low, high = int(binom.ppf(alpha / 2, n, p)), int(binom.isf(alpha / 2, n, p)) + 1
    if low < 1 or high > n:
        return None
    ordered = np.sort(samples)
    return float(ordered[low - 1]), float(ordered[high - 1])


# --- one against another -------------------------------------------------------------------------

RESTARTS = 6
"""Process starts that a comparison should have, of ten pairs of blocks or more; from :data:`MIN_RESTARTS` on there is
one.

Where a process happens to lie in memory makes it faster or slower for as long as it lives, so a start is one draw of
that luck, however many frames it times. ``benchmarks/coverage.py`` shows what three draws are worth: intervals cover,
but are 2.1 times as wide as from six; and of a process that is either fast or slow, with nothing in between, three
are all alike one time in four, which no interval can know (three cover 90 % there).
"""
MIN_RESTARTS = 2
_MIN_CROSSED = 4  # starts that the effect of their order is taken out of; of fewer nothing would be left to judge by
_ONE_SIGMA = 0.15866  # the share of a normal distribution more than one standard deviation below its mean

Pairs = np.ndarray | Sequence[Sequence[float]]
"""The blocks of one restart in time order, A's time and B's in each row."""


@dataclass(frozen=True)
class Effect:
    """How many times as long B takes as A: 1.05 is 5 % slower. Made by :func:`effect` or :func:`unpaired`."""

    estimate: float
    low: float
    """Ends of the confidence interval; in logarithms it is symmetric about the estimate."""
    high: float
    confidence: float
    restarts: int
    pairs: int
    """Pairs of blocks, over all restarts; 0 for :func:`unpaired` ones."""
    restart_error: float
    """Standard error of ``log(estimate)``, seen in how far the restarts differ."""
    block_error: float
    """The same, seen in how far the blocks inside each restart differ."""
    freedom: float
    """Degrees of freedom of ``restart_error``."""

    @property
    def p_value(self) -> float:
        """Two-sided p-value of "B takes as long as A": at most α where the 1 − α interval leaves out 1."""
        return min(1.0, 2 * self._p_beyond(abs(math.log(self.estimate))))

    def p_slower(self, threshold: float = 0.0) -> float:
        """One-sided p-value of "B is slower by no more than ``threshold``".

        At most ``(1 − confidence) / 2`` where the whole interval lies beyond the threshold, never otherwise.

        Args:
            threshold: a share of A's time, above −1; 0.02 is 2 %.
        """
        return self._p_beyond(math.log(self.estimate / (1 + threshold)))

    def smallest_detectable(self, gate: float = 0.0, power: float = 0.95, confidence: float | None = None) -> float:
        """The smallest slowdown that would put the whole interval beyond the gate in that share of comparisons.

        Power of a one-sided t test by the noncentral t distribution (J. Cohen, *Statistical Power Analysis for the
        Behavioral Sciences*, 2nd ed. 1988). Few restarts know their own spread badly, so it enters as the value that is
        too low as often as too high: divided by its median, √(median of χ²/df).

        Args:
            gate: the accepted slowdown, a share of A's time.
            power: 0 < power < 1.
            confidence: of the interval, where the effect is one of many and so has to be surer; its own otherwise.

        Returns:
            A share of A's time, at least ``gate``.
        """
        from scipy.stats import chi2

        df = self.freedom
        error = max(self.restart_error / math.sqrt(chi2.median(df) / df), self.block_error)
        return (1 + gate) * _exp(_errors_to_detect(df, confidence or self.confidence, power) * error) - 1

    def _p_beyond(self, distance: float) -> float:
        """One-sided p-value of an estimate that lies so far, in logarithms, beyond a hypothesis."""
        from scipy.stats import norm, t

        by_restarts = t.sf(_in_errors(distance, self.restart_error), self.freedom)
        return float(max(by_restarts, norm.sf(_in_errors(distance, self.block_error))))


def effect(
    restarts: Sequence[Pairs],
    later: Sequence[bool] | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Effect | None:
    """How many times as long B takes as A, from blocks timed in the order A B B A A B B A …

    A restart's figure is the median of the log ratios of its pairs, the estimate is the mean over restarts. Everything
    within a pair's reach (drift, a neighbour's load) hits both sides of a ratio; what drift is left adds to the pairs
    that began with A what it takes from the others, and of an odd number of pairs the first and the last count half.

    The same with the processes: of two equal ones the one started later can be faster for as long as both live. Where
    they were started in turns, the estimate is midway between the mean of the starts with B later and the mean of the
    others, and restarts differ by what they differ from their own mean: the two-period cross-over (B. Jones,
    M. G. Kenward, *Design and Analysis of Cross-Over Trials*, 3rd ed. 2014, chapter 2). That needs four starts.

    Two intervals are drawn about the estimate, and the wider counts:

    - of Student's t, from the spread of the restarts. It assumes nothing of what is inside a restart: correlation,
      drift and outliers there all show in how far restarts differ. It is the between-cluster part of a hierarchical
      bootstrap (A. C. Davison, D. V. Hinkley, *Bootstrap Methods and their Application*, 1997, section 3.8) in closed
      form: resampling three restarts with replacement loses a third of their variance and has normal tails, and where
      starts differ it covers 80 to 90 % instead of 95 % (``benchmarks/coverage.py``);
    - normal, from a bootstrap of the pairs inside each restart, in moving blocks of whole A B B A squares
      (H. R. Künsch, *The jackknife and the bootstrap for general stationary observations*, Annals of Statistics 17,
      1989). Restarts that agree by luck promise no more than their own blocks can hold.

    Args:
        restarts: for each start of the two processes its pairs in time order, shape (pairs, 2): a block's time on A and
            on the B beside it, the same unit, > 0. Starts without a pair count for nothing.
        later: for each start, whether B's process was started after A's; None where nobody knows.
        confidence: 0 < confidence < 1.
        resamples: of the bootstrap.
        seed: of the bootstrap; the same pairs and seed give the same figures.

    Returns:
        None where fewer than two restarts have a pair: one start says nothing of the next.

    Raises:
        ValueError: an array has another shape, a time is not a finite positive number, or ``later`` has another length.
    """
    ratios = [np.diff(np.log(_checked(pairs)))[:, 0] for pairs in restarts if len(pairs)]
    count = len(ratios)
    if count < MIN_RESTARTS:
        return None
    from scipy.stats import norm, t

    if later is not None and len(later) != len(restarts):
        raise ValueError(f"of each of the {len(restarts)} starts it is told whether B was later, not of {len(later)}")
    turns = [turn for turn, pairs in zip(later or (), restarts, strict=False) if len(pairs)]
    orders = [np.flatnonzero(np.array(turns) == turn) for turn in sorted(set(turns))]
    if count < _MIN_CROSSED or len(orders) < 2:
        orders = [np.arange(count)]
    generator = np.random.default_rng(seed)
    centres = np.array([_centre(x) for x in ratios])
    errors = np.array([_block_error(x, resamples, generator) for x in ratios])
    freedom = count - len(orders)
    variance = sum(float(centres[order].var()) * len(order) for order in orders) / freedom
    # The mean of the orders' means: every start weighs as much as the others of its order.
    weights = np.concatenate([np.full(len(order), 1 / (len(order) * len(orders))) for order in orders])
    by_order = np.concatenate(orders)
    restart_error = math.sqrt(variance) * float(np.linalg.norm(weights))
    block_error = float(np.linalg.norm(weights * errors[by_order]))
    tail = (1 + confidence) / 2
    half = max(float(t.ppf(tail, freedom)) * restart_error, float(norm.ppf(tail)) * block_error)
    centre = float(weights @ centres[by_order])
    return Effect(
        estimate=_exp(centre),
        low=_exp(centre - half),
        high=_exp(centre + half),
        confidence=confidence,
        restarts=count,
        pairs=sum(map(len, ratios)),
        restart_error=restart_error,
        block_error=block_error,
        freedom=freedom,
    )


def noise(restarts: Sequence[Pairs], confidence: float = 0.95, resamples: int = 2000, seed: int = 0) -> Effect | None:
    """A against itself: the effect of nothing, from the blocks of A that follow each other in A B B A A B B A …

    Its interval is what the machine alone can look like. Both sides are one process, so the luck of a start is not in
    it: a difference inside the interval cannot be seen, one outside it still has to be told from that luck.

    Args:
        restarts, confidence, resamples, seed: as :func:`effect`.

    Returns:
        None where fewer than two restarts have three pairs.
    """
    own = [_neighbours(_checked(pairs)[:, 0]) for pairs in restarts if len(pairs)]
    return effect(own, None, confidence, resamples, seed)


def unpaired(
    a: Sequence[np.ndarray],
    b: Sequence[np.ndarray],
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Effect | None:
    """How many times as long B takes as A, where the two were timed apart and no block has a partner.

    A restart's figure is the median of the logarithms of its blocks. The interval is that of B. L. Welch, *The
    generalization of "Student's" problem when several different population variances are involved*, Biometrika 34,
    1947, from the spread of the restarts of each side; where the blocks inside them say a wider one (:func:`effect`),
    that. It holds for the restarts that such a machine would give at those two times: what the machine itself was like
    then (its load, clock and heat) is in the estimate, and no interval knows of it.

    Args:
        a, b: for each start of the process its blocks' times in order, shape (blocks,), the same unit, > 0. Starts
            without a block count for nothing.
        confidence, resamples, seed: as :func:`effect`.

    Returns:
        None where a side has fewer than two restarts.

    Raises:
        ValueError: a time is not a finite positive number.
    """
    from scipy.stats import norm, t

    generator = np.random.default_rng(seed)
    sides, blocks = [], 0.0
    for side in (a, b):
        logs = [np.log(_checked(np.column_stack([x, x]))[:, 0]) for x in side if len(x)]
        if len(logs) < MIN_RESTARTS:
            return None
        sides.append(np.array([_centre(x) for x in logs]))
        blocks += sum(_block_error(x, resamples, generator) ** 2 for x in logs) / len(logs) ** 2
    centre, error, freedom = welch(*sides)
    tail, count = (1 + confidence) / 2, sum(map(len, sides))
    half = max(float(t.ppf(tail, freedom)) * error, float(norm.ppf(tail)) * math.sqrt(blocks))
    ends = _exp(centre - half), _exp(centre + half)
    return Effect(_exp(centre), *ends, confidence, count, 0, error, math.sqrt(blocks), freedom)


def welch(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """By how much the mean of b is above that of a, the standard error of that, and Welch's degrees of freedom.

    B. L. Welch, as in :func:`unpaired`. SciPy's ``ttest_ind`` tells the same, but not where nothing varies.

    Args:
        a, b: independent values; shapes (k,) and (m,), k, m ≥ 2.
    """
    variances = [float(side.var(ddof=1)) / len(side) for side in (a, b)]
    total = sum(variances)
    parts = sum(v**2 / (len(side) - 1) for v, side in zip(variances, (a, b), strict=True))
    freedom = total**2 / parts if parts else len(a) + len(b) - 2.0
    return float(b.mean() - a.mean()), math.sqrt(total), freedom


def difference(a: np.ndarray, b: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    """By how much the mean of b is above that of a, and the ends of :func:`welch`'s interval.

    Args:
        a, b: as there.
    """
    from scipy.stats import t

    centre, error, freedom = welch(a, b)
    half = float(t.ppf((1 + confidence) / 2, freedom)) * error
    return centre, centre - half, centre + half


def _checked(pairs: Pairs) -> np.ndarray:
    """Times, shape (pairs, 2)."""
    times = np.asarray(pairs, np.float64)
    if times.ndim != 2 or times.shape[1] != 2:
        raise ValueError(f"the pairs of a restart have shape (pairs, 2), not {times.shape}")
    if not (np.isfinite(times) & (times > 0)).all():
        raise ValueError("a block's time is a finite number above 0")
    return times


def _neighbours(a: np.ndarray) -> np.ndarray:
    """Blocks of A to pairs that follow each other (second and third, fourth and fifth, …), in alternating order."""
    beside = a[1 : len(a) - (len(a) + 1) % 2].reshape(-1, 2).copy()
    beside[1::2] = beside[1::2, ::-1]
    return beside


def _centre(x: np.ndarray) -> np.ndarray:
    """Median over the last axis, along which the order within pairs alternates; both orders weigh the same."""
    n = x.shape[-1]
    if n == 1 or n % 2 == 0:
        return np.median(x, axis=-1)
    return (np.median(x[..., 1:], axis=-1) + np.median(x[..., :-1], axis=-1)) / 2


def _block_error(x: np.ndarray, resamples: int, generator: np.random.Generator) -> float:
    """Standard error of ``_centre(x)``, ``x`` of shape (n,), by a moving block bootstrap.

    Blocks are about ∛n long and even, so that every resample has as many pairs of one order as of the other. The spread
    of the resamples is half the distance of their 16 % and 84 % quantiles: the few that consist of outliers say nothing
    of the median.
    """
    n = len(x)
    length = min(n, 2 * math.ceil(n ** (1 / 3) / 2))
    blocks = math.ceil(n / length)
    starts = generator.integers(0, n - length + 1, (resamples, blocks, 1))
    centres = _centre(x[starts + np.arange(length)].reshape(resamples, -1))
    low, high = np.quantile(centres, [_ONE_SIGMA, 1 - _ONE_SIGMA])
    return float(high - low) / 2 * math.sqrt(blocks * length / n)


def _exp(x: float) -> float:
    return math.exp(x) if x < math.log(sys.float_info.max) else math.inf


def _in_errors(distance: float, error: float) -> float:
    """A distance in standard errors, of which there may be none."""
    if error > 0:
        return distance / error
    return math.copysign(math.inf, distance) if distance else 0.0


@functools.cache
def _errors_to_detect(df: float, confidence: float, power: float) -> float:
    """By how many standard errors the truth must lie beyond a gate for the interval to do so with this probability."""
    from scipy.optimize import brentq
    from scipy.stats import nct, t

    critical = float(t.ppf((1 + confidence) / 2, df))
    upper = critical
    while nct.sf(critical, df, upper) < power:
        upper *= 2
    return float(brentq(lambda errors: nct.sf(critical, df, errors) - power, 0.0, upper))


def holm(p_values: Sequence[float] | np.ndarray, weights: Sequence[float] | np.ndarray | None = None) -> np.ndarray:
    """p-values adjusted for being many, step by step from the smallest; in the order given.

    The chance that any true hypothesis among them is rejected stays at α if those with an adjusted p-value of at most α
    are: S. Holm, *A simple sequentially rejective multiple test procedure*, Scandinavian Journal of Statistics 6, 1979,
    section 4 of which has weights: each is tested at its share of α among those that are left.

    Args:
        p_values: shape (m,), 0 … 1; they may depend on each other in any way.
        weights: shape (m,), above 0, chosen before the p-values are known; all alike where not given.

    Raises:
        ValueError: a p-value is not between 0 and 1, or a weight is not above 0.
    """
    p = np.asarray(p_values, np.float64)
    w = np.ones_like(p) if weights is None else np.asarray(weights, np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p-values lie between 0 and 1: {p}")
    if w.shape != p.shape or not (w > 0).all():
        raise ValueError(f"each p-value has a weight above 0: {w}")
    order = np.argsort(p / w, kind="stable")
    left = np.cumsum(w[order][::-1])[::-1]
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * left / w[order]))
    return adjusted


# --- one over time: flags, nothing is removed ----------------------------------------------------

_BATCHES = 8  # per third: their exact test can reach p = 0.0002
_DRIFT_P = 0.01
_DRIFT_CHANGE = 0.01  # a smaller change is of no use to know
_OUTLIER_Z = 3.5


@dataclass(frozen=True)
class Drift:
    """How samples changed from their first third to their last. Made by :func:`drift`."""

    change: float
    """Of the median, as a share of the first third's; above 0: slower."""
    p_value: float

    @property
    def flagged(self) -> bool:
        """It is beyond chance (1 %) and large enough to matter (1 %)."""
        return self.p_value <= _DRIFT_P and abs(self.change) >= _DRIFT_CHANGE


def drift(samples: np.ndarray) -> Drift | None:
    """The change from the first third to the last.

    Its p-value is that of the rank-sum test (H. B. Mann, D. R. Whitney, Annals of Mathematical Statistics 18, 1947)
    between the medians of eight batches of each third: neighbours that are alike count once, and outliers for little.
    A machine that wanders in waves longer than a batch is flagged as well.

    Args:
        samples: in time order, of one uninterrupted stretch; > 0; shape (n,).

    Returns:
        None for fewer than 24 samples.
    """
    third = len(samples) // 3
    if third < _BATCHES:
        return None
    from scipy.stats import mannwhitneyu

    first, last = samples[:third], samples[-third:]
    batches = ([np.median(part) for part in np.array_split(half, _BATCHES)] for half in (first, last))
    return Drift(float(np.median(last) / np.median(first)) - 1, float(mannwhitneyu(*batches).pvalue))


@dataclass(frozen=True)
class Outliers:
    """Samples far from the rest. Made by :func:`outliers`."""

    count: int
    total: int

    @property
    def share(self) -> float:
        return self.count / self.total if self.total else 0.0


def outliers(samples: np.ndarray) -> Outliers:
    """How many samples are :func:`outlying`."""
    return Outliers(int(outlying(samples).sum()), len(samples))


def outlying(samples: np.ndarray) -> np.ndarray:
    """Which samples have a modified z score ``0.6745 · |x − median| / MAD`` above 3.5; boolean, shape (n,).

    B. Iglewicz, D. C. Hoaglin, *How to Detect and Handle Outliers*, 1993. Where more than half of the samples are equal
    the median absolute deviation (MAD) is 0, and the mean absolute deviation takes its place, with the factor 1.2533
    that makes it a standard deviation too.

    Args:
        samples: any order; shape (n,).
    """
    if len(samples) == 0:
        return np.zeros(0, bool)
    distance = np.abs(samples - np.median(samples))
    mad, mean = np.median(distance), distance.mean()
    scale = mad / 0.6745 if mad > 0 else mean * math.sqrt(math.pi / 2)
    return np.asarray(distance > _OUTLIER_Z * scale)


def ecdf(samples: np.ndarray, points: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Points of the empirical distribution function, thinned evenly in rank; the first and last sample stay.

    Args:
        samples: any order; shape (n,).
        points: at most so many, ≥ 2.

    Returns:
        Values and the share of samples up to each, shape (≤ points,), ascending.
    """
    n = len(samples)
    ranks = np.unique(np.linspace(1, n, min(n, points)).round().astype(int))
    return np.sort(samples)[ranks - 1], ranks / n if n else np.empty(0)
