# SPDX-License-Identifier: Apache-2.0
"""Activations are rounded in training only, and nothing of it is left in what is exported."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from models_src import config, networks, quantisation_aware
from tests.models_src.conftest import SMOKE


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(5)
    return networks.build(config.load(SMOKE))


@pytest.fixture(scope="module")
def picture(network: keras.Model) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (1, *network.input_shape[1:])).astype(np.float32)


def test_inference_is_that_of_the_plain_network(network: keras.Model, picture: np.ndarray) -> None:
    prepared = quantisation_aware.prepare(network)

    np.testing.assert_array_equal(prepared(picture, training=False), network(picture, training=False))


def test_in_training_every_relu6_gives_255_steps_from_0_to_6() -> None:
    layer = quantisation_aware.RoundedReLU6()
    values = np.linspace(-2, 8, 1001, dtype=np.float32)

    steps = np.asarray(layer(values, training=True)) / (6 / 255)

    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    np.testing.assert_allclose(steps * 6 / 255, np.clip(values, 0, 6), atol=3.01 / 255)
    assert len(np.unique(np.round(steps))) == 256


def test_every_relu6_of_encoder_and_decoder_is_rounded(network: keras.Model) -> None:
    prepared = quantisation_aware.prepare(network)

    plain = [layer.name for layer in network.layers if isinstance(layer, keras.layers.ReLU)]
    rounded = [layer.name for layer in prepared.layers if isinstance(layer, quantisation_aware.RoundedReLU6)]
    assert rounded == plain
    assert len(rounded) > 30


def test_stripping_leaves_layers_of_keras_only_and_the_same_function(network: keras.Model, picture: np.ndarray) -> None:
    stripped = quantisation_aware.strip(quantisation_aware.prepare(network))

    assert not any(isinstance(layer, quantisation_aware.RoundedReLU6) for layer in stripped.layers)
    np.testing.assert_array_equal(stripped(picture, training=False), network(picture, training=False))


def test_a_plain_network_is_stripped_to_itself(network: keras.Model) -> None:
    assert quantisation_aware.strip(network) is network
