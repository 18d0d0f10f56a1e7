# SPDX-License-Identifier: Apache-2.0
"""Running the command line as a user does: a process of its own, with the tests' runtimes registered."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harness import bundle

HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]
_PLUGIN = Path(__file__).parent / "plugin"


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with the runtimes of ``plugin/`` and whatever tells them to misbehave."""
    path = os.pathsep.join(filter(None, [str(_PLUGIN), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "200", **more}


def run(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """``harness ARGUMENTS…`` to its end."""
    command = [*HARNESS, *map(str, arguments)]
    return subprocess.run(command, env=environment(**more), capture_output=True, text=True, timeout=180, check=False)


def bundles_in(folder: Path) -> dict[tuple[str, str], bundle.Bundle]:
    """The bundles below a folder by label and lane."""
    opened = [bundle.open(path) for path in folder.rglob("*.run")]
    return {(b.label, b.lane): b for b in opened}
