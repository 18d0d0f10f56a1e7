# SPDX-License-Identifier: Apache-2.0
"""What a live run leaves behind: a video, a snapshot, and a ``live`` run bundle. Every file is whole or not there."""

from __future__ import annotations

import os
import secrets
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from harness import bundle as bundles
from harness import device
from harness.errors import HarnessError
from harness.files import write_file
from harness.pictures import encode_png
from harness.runtime import installed_version
from rt_apps.rtpy.background import Background
from rt_apps.rtpy.pipeline import Counters, Drawn
from rt_apps.rtpy.segmenter import Segmenter
from rt_apps.rtpy.sources import Source

_CODECS = {".mp4": "mp4v", ".avi": "MJPG"}


class VideoRecorder:
    """Writes pictures as a video, under a hidden name until :meth:`close`.

    Raises:
        HarnessError: the ending is unknown, or there is no such folder; from :meth:`add`, it cannot be written.
    """

    def __init__(self, path: Path, rate: float) -> None:
        if path.suffix not in _CODECS:
            raise HarnessError(f"{path}: cannot record a {path.suffix or 'file without ending'}; use .mp4 or .avi")
        if not path.parent.is_dir():
            raise HarnessError(f"{path}: there is no folder {path.parent}; choose another place with --record")
        self._path, self._rate = path, rate
        self._temporary = path.with_name(f".{path.stem}.tmp{os.getpid()}{path.suffix}")
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def add(self, picture: np.ndarray) -> None:
        size = picture.shape[1], picture.shape[0]
        if self._writer is None:
            codec = cv2.VideoWriter.fourcc(*_CODECS[self._path.suffix])
            self._writer, self._size = cv2.VideoWriter(str(self._temporary), codec, self._rate, size), size
            if not self._writer.isOpened():
                raise HarnessError(f"{self._path}: cannot write a video there; choose another place with --record")
        self._writer.write(picture if size == self._size else cv2.resize(picture, self._size))

    def close(self) -> None:
        if self._writer is not None and self._writer.isOpened():
            self._writer.release()
            os.replace(self._temporary, self._path)


def write_snapshot(path: Path, picture: np.ndarray) -> None:
    """A picture as PNG."""
    write_file(path, encode_png(np.ascontiguousarray(picture[..., ::-1]), 3))


class LiveBundle:
    """The ``live`` run bundle of one run; an interrupted one stays behind with status ``partial``.

    Args:
        folder: where the bundle ``<run_id>.run`` is made.
        paced: whether a file is played at its rate.
    """

    def __init__(
        self, folder: Path, source: Source, segmenter: Segmenter, background: Background, mode: str, threads: int,
        paced: bool,
    ) -> None:  # fmt: skip
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HarnessError(
                f"{folder}: cannot make the folder: {error.strerror}; choose another one with --fps-report"
            ) from None
        now = datetime.now(timezone.utc)
        session = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        rate = source.rate if paced else None
        self._phase = "paced" if paced else "steady"
        keras = installed_version("keras")
        shape = [1, *segmenter.size, 3]
        facts: dict[str, Any] = {
            "schema": bundles.SCHEMA,
            "run_id": f"rtpy-{mode.replace('_', '-')}-{session}",
            "kind": "live",
            "status": "partial",
            "error": None,
            "label": f"rtpy:{mode}",
            "session": {"id": session, "arm": "rtpy", "order": 0},
            "started_at": now.isoformat(timespec="seconds"),
            "tool": device.tool(),
            "suite": source.suite,
            "model": {
                **segmenter.file.facts(),
                "inputs": [{"name": "input", "shape": shape, "dtype": "float32"}],
                "outputs": [{"name": "output", "shape": list(segmenter.output_shape), "dtype": "float32"}],
            },
            "runtime": {
                "name": "keras",
                "version": f"{installed_version('tensorflow')} ({keras})",
                "requested": {"delegate": "cpu", "threads": threads},
                "actual": {"delegate": "none", "threads": segmenter.threads},
            },
            "device": device.describe(),
            "build": {},
            "lane": "image",
            "protocol": {"profile": "none", "count": 0, "duration_s": 0, "timer": device.timer()},
            "conditions": {"before": device.conditions()},
            "timing": {"load_ns": segmenter.load_ns, "first_inference_ns": segmenter.first_ns},
            "memory": {},
            "request": {"spec": "rtpy"},
            "live": {
                "mode": mode,
                "background": background.kind,
                "source": source.name,
                "paced_fps": rate,
                **dict.fromkeys(("captured", "inferred", "presented", "dropped", "hidden", "wall_ns"), 0),
            },
        }
        self._writer = bundles.BundleWriter(folder / f"{facts['run_id']}.run", facts)
        self._rows: list[dict[str, Any]] = []

    @property
    def path(self) -> Path:
        return self._writer.folder

    def add(self, drawn: Drawn, presented_ns: int) -> None:
        """One picture that was shown. Rows are kept until the end: writing them now would disturb what is timed."""
        frame = drawn.frame
        self._rows.append(
            {
                "phase": self._phase,
                "restart": 0,
                "block": 0,
                "case": frame.case,
                "due_ns": frame.due_ns,
                "start_ns": frame.captured_ns,
                **drawn.stages,
                "total_ns": presented_ns - frame.captured_ns,
                "presented_ns": presented_ns,
                "dropped": drawn.dropped,
                "mask_age": drawn.mask_age,
            }
        )

    def finish(self, counters: Counters, wall_ns: int, error: BaseException | None = None) -> None:
        """Write everything: a ``complete`` bundle, or a ``failed`` one that names the error."""
        self._writer.add_samples(self._rows)
        self._writer.facts["conditions"]["after"] = device.conditions()
        self._writer.facts["live"].update(
            captured=counters.captured,
            inferred=counters.inferred,
            presented=counters.drawn,
            dropped=counters.dropped,
            hidden=counters.hidden,
            wall_ns=wall_ns,
        )
        failure = {"kind": "runtime", "message": str(error)} if error else None
        self._writer.finish("failed" if error else "complete", failure)
