# SPDX-License-Identifier: Apache-2.0
"""Where live pictures come from: a camera, a video file, or a motion suite, behind one interface.

Knows pixels and rates; no models, no threads, no windows. Pictures are 8-bit BGR ``(H, W, 3)``, as OpenCV has them.
"""

from __future__ import annotations

import abc
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from harness import suite as suites
from harness.errors import HarnessError, InvalidError
from harness.pictures import sha256

_USUAL_RATE = 30.0
"""Frames per second of a file that does not tell."""

_WHOLE = 0.95
"""Share of the frames a video promises that make it whole: what containers promise is not exact."""

_ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class SourceError(HarnessError):
    """A camera, video or suite that cannot be opened; the message says what to try."""


class SourceLost(InvalidError):
    """A source that broke off while it was read: a camera unplugged, a picture that changed size."""


class Source(abc.ABC):
    """Pictures one after the other.

    Attributes:
        name: ``camera:<index>``, ``video:<name>`` or ``suite:<id>``.
        rate: frames per second at which a file is played; None for a camera, which has a pace of its own.
        suite: the ``suite`` part of ``run.json``.
    """

    name: str
    rate: float | None
    suite: dict[str, Any]

    @abc.abstractmethod
    def read(self) -> tuple[np.ndarray, str] | None:
        """The next picture, and its case where there is one; None at the end.

        Raises:
            SourceLost: the source broke off.
        """

    @abc.abstractmethod
    def rewind(self) -> bool:
        """Start over; False where that is not possible."""

    def close(self) -> None:
        """Let go of the device or file."""


class Camera(Source):
    """A camera of the system, by its index.

    Args:
        rate: frames per second to ask of it; it may choose another.
    """

    def __init__(self, index: int, rate: float | None = None) -> None:
        self.name, self.rate = f"camera:{index}", None
        self.suite = {"id": self.name, "sha256": None, "cases": []}
        self._capture = cv2.VideoCapture(index)
        if not self._capture.isOpened():
            raise SourceError(
                f"camera {index}: there is none, or another program has it; play a file with --video or --suite"
            )
        if rate:
            self._capture.set(cv2.CAP_PROP_FPS, rate)

    def read(self) -> tuple[np.ndarray, str] | None:
        there, picture = self._capture.read()
        if not there:
            raise SourceLost(f"{self.name}: it gives no pictures any more; was it unplugged?")
        return picture, ""

    def rewind(self) -> bool:
        return False

    def close(self) -> None:
        self._capture.release()


class Video(Source):
    """A video file that OpenCV can decode."""

    def __init__(self, path: Path, rate: float | None = None) -> None:
        self.name = f"video:{path.name}"
        try:
            digest = sha256(path.read_bytes())
        except OSError as error:
            raise SourceError(f"{path}: cannot read the video: {error.strerror}") from None
        self.suite = {"id": self.name, "sha256": digest, "cases": []}
        self._capture = cv2.VideoCapture(str(path))
        self._first = self._capture.read()[1] if self._capture.isOpened() else None
        if self._first is None:
            raise SourceError(f"{path}: not a video, damaged, or of a kind that OpenCV was built without")
        told = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate or (told if 0 < told <= 1000 else _USUAL_RATE)
        self._path, self._frames = path, 0
        self._promised = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def read(self) -> tuple[np.ndarray, str] | None:
        picture, self._first = self._first, None
        if picture is None:
            picture = self._capture.read()[1]
        if picture is None:
            if self._frames < _WHOLE * self._promised:
                raise SourceLost(
                    f"{self._path}: damaged: it breaks off after {self._frames} of {self._promised} frames"
                )
            return None
        self._frames += 1
        return picture, ""

    def rewind(self) -> bool:
        self._frames = 0
        return self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)

    def close(self) -> None:
        self._capture.release()


class MotionSuite(Source):
    """A motion suite, played like a camera of its rate; any other suite where a rate is given."""

    def __init__(self, name: str, rate: float | None = None) -> None:
        found = suites.find(name)
        self.name = f"suite:{found.id}"
        self.rate = rate or found.fps
        if self.rate is None:
            raise SourceError(f"{name}: not a motion suite: it has no rate; give one with --fps, or --suite another")
        self.suite = {"id": found.id, "sha256": found.sha256, "cases": [_case_facts(case) for case in found.cases]}
        self._cases, self._next = found.cases, 0

    def read(self) -> tuple[np.ndarray, str] | None:
        if self._next == len(self._cases):
            return None
        case = self._cases[self._next]
        self._next += 1
        return cv2.cvtColor(case.read_image(), cv2.COLOR_RGB2BGR), case.id

    def rewind(self) -> bool:
        self._next = 0
        return True


class Turned(Source):
    """Another source, turned upright and mirrored.

    Args:
        rotation: degrees clockwise: 0, 90, 180 or 270.
        mirror: then flip left to right, as in a mirror.
    """

    def __init__(self, inner: Source, rotation: int, mirror: bool) -> None:
        self.name, self.rate, self.suite = inner.name, inner.rate, inner.suite
        self._inner, self._rotation, self._mirror = inner, rotation, mirror

    def read(self) -> tuple[np.ndarray, str] | None:
        read = self._inner.read()
        if read is None:
            return None
        picture, case = read
        if self._rotation:
            picture = cv2.rotate(picture, _ROTATIONS[self._rotation])
        return (cv2.flip(picture, 1) if self._mirror else picture), case

    def rewind(self) -> bool:
        return self._inner.rewind()

    def close(self) -> None:
        self._inner.close()


def _case_facts(case: suites.Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "input_sha256": case.image.sha256,
        "height": case.height,
        "width": case.width,
        "tags": list(case.tags),
    }
