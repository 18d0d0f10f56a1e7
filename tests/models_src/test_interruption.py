# SPDX-License-Identifier: Apache-2.0
"""Signals outside of an epoch: while a training starts, and while it takes its leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from models_src.cli import training
from models_src.interruption import EXIT_REQUEUE, Interrupted, Interruption
from tests.models_src.conftest import SMOKE, segmodel, settings


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """What is done with signals is of the process: kept, and harmless should nobody listen."""
    taken = (signal.SIGTERM, signal.SIGUSR1)
    before = [signal.signal(number, lambda *_: None) for number in taken]
    yield
    for number, handler in zip(taken, before, strict=True):
        signal.signal(number, handler)


def _asked(folders: tuple[Path, Path], output: Path, *more: object) -> list[object]:
    values = settings(folders, output)
    pairs = [text for pair in zip(values[::2], values[1::2], strict=True) for text in ("--set", *pair)]
    return ["train", "--config", SMOKE, *pairs, *more]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_at_start_up_has_the_status_to_requeue_and_leaves_no_run(
    number: signal.Signals, folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "import_tensorflow", lambda: os.kill(os.getpid(), number))

    result = segmodel(*_asked(folders, tmp_path / "runs"))

    assert result.exit_code == EXIT_REQUEUE, result.output
    assert f"stopped by {number.name}; no run was begun" in result.stderr
    assert not (tmp_path / "runs").exists()


def test_what_a_stopped_run_goes_on_with_is_its_own_folder(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "import_tensorflow", lambda: os.kill(os.getpid(), signal.SIGUSR1))

    result = segmodel("train", "--resume", trained)

    assert result.exit_code == EXIT_REQUEUE
    assert f"go on with: segmodel train --resume {trained}\n" in result.stderr


def test_a_second_signal_does_not_kill_a_process_that_takes_its_leave() -> None:
    """Not even when Python is being torn down and has taken its handlers back."""
    script = """
import os, signal, sys
from models_src.interruption import EXIT_REQUEUE, Interrupted, Interruption

class Last:
    kill, told = staticmethod(os.kill), (os.getpid(), signal.SIGUSR1)
    def __del__(self):
        self.kill(*self.told)

last = Last()
try:
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGUSR1)
        interruption.stop_if_told()
except Interrupted:
    os.kill(os.getpid(), signal.SIGTERM)
    sys.exit(EXIT_REQUEUE)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)

    assert done.returncode == EXIT_REQUEUE, done.stderr


def test_where_no_signal_came_all_is_as_it_was() -> None:
    before = signal.getsignal(signal.SIGTERM)

    with Interruption() as interruption:
        assert signal.getsignal(signal.SIGTERM) != before
        interruption.stop_if_told()

    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_stays_told(tmp_path: Path) -> None:
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Interrupted, match="stopped by SIGTERM"):
        interruption.stop_if_told()
