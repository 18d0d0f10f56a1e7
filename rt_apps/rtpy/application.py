# SPDX-License-Identifier: Apache-2.0
"""The application: takes drawn pictures from the pipeline, shows and records them, and obeys the keyboard."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import HarnessError
from rt_apps.rtpy.background import Background
from rt_apps.rtpy.pipeline import Counters, Drawn, Pipeline
from rt_apps.rtpy.recording import LiveBundle, VideoRecorder, write_snapshot
from rt_apps.rtpy.segmenter import Segmenter
from rt_apps.rtpy.sources import Source
from rt_apps.rtpy.window import Overlay, Window

_PATIENCE = 0.02
"""Seconds to wait for a picture before the keyboard is asked again."""

_USUAL_RATE = 30.0
"""Frames per second of the recording of a camera."""

_BLUR_STEP = 5
"""Thousandths of the longer side by which a key changes the blur."""

_BACKGROUND_KEYS = {"b": "blur", "i": "image", "c": "colour", "n": "none"}


@dataclass(frozen=True)
class Settings:
    """What to run, beside source and model.

    Attributes:
        mode: ``synced`` or ``low_latency``.
        frames: end after so many captured frames; None for no such end.
        paced: play a file at its rate; False: as fast as it can be drawn.
        threads: as asked for, of the network.
        record, snapshot, report: files and folder to write; None for none.
    """

    background: Background
    mode: str = "synced"
    smooth: bool = True
    threads: int = 1
    frames: int | None = None
    paced: bool = True
    record: Path | None = None
    snapshot: Path | None = None
    report: Path | None = None


@dataclass
class Result:
    """What a run came to: counters, the time from the first capture to the last picture shown, and its bundle."""

    mode: str
    background: str
    source: str
    counters: Counters
    wall_ns: int = 0
    bundle: Path | None = None
    interrupted: bool = False

    def facts(self) -> dict[str, Any]:
        """Plain data for ``--json``; rates are frames per second of the whole path, None where nothing was shown."""
        counts = self.counters
        seconds = self.wall_ns / 1e9
        numbers = {"captured": counts.captured, "inferred": counts.inferred, "presented": counts.drawn}
        return {
            "mode": self.mode,
            "background": self.background,
            "source": self.source,
            **numbers,
            "dropped": counts.dropped,
            "hidden": counts.hidden,
            "seconds": round(seconds, 3),
            **{f"{name}_fps": round(count / seconds, 2) if seconds else None for name, count in numbers.items()},
            "bundle": str(self.bundle) if self.bundle else None,
        }


def run(source: Source, segmenter: Segmenter, settings: Settings, window: Window | None) -> Result:
    """Run until the source ends, ``settings.frames`` are captured, or the person at the keyboard has enough.

    In a window a file starts over when it ends. Ctrl-C ends a run like ``q``, and is told in the result.

    Raises:
        HarnessError: the source broke off, or a file cannot be written; what there is until then is kept.
    """
    application = _Application(source, segmenter, settings, window)
    try:
        application.run()
    except KeyboardInterrupt:
        application.result.interrupted = True
    return application.result


class _Application:
    def __init__(self, source: Source, segmenter: Segmenter, settings: Settings, window: Window | None) -> None:
        self._settings, self._window = settings, window
        self._pipeline = Pipeline(
            source,
            segmenter,
            segmenter.contract,
            settings.background,
            mode=settings.mode,
            frames=settings.frames,
            loop=window is not None and settings.frames is None,
            paced=settings.paced,
            smooth=settings.smooth,
        )
        self.result = Result(settings.mode, settings.background.kind, source.name, self._pipeline.counters)
        self._overlay = Overlay()
        self._show_mask, self._quit = False, False
        self._last: np.ndarray | None = None
        self._recorder = VideoRecorder(settings.record, source.rate or _USUAL_RATE) if settings.record else None
        self._bundle: LiveBundle | None = None
        if settings.report:
            self._bundle = LiveBundle(
                settings.report, source, segmenter, settings.background, settings.mode, settings.threads,
                settings.paced,
            )  # fmt: skip
            self.result.bundle = self._bundle.path

    def run(self) -> None:
        with self._kept(), self._pipeline as pipeline:
            while not pipeline.ended and not self._quit:
                drawn = pipeline.take(_PATIENCE)
                if drawn is not None:
                    self._present(drawn)
                elif self._window:
                    self._obey(self._window.key())

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        """Whatever ends the run, the files are finished."""
        error: BaseException | None = None
        try:
            yield
        except HarnessError as problem:
            error = problem
            raise
        finally:
            if self._recorder:
                self._recorder.close()
            if self._settings.snapshot and self._last is not None:
                write_snapshot(self._settings.snapshot, self._last)
            if self._bundle:
                self._bundle.finish(self._pipeline.counters, self.result.wall_ns, error)

    def _present(self, drawn: Drawn) -> None:
        counters, self._last = self._pipeline.counters, drawn.picture
        key = ""
        if self._window:
            shown = _alpha_picture(drawn) if self._show_mask else drawn.picture
            state = f"{self._pipeline.mode.replace('_', '-')}  {self._pipeline.background.kind}"
            self._window.show(self._overlay.over(shown, drawn, counters, state))
            key = self._window.key()
        now = time.perf_counter_ns()
        self.result.wall_ns = now - counters.first_ns
        if self._bundle:
            self._bundle.add(drawn, now)
        if self._recorder:
            self._recorder.add(drawn.picture)
        self._obey(key)

    def _obey(self, key: str) -> None:
        background = self._pipeline.background
        if key in ("q", "esc"):
            self._quit = True
        elif key in _BACKGROUND_KEYS:
            kind = _BACKGROUND_KEYS[key]
            if kind != "image" or background.image is not None:
                self._pipeline.background = replace(background, kind=kind)
        elif key in ("+", "-"):
            stronger = background.blur + (_BLUR_STEP if key == "+" else -_BLUR_STEP)
            self._pipeline.background = replace(background, kind="blur", blur=min(max(stronger, _BLUR_STEP), 200))
        elif key == "l" and self._bundle is None:  # what is being measured stays what it is
            self._pipeline.mode = "synced" if self._pipeline.mode == "low_latency" else "low_latency"
        elif key == "m":
            self._show_mask = not self._show_mask
        elif key == "h":
            self._overlay.visible = not self._overlay.visible
        elif key == "s" and self._last is not None:
            write_snapshot(Path(f"rtpy-{time.strftime('%Y%m%d-%H%M%S')}.png"), self._last)
        elif key == " " and self._window:
            # The picture stands still; the source goes on, and what it gives meanwhile is dropped.
            while (key := self._window.key(20)) not in (" ", "q", "esc"):
                pass
            self._quit = key != " "


def _alpha_picture(drawn: Drawn) -> np.ndarray:
    """The mask as a grey picture; black where there is none."""
    return np.zeros_like(drawn.picture) if drawn.alpha is None else np.repeat(drawn.alpha[..., None], 3, axis=2)
