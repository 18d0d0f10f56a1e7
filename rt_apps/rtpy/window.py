# SPDX-License-Identifier: Apache-2.0
"""The window: shows pictures with what is being measured written over them, and says which keys were pressed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace

import cv2
import numpy as np

from harness.errors import InvalidError
from rt_apps.rtpy.pipeline import Counters, Drawn

TITLE = "rtpy"
KEYS = "b blur +/-  i image  c colour  n none  l latency  m mask  space pause  s snapshot  h hide this  q quit"

_PROBE = "import cv2; cv2.namedWindow('probe'); cv2.waitKey(1)"
_RATE_SECONDS = 0.5
"""How often the rates on the screen are taken anew."""

_LINE = 20
"""Height of a line of text in pixels."""

_STAGES = {"preprocess_ns": "pre", "invoke_ns": "invoke", "postprocess_ns": "post", "refine_ns": "smooth",
           "composite_ns": "compose"}  # fmt: skip


class NoDisplay(InvalidError):
    """There is no screen to open a window on."""


class Window:
    """One window of the screen; it opens with the first picture.

    Raises:
        NoDisplay: no window can be opened here.
    """

    def __init__(self) -> None:
        # Without a display some builds of OpenCV end the process instead of raising: a process of its own tries first.
        probe = subprocess.run([sys.executable, "-c", _PROBE], check=False, capture_output=True, env=os.environ)
        if probe.returncode:
            raise NoDisplay("no window can be opened here (no display, or an OpenCV without windows); use --headless")
        self._open = False

    def show(self, picture: np.ndarray) -> None:
        if not self._open:
            cv2.namedWindow(TITLE, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
            self._open = True
        cv2.imshow(TITLE, picture)

    def key(self, milliseconds: int = 1) -> str:
        """The key pressed since the last call, ``esc`` for Escape and for a closed window; empty for none."""
        if not self._open:
            return ""
        code = cv2.waitKey(milliseconds) & 0xFF
        if code == 27 or cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            return "esc"
        return chr(code) if code < 128 else ""

    def close(self) -> None:
        cv2.destroyAllWindows()


@dataclass(frozen=True)
class _Rates:
    captured: float
    inferred: float
    presented: float


class Overlay:
    """Frames per second, mask age, dropped frames and stage times, as lines of text over a picture."""

    def __init__(self) -> None:
        self.visible = True
        self._since, self._before = time.perf_counter(), Counters()
        self._rates: _Rates | None = None

    def over(self, picture: np.ndarray, drawn: Drawn, counters: Counters, state: str) -> np.ndarray:
        """The picture with the lines on it; the picture itself stays as it is."""
        self._measure(counters)
        if not self.visible:
            return picture
        lines = self._lines(drawn, counters, state)
        picture = picture.copy()
        picture[: 12 + _LINE * len(lines)] //= 3  # dark enough for white letters, whatever is shown
        for number, line in enumerate(lines, 1):
            cv2.putText(
                picture, line, (10, _LINE * number), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA
            )
        return picture

    def _measure(self, counters: Counters) -> None:
        seconds = time.perf_counter() - self._since
        if seconds < _RATE_SECONDS:
            return
        pairs = ((getattr(counters, n), getattr(self._before, n)) for n in ("captured", "inferred", "drawn"))
        self._rates = _Rates(*((now - before) / seconds for now, before in pairs))
        self._since, self._before = time.perf_counter(), replace(counters)

    def _lines(self, drawn: Drawn, counters: Counters, state: str) -> list[str]:
        rates = self._rates
        age = "none: background hidden" if drawn.mask_age is None else str(drawn.mask_age)
        stages = [f"{name} {drawn.stages[key] / 1e6:.1f}" for key, name in _STAGES.items() if key in drawn.stages]
        return [
            f"captured {rates.captured:.1f}  inferred {rates.inferred:.1f}  presented {rates.presented:.1f} fps"
            if rates
            else "captured, inferred, presented: measuring",
            f"mask age {age}  dropped {counters.dropped}  {state}",
            "  ".join(stages) + " ms",
            KEYS,
        ]
