# SPDX-License-Identifier: Apache-2.0
"""The core draws what the Python runtimes draw, to the last bit, in the same release of LiteRT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter

from harness import contract, resources, suite

segcore = pytest.importorskip("segcore", reason="the core is not built: it needs a C++17 compiler")

VARIANTS = ("fp32", "fp16", "dyn8", "int8")
RULES = contract.read(resources.default_model() / "contract.toml")
CASES = suite.find("portraits").cases


def model(variant: str) -> Path:
    return resources.default_model() / f"model.{variant}.tflite"


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def tensors() -> list[np.ndarray]:
    """The input tensors of some cases that differ in size and subject."""
    return [contract.preprocess(RULES, case.read_image()) for case in CASES[::6]]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_raw_output_is_the_interpreters(variant: str, threads: int, tensors: list[np.ndarray]) -> None:
    segmenter = segcore.Segmenter.from_file(str(model(variant)), threads=threads)
    interpreter = Interpreter(model_path=str(model(variant)), num_threads=threads)
    interpreter.allocate_tensors()

    for tensor in tensors:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
        interpreter.invoke()
        expected = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        assert segmenter.invoke(tensor).tobytes() == expected.tobytes()


def test_the_raw_output_is_that_of_pythons_compiled_model(variant: str, tensors: list[np.ndarray]) -> None:
    segmenter = segcore.Segmenter.from_file(str(model(variant)))
    compiled = CompiledModel.from_file(str(model(variant)))
    inputs, outputs = compiled.create_input_buffers(0), compiled.create_output_buffers(0)

    for tensor in tensors:
        inputs[0].write(tensor)
        compiled.run_by_index(0, inputs, outputs)
        expected = outputs[0].read(RULES.input_height * RULES.input_width, np.float32)
        assert segmenter.invoke(tensor).tobytes() == expected.tobytes()


def test_a_frame_takes_the_path_that_the_contract_defines(variant: str) -> None:
    segmenter, resizer = segcore.Segmenter.from_file(str(model(variant))), segcore.AlphaResizer()

    for case in CASES[::8]:
        frame = case.read_image()
        mask = segmenter.run(segcore.Frame(frame, segcore.PixelFormat.RGB))

        tensor = contract.preprocess(RULES, frame)
        probability = contract.probability(RULES, segmenter.invoke(tensor))
        assert np.array_equal(mask.picture, contract.fit_image(RULES, frame))
        assert mask.probability.tobytes() == probability.tobytes()
        assert np.array_equal(mask.alpha, contract.quantise(probability))
        assert np.array_equal(resizer.run(mask), contract.frame_alpha(RULES, probability, frame.shape[:2]))
