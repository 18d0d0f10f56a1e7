# SPDX-License-Identifier: Apache-2.0
"""How a training ends before its time: when a signal came, at the next place where it can. Knows no Keras, so that a
command can listen before TensorFlow is imported."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Any

EXIT_REQUEUE = 75
"""Exit status of a training that was told to stop and can go on: EX_TEMPFAIL of sysexits.h, which `slurm/` requeues."""


class Interrupted(Exception):
    """A signal asked the training to stop; its last finished epoch is kept."""


class Interruption:
    """Takes SIGTERM and SIGUSR1, which batch schedulers send before the end of a job's time, and remembers them. Use as
    a context manager around everything that a process does.

    Args:
        run: the folder to go on with; the training sets it as soon as there is one.
    """

    def __init__(self, run: Path | None = None) -> None:
        self.run = run
        self._signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        for number in (signal.SIGTERM, signal.SIGUSR1):
            try:
                self._before[number] = signal.signal(number, self._told)
            except ValueError:  # not in the main thread: whoever is there decides
                break
        return self

    def __exit__(self, *exception: object) -> None:
        if self._signal is None:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def _told(self, number: int, frame: FrameType | None) -> None:
        self._signal = number
        # A second one would kill the process while it takes its leave. Python itself takes handlers back at its end,
        # but leaves alone what is ignored.
        for taken in self._before:
            signal.signal(taken, signal.SIG_IGN)

    def stop_if_told(self) -> None:
        """Raise :class:`Interrupted` if a signal came."""
        if self._signal is not None:
            raise Interrupted(f"stopped by {signal.Signals(self._signal).name}")
