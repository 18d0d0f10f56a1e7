# SPDX-License-Identifier: Apache-2.0
"""The Python application in a real window of a virtual display: what is on the screen, and what the keys do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.rt_apps.live import GROUND, HEIGHT, SQUARE, WIDTH, model, motion_suite

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(sys.platform != "linux", reason="needs an X11 display"),
    pytest.mark.skipif(
        not all(map(shutil.which, ("Xvfb", "xdotool", "import"))), reason="needs xvfb, xdotool and imagemagick"
    ),
]

GREEN = (0, 120, 60)  # BGR
PATIENCE = 120


@dataclass
class Screen:
    """A virtual display, and what is on it."""

    folder: Path
    environment: dict[str, str]

    def picture(self) -> np.ndarray:
        """The window's place on the screen, 8-bit BGR: no window manager runs, so that is the upper left corner."""
        file = self.folder / "screen.png"
        subprocess.run(["import", "-window", "root", str(file)], env=self.environment, check=True, timeout=30)
        return cv2.imread(str(file))[:HEIGHT, :WIDTH]

    def window(self) -> str:
        """The application's window, once it is there: OpenCV's probe opens another before."""
        deadline = time.monotonic() + PATIENCE
        while not (found := self._xdotool("search", "--name", "^rtpy$").stdout):
            assert time.monotonic() < deadline, "the window is not there"
            time.sleep(0.1)
        return found.split()[0]

    def press(self, key: str) -> None:
        """Press a key in the application's window."""
        pressed = self._xdotool("key", "--window", self.window(), key)
        assert pressed.returncode == 0, pressed.stderr

    def _xdotool(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["xdotool", *words]
        return subprocess.run(command, check=False, env=self.environment, capture_output=True, text=True, timeout=30)

    def wait_for(self, what: Callable[[np.ndarray], bool]) -> np.ndarray:
        """The screen once it shows what is awaited."""
        deadline = time.monotonic() + PATIENCE
        while not what(shown := self.picture()):
            assert time.monotonic() < deadline, "the screen does not show it"
        return shown


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    read, write = os.pipe()
    # Without -noreset the server starts anew, and drops who is connecting, whenever its last client leaves.
    command = ["Xvfb", "-displayfd", str(write), "-noreset", "-screen", "0", "640x480x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with os.fdopen(read) as told:
            number = told.readline().strip()  # written when the display is ready
        yield Screen(tmp_path, {**os.environ, "DISPLAY": f":{number}"})
        server.terminate()


def test_the_window_shows_the_person_and_obeys_the_keys(screen: Screen, tmp_path: Path) -> None:
    suite = motion_suite(tmp_path / "suite", 10, rate=20)
    network = model(tmp_path / "model")
    application = subprocess.Popen(
        [
            *(sys.executable, "-m", "rt_apps.rtpy", "--suite", str(suite), "--model", str(network)),
            *("--background", "colour", "--colour", "60,120,0", "--no-smooth"),
        ],
        env={**screen.environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def shows(colour: int | tuple[int, int, int]) -> Callable[[np.ndarray], bool]:
        """Of that colour below the text and beside the square."""
        return lambda shown: bool((shown[HEIGHT // 2 :, -4:] == colour).all())

    try:
        screen.window()
        screen.wait_for(lambda shown: bool(shown.any()))
        screen.press("h")  # the text covers all of so small a picture
        shown = screen.wait_for(shows(GREEN))
        assert (shown == SQUARE).all(axis=2).sum() == 16 * 16  # the square, and nothing else of the picture
        screen.press("n")
        screen.wait_for(shows(GROUND))
        screen.press("m")
        screen.wait_for(shows(0))
        screen.press("m")  # one key at a time: OpenCV keeps the last of those that came since it was asked
        screen.wait_for(shows(GROUND))
        screen.press("c")
        screen.wait_for(shows(GREEN))
        screen.press("s")
        screen.wait_for(lambda _: any(tmp_path.glob("rtpy-*.png")))
        screen.press("space")
        still = screen.wait_for(lambda shown: bool((shown == screen.picture()).all()))
        assert (still == SQUARE).all(axis=2).sum() == 16 * 16
        screen.press("space")
        screen.wait_for(lambda shown: not (shown == still).all())
        screen.press("q")
        stdout, stderr = application.communicate(timeout=PATIENCE)
    finally:
        application.kill()

    assert application.returncode == 0, stderr
    assert stderr == ""
    assert "presented" in stdout
    (snapshot,) = tmp_path.glob("rtpy-*.png")
    assert (cv2.imread(str(snapshot))[0] == GREEN).all()
