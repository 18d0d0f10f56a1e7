# SPDX-License-Identifier: Apache-2.0
"""What a network is expressed by in a TFLite file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from harness import model_file
from models_src import config, inference, tflite_file
from tests.models_src.conftest import SMOKE


def _converted(model: keras.Model, path: Path) -> tuple[Any, np.ndarray, np.ndarray]:
    """The operators of the fp32 file, what it computes of a picture, and what Keras does."""
    size = str(model.input_shape[1])
    contract = config.contract(config.load(SMOKE, ["INPUT.HEIGHT", size, "INPUT.WIDTH", size]), "logit")
    picture = np.random.default_rng(1).uniform(-1, 1, (1, *model.input_shape[1:])).astype(np.float32)
    variant, data = next(tflite_file.convert(model, contract, [picture]))
    assert variant == "fp32"
    path.write_bytes(data)
    return model_file.find(path, "fp32").ops, inference.tflite(path, contract)(picture), np.asarray(model(picture))


@pytest.mark.parametrize(("block", "use_bias", "activation"), [(2, True, None), (2, False, "sigmoid"), (3, True, None)])
def test_a_transposed_convolution_that_does_not_overlap_is_a_rearrangement(
    block: int, use_bias: bool, activation: str | None, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(3)
    image = keras.Input((32, 32, 3))
    last = keras.layers.Conv2DTranspose(
        1, block, strides=block, use_bias=use_bias, activation=activation, bias_initializer="random_normal"
    )
    operators, found, expected = _converted(keras.Model(image, last(image)), tmp_path / "m.tflite")

    assert "DEPTH_TO_SPACE" in operators and "TRANSPOSE_CONV" not in operators
    assert found.shape == (1, 32 * block, 32 * block, 1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("channels", "kernel", "stride"), [(2, 2, 2), (1, 3, 2)])
def test_any_other_transposed_convolution_stays_one(channels: int, kernel: int, stride: int, tmp_path: Path) -> None:
    image = keras.Input((32, 32, 3))
    last = keras.layers.Conv2DTranspose(channels, kernel, strides=stride, padding="same")
    operators, found, expected = _converted(keras.Model(image, last(image)), tmp_path / "m.tflite")

    assert "TRANSPOSE_CONV" in operators
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_subclassed_model_is_converted_as_it_is(tmp_path: Path) -> None:
    class Subclassed(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.last = keras.layers.Conv2DTranspose(1, 2, strides=2)

        def call(self, image: object) -> object:
            return self.last(image)

    model = Subclassed()
    model(np.zeros((1, 32, 32, 3), np.float32))
    contract = config.contract(config.load(SMOKE, ["INPUT.HEIGHT", "32", "INPUT.WIDTH", "32"]), "logit")
    _, data = next(tflite_file.convert(model, contract, [np.zeros((1, 32, 32, 3), np.float32)]))
    (tmp_path / "m.tflite").write_bytes(data)

    assert "TRANSPOSE_CONV" in model_file.find(tmp_path / "m.tflite", "fp32").ops
