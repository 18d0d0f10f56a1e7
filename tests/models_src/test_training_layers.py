# SPDX-License-Identifier: Apache-2.0
"""What is different is so in training only, and nothing of it is left in what is exported."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from models_src import config, networks, training_layers
from tests.models_src.conftest import SMOKE


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(5)
    return networks.build(config.load(SMOKE))


@pytest.fixture(scope="module")
def picture(network: keras.Model) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (1, *network.input_shape[1:])).astype(np.float32)


def test_inference_is_that_of_the_plain_network(network: keras.Model, picture: np.ndarray) -> None:
    prepared = training_layers.prepare(network, quantisation_aware=True)

    np.testing.assert_array_equal(prepared(picture, training=False), network(picture, training=False))


def test_fused_normalisation_trains_as_that_of_keras() -> None:
    """Output and gradients alike; of the variance the unbiased estimate is kept, ``n / (n - 1)`` of Keras's."""
    rng = np.random.default_rng(0)
    values, weights = (tf.constant(rng.normal(3, 2, (4, 6, 5, 7)), tf.float32) for _ in range(2))
    plain, fused = keras.layers.BatchNormalization(), training_layers.FusedBatchNormalization()
    results = []
    for layer in (plain, fused):
        layer.build(values.shape)
        layer.gamma.assign(np.linspace(0.5, 2, 7))
        layer.beta.assign(np.linspace(-1, 1, 7))
        with tf.GradientTape() as tape:
            tape.watch(values)
            output = layer(values, training=True)
            loss = tf.reduce_sum(output * weights)
        results.append([output, *tape.gradient(loss, [values, layer.gamma.value, layer.beta.value]), layer.moving_mean])

    for ours, theirs in zip(*results[::-1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
    unbiased = 1 + (np.asarray(plain.moving_variance) / plain.momentum - 1) * 120 / 119
    np.testing.assert_allclose(np.asarray(fused.moving_variance) / fused.momentum, unbiased, rtol=1e-3)


def test_in_training_every_relu6_gives_255_steps_from_0_to_6() -> None:
    layer = training_layers.RoundedReLU6()
    values = np.linspace(-2, 8, 1001, dtype=np.float32)

    steps = np.asarray(layer(values, training=True)) / (6 / 255)

    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    np.testing.assert_allclose(steps * 6 / 255, np.clip(values, 0, 6), atol=3.01 / 255)
    assert len(np.unique(np.round(steps))) == 256


def test_every_relu6_of_encoder_and_decoder_is_rounded(network: keras.Model) -> None:
    prepared = training_layers.prepare(network, quantisation_aware=True)

    plain = [layer.name for layer in network.layers if isinstance(layer, keras.layers.ReLU)]
    rounded = [layer.name for layer in prepared.layers if isinstance(layer, training_layers.RoundedReLU6)]
    assert rounded == plain
    assert len(rounded) > 30


def test_stripping_leaves_layers_of_keras_only_and_the_same_function(network: keras.Model, picture: np.ndarray) -> None:
    stripped = training_layers.strip(training_layers.prepare(network, quantisation_aware=True))

    assert not any(type(layer).__module__.startswith("models_src") for layer in stripped.layers)
    np.testing.assert_array_equal(stripped(picture, training=False), network(picture, training=False))


def test_a_plain_network_is_stripped_to_itself(network: keras.Model) -> None:
    assert training_layers.strip(network) is network
