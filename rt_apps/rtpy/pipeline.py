# SPDX-License-Identifier: Apache-2.0
"""Capture, inference and drawing side by side: two threads, and the caller, who draws.

    source ─> [capture] ─> queue ─> [infer + smooth] ─> queue ─> [caller: enlarge + compose]

Queues are short and drop their oldest frame, so that what is shown is never old. ``synced`` draws every picture
with its own mask; ``low_latency`` draws every picture at once with the newest mask there is: it goes to both queues,
and the one for inference keeps the newest frame alone. Without a valid mask the background covers everything. An error
in a thread is raised in the caller.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

import numpy as np

from harness import contract as contracts
from rt_apps.rtpy.background import Background, compose, hide
from rt_apps.rtpy.segmenter import Smoother
from rt_apps.rtpy.sources import Source

MODES = ("synced", "low_latency")

_CAPACITY = 2
"""Frames that wait for a stage."""

_MAX_MASK_AGE = 15
"""Low latency: with an older mask the background is hidden."""

T = TypeVar("T")


@dataclass(frozen=True)
class Frame:
    """One captured picture: its number from 0, 8-bit BGR pixels, its case, and when it was due and captured."""

    sequence: int
    picture: np.ndarray
    case: str
    due_ns: int | None
    captured_ns: int


@dataclass(frozen=True)
class Mask:
    """The probability made from one frame; None where the network gave no finite numbers."""

    sequence: int
    probability: np.ndarray | None
    stages: dict[str, int]


@dataclass(frozen=True)
class Drawn:
    """One picture to show.

    Attributes:
        picture: the composite, 8-bit BGR.
        alpha: 8-bit ``(H, W)``; None where there was no valid mask and the background covers everything.
        mask_age: how many frames older the mask is than the picture; None where hidden.
        dropped: captured frames that were skipped since the picture before.
        stages: nanoseconds of each stage, named as in ``samples.csv``.
    """

    frame: Frame
    picture: np.ndarray
    alpha: np.ndarray | None
    mask_age: int | None
    dropped: int
    stages: dict[str, int]


@dataclass
class Counters:
    """Frames so far. A captured frame that is neither drawn nor dropped is under way."""

    captured: int = 0
    inferred: int = 0
    drawn: int = 0
    hidden: int = 0
    dropped: int = 0
    first_ns: int = 0


class Pipeline:
    """Runs while its ``with`` block does.

    ``mode`` and ``background`` may be changed at any time; the frames that are captured or drawn next obey.

    Args:
        source: what is captured; closed at the end.
        frames: capture at most so many; None for no end.
        loop: start a file over when it ends.
        paced: play a file at its rate and drop what cannot be kept up with; False: take frames as fast as they can
            be drawn, and drop none. A camera is always paced.
        smooth: steady the mask over time.
    """

    def __init__(
        self,
        source: Source,
        segmenter: Callable[[np.ndarray], tuple[np.ndarray, dict[str, int]]],
        contract: contracts.Contract,
        background: Background,
        mode: str = "synced",
        frames: int | None = None,
        loop: bool = False,
        paced: bool = True,
        smooth: bool = True,
    ) -> None:
        self.mode, self.background = mode, background
        self.counters = Counters()
        self.ended = False
        self._source, self._segmenter, self._contract = source, segmenter, contract
        self._frames, self._loop, self._paced = frames, loop, paced
        self._smoother = Smoother() if smooth else None
        self._to_infer: _Queue[tuple[Frame, bool]] = _Queue()  # the frame, and whether it waits for its mask
        self._to_draw: _Queue[tuple[Frame, Mask | None]] = _Queue()
        self._masks: deque[Mask] = deque(maxlen=2 * _CAPACITY)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._last = -1
        self._threads = [
            threading.Thread(target=self._guard, args=(work, into), name=name, daemon=True)
            for name, work, into in (
                ("capture", self._capture, self._to_infer),
                ("infer", self._infer, self._to_draw),
            )
        ]

    def __enter__(self) -> Pipeline:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End at once. What is under way counts as dropped."""
        self._stop.set()
        self._to_infer.close(discard=True)
        self._to_draw.close(discard=True)
        for thread in self._threads:
            thread.join(timeout=5)  # a camera that hangs must not hang the application
        self.counters.dropped = self.counters.captured - self.counters.drawn

    def take(self, timeout: float) -> Drawn | None:
        """Draw the next picture; None where none came in time, or with ``ended`` set, none will come.

        Raises:
            Exception: whatever ended one of the threads.
        """
        taken = self._to_draw.get(timeout)
        if taken is None:
            if self._to_draw.exhausted:
                self.ended = True
                if self._error is not None:
                    raise self._error
            return None
        frame, mask = taken
        if frame.sequence < self._last:
            return None  # it waited for its mask while the mode was changed and a later one was drawn
        drawn = self._draw(frame, mask or self._newest_mask(frame.sequence))
        counters = self.counters
        counters.drawn += 1
        counters.dropped += drawn.dropped
        counters.hidden += drawn.alpha is None
        self._last = frame.sequence
        return drawn

    def _newest_mask(self, sequence: int) -> Mask | None:
        """Low latency: the newest mask that is not of a later frame, and not too old."""
        usable = (m for m in reversed(self._masks.copy()) if 0 <= sequence - m.sequence <= _MAX_MASK_AGE)
        return next(usable, None)

    def _draw(self, frame: Frame, mask: Mask | None) -> Drawn:
        began = time.perf_counter_ns()
        stages = dict(mask.stages) if mask else {}
        dropped = frame.sequence - self._last - 1
        if mask is None or mask.probability is None:
            picture = hide(frame.picture, self.background)
            stages["composite_ns"] = time.perf_counter_ns() - began
            return Drawn(frame, picture, None, None, dropped, stages)
        height, width = frame.picture.shape[:2]
        alpha = contracts.frame_alpha(self._contract, mask.probability, (height, width))
        enlarged = time.perf_counter_ns()
        picture = compose(frame.picture, alpha, self.background)
        stages["postprocess_ns"] += enlarged - began
        stages["composite_ns"] = time.perf_counter_ns() - enlarged
        return Drawn(frame, picture, alpha, frame.sequence - mask.sequence, dropped, stages)

    # --- threads ---------------------------------------------------------------------------------

    def _guard(self, work: Callable[[], None], into: _Queue) -> None:
        """Run a thread's work and close the queue it fills; what waits there is drawn before an error is raised."""
        try:
            work()
        except BaseException as error:
            self._error = self._error or error
            self._stop.set()
            self._to_infer.close()
        finally:
            into.close()

    def _capture(self) -> None:
        interval = 1e9 / self._source.rate if self._source.rate and self._paced else None
        start = time.perf_counter_ns()
        sequence = 0
        try:
            while not self._stop.is_set() and sequence != self._frames:
                read = self._source.read()
                if read is None and self._loop and self._source.rewind():
                    read = self._source.read()
                if read is None:
                    break
                due = round(start + sequence * interval) if interval else None
                if due and self._stop.wait(max(0, due - time.perf_counter_ns()) / 1e9):
                    break
                frame = Frame(sequence, *read, due, time.perf_counter_ns())
                self.counters.first_ns = self.counters.first_ns or frame.captured_ns
                sequence += 1
                self.counters.captured = sequence
                if self.mode == "synced":
                    self._to_infer.put((frame, True), _CAPACITY, wait=not self._paced)
                else:
                    self._to_infer.put((frame, False), 1, wait=False)
                    self._to_draw.put((frame, None), _CAPACITY, wait=not self._paced)
        finally:
            self._source.close()

    def _infer(self) -> None:
        while (taken := self._to_infer.get()) is not None:
            frame, waits = taken
            mask = self._mask(frame)
            self.counters.inferred += 1
            self._masks.append(mask)
            if waits:
                self._to_draw.put((frame, mask), _CAPACITY, wait=not self._paced)

    def _mask(self, frame: Frame) -> Mask:
        probability, stages = self._segmenter(frame.picture)
        if not np.isfinite(probability).all():
            return Mask(frame.sequence, None, stages)
        began = time.perf_counter_ns()
        if self._smoother:
            probability = self._smoother(probability)
        return Mask(frame.sequence, probability, {**stages, "refine_ns": time.perf_counter_ns() - began})


class _Queue(Generic[T]):
    """A short hand-over between two threads."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: T, capacity: int, wait: bool) -> None:
        """Hand an item over; where ``capacity`` are there already, wait, or drop the oldest. Nothing once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not wait or len(self._items) < capacity)
            while len(self._items) >= capacity:
                self._items.popleft()
            if not self._closed:
                self._items.append(item)
                self._changed.notify_all()

    def get(self, timeout: float | None = None) -> T | None:
        """The oldest item; None where none came in time, or will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._items, timeout)
            if not self._items:
                return None
            self._changed.notify_all()
            return self._items.popleft()

    def close(self, discard: bool = False) -> None:
        """No more items; those that wait can still be taken unless they are discarded."""
        with self._changed:
            self._closed = True
            if discard:
                self._items.clear()
            self._changed.notify_all()

    @property
    def exhausted(self) -> bool:
        with self._changed:
            return self._closed and not self._items
