# SPDX-License-Identifier: Apache-2.0
"""What others wrote, on a terminal: no bundle and no suite can steer it, whatever command shows them."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.cli.progress import progress
from harness.printable import visible
from harness.report import leaderboard
from harness.standing import Entry
from tests.harness import bundles, commands
from tests.harness.bundles import write

HOSTILE, SHOWN = "good\x1b[1A[red]bad", "good\\x1b[1A[red]bad"
OUTPUTS = {name: np.full((16, 12), 0.25, np.float32) for name in "ab"}


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """The folder of a run that says everything in such words."""
    device = {**bundles.facts()["device"], "cpu": HOSTILE}
    suite = {**bundles.facts()["suite"], "id": HOSTILE}
    write(tmp_path / "runs" / "x.run", OUTPUTS, label=HOSTILE, device=device, suite=suite, run_id="x")
    return tmp_path / "runs"


def assert_shown(done: subprocess.CompletedProcess[str], *places: str) -> None:
    assert "\x1b" not in done.stdout + done.stderr
    for place in places:
        assert SHOWN in place, done.stderr


def test_by_run(recorded: Path) -> None:
    error = {"kind": "memory", "message": HOSTILE}
    write(recorded / "failed.run", {}, status="failed", error=error, cases=["a"], run_id="failed")

    done = commands.run("run", "--resume", recorded)

    assert_shown(done, *done.stdout.splitlines())
    assert len(done.stdout.splitlines()) == 2


def test_by_baseline(recorded: Path, tmp_path: Path) -> None:
    folder = ["--folder", tmp_path / "baselines"]
    saved = commands.run("baseline", "save", "good", recorded, *folder)
    assert saved.returncode == 0, saved.stderr

    listed = commands.run("baseline", "list", *folder)
    checked = commands.run("baseline", "check", "good", recorded, *folder, "--out", tmp_path / "out")

    assert_shown(listed, listed.stdout)
    assert listed.stdout.count(SHOWN) == 3, "machine, suite and target"
    assert_shown(checked, checked.stdout)


def test_by_suite(tmp_path: Path) -> None:
    from harness import suite_making

    picture = np.zeros((8, 8, 3), np.uint8)
    entry = suite_making.Entry("a", picture, None, (HOSTILE,))
    root = suite_making.write(tmp_path / "own", "own", [entry]).root

    done = commands.run("suite", "show", root)

    assert_shown(done, done.stdout)


def test_by_leaderboard() -> None:
    failed = Entry(HOSTILE, "m", "fp32", (8, 8), 1, None, None, problem=HOSTILE)

    assert leaderboard.table([failed]).count(SHOWN) == 4, "the heading of its ratio, its row, and why it failed"


def test_by_the_live_line_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")

    with progress() as tell:
        tell(HOSTILE, f"failed: {HOSTILE}", 0, 1)

    said = terminal.getvalue()
    assert HOSTILE not in said
    assert said.count(SHOWN) >= 4, "the line that stays, and the one that moves: label and activity"


def test_lines_stay_lines_and_letters_letters() -> None:
    assert visible("naïve\nline\t\x1b[31m") == "naïve\nline\\t\\x1b[31m"
