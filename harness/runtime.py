# SPDX-License-Identifier: Apache-2.0
"""What a runtime is, and which ones are registered.

A runtime loads one model file, turns frames or tensors into probability maps and stamps its stages with a
monotonic clock. It knows no statistics and no verdicts. Packages register runtimes in the entry-point group
``harness.runtimes``; nothing here imports one by name.
"""

from __future__ import annotations

import abc
import importlib.util
import re
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness import contract as contracts
from harness.errors import HarnessError, InvalidError

GROUP = "harness.runtimes"


@dataclass(frozen=True)
class Options:
    """What is asked of a runtime; it reports what it got in :class:`Facts`."""

    threads: int = 1
    delegate: str = "cpu"


@dataclass(frozen=True)
class Facts:
    """What a runtime found when it loaded a model: the variable parts of ``run.json``."""

    version: str
    actual: dict[str, Any] = field(default_factory=dict)
    inputs: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    build: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Inference:
    """One frame's result.

    Attributes:
        probability: float32 ``(h, w)`` in [0, 1] at the model's resolution.
        start_ns: clock at the start, nanoseconds (``time.perf_counter_ns``).
        stages_ns: duration of each stage that ran, in order: ``preprocess``, ``invoke``, ``postprocess``.
        total_ns: from start to end.
    """

    probability: np.ndarray
    start_ns: int
    stages_ns: dict[str, int]
    total_ns: int


@dataclass(frozen=True)
class Availability:
    """Whether a runtime can be used here: its version, or what to install."""

    version: str | None
    remedy: str = ""


class RuntimeFailure(Exception):
    """A runtime could not load or run a model; the message says which and why."""


class RuntimeCrash(RuntimeFailure):
    """The process that runs the model for a runtime is gone; the message says what became of it."""


class Runtime(abc.ABC):
    """``activate``, then ``infer_image`` or ``infer_tensor`` as often as needed, then ``deactivate``.

    A subclass gives :meth:`availability`, :meth:`activate` and :meth:`invoke`; one that has its own pixel path
    overrides :meth:`decode` and :meth:`infer_image` as well.
    """

    formats: ClassVar[tuple[str, ...]]
    """Formats of :class:`harness.model_file.ModelFile` it loads."""

    default_variant: ClassVar[str] = "fp32"
    contract: contracts.Contract

    @classmethod
    @abc.abstractmethod
    def availability(cls) -> Availability:
        """Looks for what is installed, without importing anything heavy."""

    @abc.abstractmethod
    def activate(self, path: Path, contract: contracts.Contract, options: Options) -> Facts:
        """Load the model.

        Raises:
            RuntimeFailure: it cannot be loaded.
        """

    @abc.abstractmethod
    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        """Run the network alone: input tensor ``(1, h, w, 3)`` float32 to its raw output."""

    def deactivate(self) -> None:
        """Free the model."""

    def peak_memory(self) -> tuple[int, str] | None:
        """Highest resident memory so far of the process that runs the model, in bytes, and how it was measured; None
        where that is this process."""
        return None

    def decode(self, path: Path) -> np.ndarray:
        """A frame ``(H, W, 3)`` uint8 RGB from a picture of the suite (PNG or NPY)."""
        from harness import pictures  # OpenCV: listing the runtimes does without it

        data = path.read_bytes()
        frame = pictures.decode_npy(data) if path.suffix == ".npy" else pictures.decode(data, grey=False)
        if frame is None:
            raise RuntimeFailure(f"{path}: not a readable picture; check the suite with harness suite verify")
        return frame

    def infer_image(self, frame: np.ndarray) -> Inference:
        """The whole path from a frame to the alpha at the frame's size, stage by stage."""
        start = time.perf_counter_ns()
        tensor = contracts.preprocess(self.contract, frame)
        prepared = time.perf_counter_ns()
        output = self.invoke(tensor)
        invoked = time.perf_counter_ns()
        probability = contracts.probability(self.contract, output)
        contracts.frame_alpha(self.contract, probability, (frame.shape[0], frame.shape[1]))
        end = time.perf_counter_ns()
        stages = {"preprocess": prepared - start, "invoke": invoked - prepared, "postprocess": end - invoked}
        return Inference(probability, start, stages, end - start)

    def tap(self, frame: np.ndarray) -> dict[str, np.ndarray]:
        """What the stages of the image lane leave of one frame, for finding where two runtimes part.

        Returns:
            ``input`` float32 ``(h, w, 3)`` and ``alpha`` uint8 ``(H, W)``, and further ones of
            :data:`harness.bundle.STAGES` where a runtime has them.
        """
        tensor = contracts.preprocess(self.contract, frame)
        probability = contracts.probability(self.contract, self.invoke(tensor))
        alpha = contracts.frame_alpha(self.contract, probability, (frame.shape[0], frame.shape[1]))
        return {"input": tensor[0], "alpha": alpha}

    def infer_tensor(self, tensor: np.ndarray) -> Inference:
        """The network on a given input tensor ``(1, h, w, 3)`` float32."""
        start = time.perf_counter_ns()
        output = self.invoke(tensor)
        end = time.perf_counter_ns()
        probability = contracts.probability(self.contract, output)
        return Inference(probability, start, {"invoke": end - start}, end - start)


# --- names on the command line -------------------------------------------------------------------


@dataclass(frozen=True)
class Spec:
    """A runtime as named on the command line: ``runtime[:variant][@target]``."""

    text: str
    runtime: str
    variant: str
    target: str | None


_SPEC = re.compile(r"(?P<runtime>[A-Za-z0-9_-]+)(:(?P<variant>[A-Za-z0-9_]+))?(@(?P<target>[A-Za-z0-9_.=+-]+))?")


def parse_spec(text: str) -> Spec:
    """Read ``keras``, ``tflite:int8``, ``tflite@tflite-runtime==2.14.0``, …

    Raises:
        HarnessError: it is no such name, or no runtime of that name is registered.
    """
    match = _SPEC.fullmatch(text)
    if match is None:
        raise HarnessError(f"{text!r} names no runtime; write runtime[:variant][@target], such as tflite:int8")
    variant = match["variant"] or find(match["runtime"]).default_variant
    return Spec(text, match["runtime"], variant, match["target"])


def registered() -> dict[str, metadata.EntryPoint]:
    """The registered runtimes by name."""
    return {entry.name: entry for entry in sorted(metadata.entry_points(group=GROUP), key=lambda e: e.name)}


def find(name: str) -> type[Runtime]:
    """The class of a registered runtime.

    Raises:
        HarnessError: there is none of that name.
        InvalidError: it is registered but cannot be imported.
    """
    entries = registered()
    if name not in entries:
        raise HarnessError(f"no runtime {name!r}; known: {', '.join(entries)} (harness runtimes lists them)")
    try:
        return entries[name].load()
    except ImportError as error:
        raise InvalidError(f"runtime {name!r} ({entries[name].value}) cannot be imported: {error}") from error


def installed_version(*distributions: str) -> str | None:
    """``name version`` of the first of these distributions that is installed."""
    for name in distributions:
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return None


def litert_library() -> str:
    """The library of the ``ai-edge-litert`` that this environment has, so that all runtimes on the core run the release
    that ``tflite`` runs; empty where the core is left to look for one itself."""
    spec = importlib.util.find_spec("ai_edge_litert")
    places = spec.submodule_search_locations or () if spec else ()
    return next((str(library) for place in places for library in Path(place).glob("libLiteRt.*")), "")
