# SPDX-License-Identifier: Apache-2.0
"""Runtime ``tflite``: the TFLite interpreter of whichever package is installed.

Looked for in this order: ``ai-edge-litert``, its predecessor ``tflite-runtime``, and ``tf.lite`` of TensorFlow.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.contract import Contract
from harness.runtime import Availability, Facts, Options, Runtime, RuntimeFailure, installed_version

_SOURCES = (
    ("ai-edge-litert", "ai_edge_litert.interpreter"),
    ("tflite-runtime", "tflite_runtime.interpreter"),
    ("tensorflow", "tensorflow.lite.python.interpreter"),
)


class TFLiteRuntime(Runtime):
    """Runs a ``.tflite`` file with float input and output on the CPU."""

    formats: ClassVar[tuple[str, ...]] = ("tflite",)

    @classmethod
    def availability(cls) -> Availability:
        version = installed_version(*(distribution for distribution, _ in _SOURCES))
        return Availability(version, "" if version else "pip install ai-edge-litert")

    def activate(self, path: Path, contract: Contract, options: Options) -> Facts:
        if options.delegate != "cpu":
            raise RuntimeFailure(f"the tflite runtime runs on the cpu, not on {options.delegate!r}")
        module, version = _import_interpreter()
        try:
            interpreter = module.Interpreter(model_path=str(path), num_threads=options.threads)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise RuntimeFailure(f"{path}: {version} cannot load it: {error}") from None
        self.contract = contract
        self._interpreter = interpreter
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        expected = (1, contract.input_height, contract.input_width, 3)
        shape = tuple(int(n) for n in inputs[0]["shape"])
        if shape != expected or inputs[0]["dtype"] != np.float32:
            raise RuntimeFailure(
                f"{path}: the input is {inputs[0]['dtype'].__name__} {shape}, the contract says float32 {expected}"
            )
        return Facts(
            version=version,
            actual={"threads": options.threads, **_delegation(interpreter)},
            inputs=[_describe(detail) for detail in inputs],
            outputs=[_describe(detail) for detail in outputs],
        )

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        self._interpreter.set_tensor(self._input, tensor)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)

    def deactivate(self) -> None:
        self.__dict__.pop("_interpreter", None)


def _import_interpreter() -> tuple[Any, str]:
    for distribution, module in _SOURCES:
        version = installed_version(distribution)
        if version is not None:
            return importlib.import_module(module), version
    raise RuntimeFailure("no TFLite interpreter is installed: pip install ai-edge-litert")


def _describe(detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": detail["name"],
        "shape": [int(n) for n in detail["shape"]],
        "dtype": np.dtype(detail["dtype"]).name,
    }


def _delegation(interpreter: Any) -> dict[str, Any]:
    """Which delegate took how many operators, found by walking back from the delegate's outputs to its inputs."""
    if not hasattr(interpreter, "_get_ops_details"):
        return {"delegate": None}
    nodes = interpreter._get_ops_details()
    operators = [node for node in nodes if node["op_name"] != "DELEGATE"]
    producer = {int(tensor): node for node in operators for tensor in node["outputs"]}
    covered: set[int] = set()
    for delegate in nodes:
        if delegate["op_name"] != "DELEGATE":
            continue
        outside = {int(tensor) for tensor in delegate["inputs"]}
        pending = [int(tensor) for tensor in delegate["outputs"]]
        while pending:
            tensor = pending.pop()
            if tensor in outside or tensor not in producer or producer[tensor]["index"] in covered:
                continue
            covered.add(producer[tensor]["index"])
            pending.extend(int(t) for t in producer[tensor]["inputs"])
    name = "XNNPACK" if covered else "none"
    return {"delegate": name, "delegated_ops": len(covered), "total_ops": len(operators)}
