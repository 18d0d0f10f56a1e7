# SPDX-License-Identifier: Apache-2.0
"""Runtime ``core``: the C++ core through its Python module ``segcore``, with a pixel path of its own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.contract import Contract
from harness.runtime import (
    Availability,
    Facts,
    Inference,
    Options,
    Runtime,
    RuntimeFailure,
    installed_version,
    litert_library,
)

_REMEDY = "install a C++17 compiler (Debian, Ubuntu: apt-get install g++), then install this package again"


class CoreRuntime(Runtime):
    """Runs a ``.tflite`` file through the core's ``Segmenter``."""

    formats: ClassVar[tuple[str, ...]] = ("tflite",)

    @classmethod
    def availability(cls) -> Availability:
        try:
            import segcore  # noqa: F401
        except ImportError:
            return Availability(None, _REMEDY)
        if (litert := installed_version("ai-edge-litert")) is None:
            return Availability(None, "pip install ai-edge-litert")
        return Availability(f"segcore {_version()} on {litert}")

    def activate(self, path: Path, contract: Contract, options: Options) -> Facts:
        try:
            import segcore
        except ImportError as error:
            raise RuntimeFailure(f"the core cannot be imported: {error}; {_REMEDY}") from None
        self._core: Any = segcore
        accelerator = getattr(segcore.Accelerator, options.delegate.upper(), None)
        if accelerator is None:
            raise RuntimeFailure(f"the core runs on the cpu, gpu or npu, not on {options.delegate!r}")
        try:
            self._segmenter = segcore.Segmenter.from_file(
                str(path),
                threads=options.threads,
                accelerator=accelerator,
                litert_library=litert_library(),
                contract=contract.to_toml(),
            )
        except segcore.Error as error:
            raise RuntimeFailure(str(error)) from None
        self.contract = contract
        self._mask, self._resizer, self._compositor = segcore.Mask(), segcore.AlphaResizer(), segcore.Compositor()
        self._alpha = np.empty((0, 0), np.uint8)
        info = self._segmenter.info
        return Facts(
            version=f"segcore {_version()} (LiteRT {info.litert_version})",
            actual={
                "delegate": info.accelerator.name.lower(),
                "fell_back": info.fell_back,
                "threads": info.threads,
                "total_ops": info.operators,
                "library": Path(info.litert_library).name,
            },
            inputs=[_describe(tensor) for tensor in info.inputs],
            outputs=[_describe(tensor) for tensor in info.outputs],
            build={
                "compiler": segcore.COMPILER,
                "configuration": segcore.CONFIGURATION,
                "simd": segcore.simd_level().name.lower(),
            },
        )

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        return self._segmenter.invoke(tensor)

    def infer_image(self, frame: np.ndarray) -> Inference:
        if self._alpha.shape != frame.shape[:2]:
            self._alpha = np.empty(frame.shape[:2], np.uint8)  # an application draws into the same frame again
        start = time.perf_counter_ns()
        mask = self._run(frame)
        self._resizer.run(mask, out=self._alpha)
        end = time.perf_counter_ns()
        prepared, invoked = mask.preprocess_ns, mask.invoke_ns
        stages = {"preprocess": prepared, "invoke": invoked, "postprocess": end - start - prepared - invoked}
        return Inference(mask.probability.copy(), start, stages, end - start)

    def tap(self, frame: np.ndarray) -> dict[str, np.ndarray]:
        """``input``, ``alpha`` and the ``composite`` (H, W, 3) RGB over a blurred background."""
        picture = self._core.Frame(frame, self._core.PixelFormat.RGB)
        mask = self._run(frame)
        alpha = self._resizer.run(mask)
        return {
            "input": self._segmenter.preprocess(picture)[0],
            "alpha": alpha,
            "composite": self._compositor.run(picture, alpha),
        }

    def _run(self, frame: np.ndarray) -> Any:
        return self._segmenter.run(self._core.Frame(frame, self._core.PixelFormat.RGB), out=self._mask)

    def deactivate(self) -> None:
        self.__dict__.pop("_segmenter", None)


def _version() -> str:
    from harness import __version__

    return __version__


def _describe(tensor: Any) -> dict[str, Any]:
    return {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype}
