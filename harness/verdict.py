# SPDX-License-Identifier: Apache-2.0
"""The five verdicts, and which one stands for several."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from harness.errors import ExitCode


class Verdict(str, enum.Enum):
    """What the gates say of a figure, a run or a comparison."""

    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"
    INVALID = "INVALID"
    SKIP = "SKIP"

    def __str__(self) -> str:
        return self.value


_SEVERITY = [Verdict.SKIP, Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.INVALID]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The most severe verdict; INVALID for none at all: zero compared outputs are never a pass."""
    return max(verdicts, key=_SEVERITY.index, default=Verdict.INVALID)


def exit_code(verdict: Verdict, only_slow: bool = False) -> ExitCode:
    """The exit status of a command that ends with this verdict. Only skipped rows compared nothing.

    Args:
        only_slow: the masks agree, and all that fails is a matter of speed.
    """
    if verdict in (Verdict.INVALID, Verdict.SKIP):
        return ExitCode.INVALID
    if verdict is Verdict.FAIL:
        return ExitCode.PERFORMANCE if only_slow else ExitCode.PARITY
    return ExitCode.PASS
