# SPDX-License-Identifier: Apache-2.0
"""Gates: which tolerance applies to a figure, and what follows from it.

The file (``configs/gates.yaml``) lists entries; the first whose variant, lane and row patterns match a figure is
the one that applies. Patterns are those of a shell (``*``, ``?``, ``[…]``).
"""

from __future__ import annotations

import dataclasses
import fnmatch
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.comparison import Limit, Row
from harness.errors import HarnessError
from harness.verdict import Verdict

if TYPE_CHECKING:
    from harness.stats import Effect

_KEYS = {"variant", "lane", "row", "min", "max", "warn", "floor_ms"}


@dataclass(frozen=True)
class Gate:
    """One entry of the gates file."""

    variant: str
    lane: str
    row: str
    limit: Limit

    def applies(self, variant: str, lane: str, row: str) -> bool:
        pairs = ((variant, self.variant), (lane, self.lane), (row, self.row))
        return all(fnmatch.fnmatchcase(value, pattern) for value, pattern in pairs)


@dataclass(frozen=True)
class Gates:
    """A gates file, read and checked."""

    name: str
    version: int
    sha256: str
    entries: tuple[Gate, ...]

    def limit(self, variant: str, lane: str, row: str) -> Limit | None:
        """The tolerance of a figure, or None where none applies."""
        return next((gate.limit for gate in self.entries if gate.applies(variant, lane, row)), None)

    def tensor_tolerance(self, variant: str, lane: str) -> float | None:
        """The tensor error that is accepted: of every pixel, or else of 99 %; None where the gates do not say."""
        for row in ("pooled/max_abs", "pooled/p99_abs"):
            limit = self.limit(variant, lane, row)
            if limit and limit.max is not None:
                return limit.max
        return None

    def facts(self) -> dict[str, Any]:
        return {"name": self.name, "version": self.version, "sha256": self.sha256}


def load(path: str | Path) -> Gates:
    """Read a gates file.

    Raises:
        HarnessError: it cannot be read, or an entry is not understood; the message names the entry.
    """
    import yaml

    try:
        data = Path(path).read_bytes()
        table = yaml.safe_load(data)
    except (OSError, yaml.YAMLError) as error:
        raise HarnessError(f"{path}: cannot read the gates: {error}") from None
    if not isinstance(table, dict) or table.get("version") != 1 or not isinstance(table.get("gates"), list):
        raise HarnessError(f"{path}: not a gates file: expected `version: 1` and a list `gates`")
    entries = tuple(_gate(entry, f"{path}: gate {number}") for number, entry in enumerate(table["gates"], 1))
    return Gates(Path(path).name, 1, hashlib.sha256(data).hexdigest(), entries)


def _gate(entry: Any, where: str) -> Gate:
    if not isinstance(entry, dict) or "row" not in entry:
        raise HarnessError(f"{where}: expected keys {', '.join(sorted(_KEYS))}, `row` among them; got {entry!r}")
    if unknown := sorted(map(str, set(entry) - _KEYS)):
        raise HarnessError(f"{where}: unknown key {', '.join(unknown)}; known: {', '.join(sorted(_KEYS))}")
    numbers = {}
    for key in ("min", "max", "warn", "floor_ms"):
        value = entry.get(key)
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if value is not None and not number:
            raise HarnessError(f"{where}: {key} is {value!r}, expected a finite number (write 1.0e-4 with its dot)")
        numbers[key] = None if value is None else float(value)
    if (numbers["min"] is None) == (numbers["max"] is None):
        raise HarnessError(f"{where}: give either min or max")
    return Gate(str(entry.get("variant", "*")), str(entry.get("lane", "*")), str(entry["row"]), Limit(**numbers))


def judge(run: str, lane: str, row: str, value: float | None, limit: Limit | None, note: str = "") -> Row:
    """A figure with the verdict that follows from its tolerance.

    A figure without a tolerance is reported and passes; one that does not exist is skipped.
    """
    if value is None or limit is None:
        verdict = Verdict.SKIP if value is None else Verdict.PASS
        return Row(run, lane, row, value, limit, verdict, None, note)
    sign = 1.0 if limit.max is not None else -1.0
    bound = limit.max if limit.max is not None else limit.min
    assert bound is not None
    if sign * value > sign * bound:
        verdict = Verdict.FAIL
    elif limit.warn is not None and sign * value > sign * limit.warn:
        verdict = Verdict.WARN
    else:
        verdict = Verdict.PASS
    return Row(run, lane, row, value, limit, verdict, _would_pass(value, sign), note)


def judge_ratio(
    run: str,
    lane: str,
    row: str,
    effect: Effect,
    difference_ms: float,
    limit: Limit | None,
    certain: bool,
    confidence: float,
) -> Row:
    """How many times as long a stage takes, with the verdict that follows from its interval and its tolerance.

    Args:
        difference_ms: by how much it is slower at the median; at most the limit's ``floor_ms`` is never a FAIL.
        certain: whether the slowdown is beyond the limit also when all rows together are considered.
        confidence: of the interval that this takes; says how small a slowdown would have been seen.
    """
    starts = (
        f"{effect.pairs} pairs in {effect.restarts} starts" if effect.pairs else f"{effect.restarts} unpaired starts"
    )
    noted = f"{effect.low:.3f} … {effect.high:.3f}, {starts}"
    judged = Row(run, lane, row, effect.estimate, limit, Verdict.PASS, None, noted, (effect.low, effect.high))
    if limit is None or limit.max is None:
        return judged
    least = effect.smallest_detectable(limit.max - 1, confidence=confidence)
    noted += f"; a slowdown of {least:.1%} would have been seen"
    verdict, small = Verdict.PASS, difference_ms <= (limit.floor_ms or 0.0)
    if effect.high > limit.max and not small:
        verdict = Verdict.FAIL if effect.low > limit.max and certain else Verdict.WARN
        if verdict is Verdict.WARN:
            noted = f"inconclusive: {noted}"
    would_pass = _would_pass(effect.high, 1.0)
    return dataclasses.replace(judged, verdict=verdict, would_pass=would_pass, note=noted)


def judge_interval(
    run: str, lane: str, row: str, value: float, interval: tuple[float, float], limit: Limit | None, note: str = ""
) -> Row:
    """A figure that is known to an interval: FAIL where all of it lies beyond the tolerance, WARN where a part does, or
    where the figure is beyond the one for warnings."""
    judged = Row(run, lane, row, value, limit, Verdict.PASS, None, note, interval)
    bound = None if limit is None else limit.min if limit.max is None else limit.max
    if limit is None or bound is None:
        return judged
    sign = 1.0 if limit.max is not None else -1.0
    best, worst = sorted(sign * end for end in interval)
    if best > sign * bound:
        verdict = Verdict.FAIL
    elif worst > sign * bound:
        verdict, note = Verdict.WARN, "; ".join(filter(None, ["inconclusive: the interval holds the gate", note]))
    else:
        warned = limit.warn is not None and sign * value > sign * limit.warn
        verdict = Verdict.WARN if warned else Verdict.PASS
    return dataclasses.replace(judged, verdict=verdict, would_pass=_would_pass(sign * worst, sign), note=note)


def _would_pass(value: float, sign: float) -> float:
    """The value with three significant digits, rounded to the side on which it passes."""
    if value == 0.0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    rounded = float(f"{sign * math.ceil(sign * value / step) * step:.6g}")
    return rounded if sign * rounded >= sign * value else value
