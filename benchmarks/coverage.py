# SPDX-License-Identifier: Apache-2.0
"""Do the intervals of ``harness.stats.effect`` hold the truth as often as they say? By simulation; nothing is timed.

    python benchmarks/coverage.py --quick      # 200 comparisons a row, half a minute
    python benchmarks/coverage.py              # 2,000 comparisons a row, minutes; goes on where it was stopped

Each comparison is made up: blocks in the order A B B A A B B A … whose times carry a known noise, B as fast as A.
A true slowdown multiplies estimate and interval alike (the tests hold ``effect`` to that), so one set of comparisons
answers for every slowdown. A row says of one kind of noise and one number of restarts × pairs:

    covered   share of 95 % intervals that hold the truth
    plain     the same for the textbook's hierarchical percentile bootstrap: the median of all pairs' log ratios,
              restarts drawn with replacement, pairs drawn with replacement inside them
    ±         mean half width
    FAIL at   share of comparisons whose whole interval lies beyond the gate (2 %), for true slowdowns of 0, 2 and 5 %
    printed   the smallest detectable change as printed with a comparison: the median over comparisons
    true      the slowdown at which 95 % of these comparisons FAIL

Finished comparisons are kept in a file of JSON lines and used again as long as neither this file nor the statistics
change. Exit code: 0 where every row with the recommended number of restarts is covered in at least 93 %, else 3.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness import stats

GATE = 0.02
REQUIRED = 0.93
PART = 100  # comparisons per line of the file
SHAPES = ((3, 10), (6, 10), (6, 7), (8, 6))  # restarts, pairs

Random = np.random.Generator
Noise = Callable[[Random, int, int], tuple[np.ndarray, np.ndarray]]
"""Logarithms for so many restarts of so many blocks: in time (restarts, blocks), and of each process (restarts, 2)."""


def independent(random: Random, restarts: int, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    return random.normal(0, 0.01, (restarts, blocks)), np.zeros((restarts, 2))


def correlated(rho: float) -> Noise:
    """First-order autoregression in time, 1 %, which blocks of both sides share, and 0.3 % of each block's own."""

    def noise(random: Random, restarts: int, blocks: int) -> tuple[np.ndarray, np.ndarray]:
        time = random.normal(0, 0.01, (restarts, blocks))
        for i in range(1, blocks):
            time[:, i] = rho * time[:, i - 1] + math.sqrt(1 - rho**2) * time[:, i]
        return time + random.normal(0, 0.003, time.shape), np.zeros((restarts, 2))

    return noise


def warming(sd: float) -> Noise:
    """A restart ends 10 % slower than it began."""

    def noise(random: Random, restarts: int, blocks: int) -> tuple[np.ndarray, np.ndarray]:
        return random.normal(0, sd, (restarts, blocks)) + np.linspace(0, 0.1, blocks), np.zeros((restarts, 2))

    return noise


def throttled(random: Random, restarts: int, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """At some block of each restart everything becomes 5 % slower."""
    time, process = independent(random, restarts, blocks)
    return time + 0.05 * (np.arange(blocks) >= random.integers(1, blocks, (restarts, 1))), process


def starts(draw: Callable[[Random, tuple[int, int]], np.ndarray]) -> Noise:
    """Every process start has a speed of its own."""

    def noise(random: Random, restarts: int, blocks: int) -> tuple[np.ndarray, np.ndarray]:
        return independent(random, restarts, blocks)[0], draw(random, (restarts, 2))

    return noise


def ordered(random: Random, restarts: int, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Whichever process was started later is 2 % faster for as long as it lives; and starts differ by chance."""
    time, process = starts(lambda random, shape: random.normal(0, 0.003, shape))(random, restarts, blocks)
    return time, process - 0.02 * np.column_stack([~later(restarts), later(restarts)])


def outliers(random: Random, restarts: int, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Student's t with two degrees of freedom, and one block in twenty 5 to 50 % slower."""
    time = 0.005 * random.standard_t(2, (restarts, blocks))
    return time + (random.random(time.shape) < 0.05) * random.uniform(0.05, 0.5, time.shape), np.zeros((restarts, 2))


def together(random: Random, restarts: int, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    time, process = correlated(0.7)(random, restarts, blocks)
    late = 0.05 * (np.arange(blocks) >= random.integers(1, blocks, (restarts, 1)))
    slow = (random.random(time.shape) < 0.05) * random.uniform(0.05, 0.5, time.shape)
    return time + late + slow + np.linspace(0, 0.05, blocks), process + random.uniform(0, 0.02, process.shape)


NOISE: dict[str, Noise] = {
    "independent 1 %": independent,
    "autocorrelated 0.5": correlated(0.5),
    "autocorrelated 0.9": correlated(0.9),
    "linear drift 10 %": warming(0.01),
    "linear drift, quiet": warming(0.001),
    "step of 5 %": throttled,
    "starts, sd 0.3 %": starts(lambda random, shape: random.normal(0, 0.003, shape)),
    "starts, 0 to 2 %": starts(lambda random, shape: random.uniform(0, 0.02, shape)),
    "starts, 0 or 2 %": starts(lambda random, shape: 0.02 * random.integers(0, 2, shape)),
    # B alone draws one of two speeds, which are +1 % and −1 %: as fast as A on average.
    "B's starts, ±1 %": starts(lambda random, shape: np.array([0, 0.01]) * random.choice([-1, 1], shape)),
    "later is faster, 2 %": ordered,
    "heavy tails": outliers,
    "all of it": together,
}


def later(restarts: int) -> np.ndarray:
    """Whether B was started after A: in turns, as the harness does it."""
    return np.arange(restarts) % 2 == 0


def comparison(noise: Noise, random: Random, restarts: int, pairs: int) -> list[np.ndarray]:
    """Pairs of block times (A, B) of each restart, B as fast as A on average."""
    time, process = noise(random, restarts, 2 * pairs)
    times = time.reshape(restarts, pairs, 2)
    times[:, 1::2] = times[:, 1::2, ::-1]  # every second pair ran B first
    return list(np.exp(times + process[:, None]))


def plain(restarts: list[np.ndarray], random: Random, resamples: int = 2000) -> tuple[float, float]:
    """The hierarchical percentile bootstrap, as logarithms."""
    ratios = np.log([pairs[:, 1] / pairs[:, 0] for pairs in restarts])
    count, pairs = ratios.shape
    drawn = random.integers(0, count, (resamples, count, 1)), random.integers(0, pairs, (resamples, count, pairs))
    low, high = np.quantile(np.median(ratios[drawn].reshape(resamples, -1), axis=1), [0.025, 0.975])
    return float(low), float(high)


def simulate(name: str, restarts: int, pairs: int, part: int) -> list[list[float]]:
    """Comparisons of one line of the file: low, high, smallest detectable change, plain low, plain high."""
    random = np.random.default_rng([zlib.crc32(name.encode()), restarts, pairs, part])
    rows = []
    for number in range(PART):
        made_up = comparison(NOISE[name], random, restarts, pairs)
        effect = stats.effect(made_up, list(later(restarts)), seed=number)
        assert effect is not None
        figures = (math.log(effect.low), math.log(effect.high), effect.smallest_detectable(GATE))
        rows.append([round(x, 8) for x in (*figures, *plain(made_up, random))])
    return rows


def summary(runs: np.ndarray) -> dict[str, float]:
    """The figures of a row from its comparisons, shape (n, 5) as :func:`simulate` makes them."""
    low, high, printed, plain_low, plain_high = runs.T
    fails = {f"fail_{share}": float((low + math.log1p(share / 100) > math.log1p(GATE)).mean()) for share in (0, 2, 5)}
    return {
        "covered": float(((low <= 0) & (high >= 0)).mean()),
        "plain": float(((plain_low <= 0) & (plain_high >= 0)).mean()),
        "half_width": float(np.mean(high - low) / 2),
        **fails,
        "printed": float(np.median(printed)),
        "true": (1 + GATE) * math.exp(-float(np.quantile(low, 0.05, method="inverted_cdf"))) - 1,
    }


# --- going on ------------------------------------------------------------------------------------


def digest() -> str:
    """What finished comparisons depend on."""
    sources = (Path(__file__), Path(str(stats.__file__)))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def finished(path: Path, code: str) -> dict[tuple[Any, ...], list[list[float]]]:
    """The file's lines of this code; a last line that was cut off is left out."""
    done = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(record, dict) and record.get("code") == code:
            name, restarts, pairs, part = record["row"]
            done[name, restarts, pairs, part] = record["runs"]
    return done


def rows(path: Path, count: int, names: list[str], shapes: list[tuple[int, int]]) -> Iterator[tuple[Any, ...]]:
    """Name, restarts, pairs and comparisons of each row; what the file lacks is computed and appended."""
    code = digest()
    done = finished(path, code)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        if file.tell():
            file.write("\n")  # ends a line that was cut off
        for restarts, pairs in shapes:
            for name in names:
                runs: list[list[float]] = []
                for part in range(math.ceil(count / PART)):
                    key = (name, restarts, pairs, part)
                    if key not in done:
                        done[key] = simulate(*key)
                        record = {"code": code, "row": key, "runs": done[key]}
                        file.write(json.dumps(record) + "\n")
                        file.flush()
                        _progress(f"{name}, {restarts} × {pairs}: {(part + 1) * PART} of {count}")
                    runs += done[key]
                yield name, restarts, pairs, np.array(runs[:count])


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="200 comparisons a row, 3 and 6 restarts of 10 pairs")
    parser.add_argument("--runs", type=int, help="comparisons a row")
    parser.add_argument("--only", nargs="+", choices=NOISE, metavar="NOISE", default=list(NOISE), help=", ".join(NOISE))
    parser.add_argument("--out", type=Path, default=Path("runs/coverage.jsonl"), help="finished comparisons")
    options = parser.parse_args()
    count = (200 if options.quick else 2000) if options.runs is None else options.runs
    if count < 1:
        parser.error(f"--runs is at least 1, not {count}")
    missed = []
    print(f"{'':32}{'covered':>8}{'plain':>7}{'±':>8}   FAIL at 0 %   2 %    5 %   detectable: printed  true")
    shapes = list(SHAPES[:2] if options.quick else SHAPES)
    for name, restarts, pairs, runs in rows(options.out, count, options.only, shapes):
        row = summary(runs)
        _progress("")
        print(
            f"{name:22}{restarts:3} × {pairs:<4}{row['covered']:8.1%}{row['plain']:7.0%}{row['half_width']:8.2%}   "
            f"{row['fail_0']:11.1%}{row['fail_2']:6.1%}{row['fail_5']:7.1%}{row['printed']:22.1%}{row['true']:6.1%}",
            flush=True,
        )
        if restarts >= stats.RESTARTS and row["covered"] < REQUIRED:
            missed.append(f"{name}, {restarts} × {pairs}")
    if missed:
        print(f"covered in less than {REQUIRED:.0%}: {'; '.join(missed)}")
    return 3 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
