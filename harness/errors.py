# SPDX-License-Identifier: Apache-2.0
"""Exit codes, and the errors that the command line turns into one message and one of them."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """What a command's exit status says; where several apply, :meth:`worst` decides."""

    PASS = 0
    PARITY = 1
    USAGE = 2
    PERFORMANCE = 3
    INVALID = 4
    INTERRUPTED = 130

    @classmethod
    def worst(cls, codes: list[ExitCode]) -> ExitCode:
        """The code to exit with: usage, then invalid, then parity, then performance."""
        order = [cls.INTERRUPTED, cls.USAGE, cls.INVALID, cls.PARITY, cls.PERFORMANCE, cls.PASS]
        return min(codes, key=order.index, default=cls.PASS)


class HarnessError(Exception):
    """Something the user can mend: the message says what, where and how."""

    exit_code = ExitCode.USAGE


class InvalidError(HarnessError):
    """A result that cannot be had or trusted: a crash, a timeout, a missing runtime, an incomplete bundle."""

    exit_code = ExitCode.INVALID
