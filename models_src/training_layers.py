# SPDX-License-Identifier: Apache-2.0
"""Quantisation-aware training: activations are rounded as ``int8`` will round them, while the weights learn.

An ``int8`` file keeps each ReLU6's output in 255 steps from 0 to 6. A network that has never seen that rounding
loses more by it than one that has. Only training sees it: inference computes the plain ReLU6.
"""

from __future__ import annotations

from typing import Any

import keras

Tensor = Any


@keras.saving.register_keras_serializable("models_src")
class RoundedReLU6(keras.layers.ReLU):
    """ReLU6 whose output is rounded to 8 bits in training; the gradient passes as if it were not."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_value": 6.0, **kwargs})

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """The activation of ``inputs``, of the same shape, in [0, 6]."""
        import tensorflow as tf

        output = super().call(inputs)
        return tf.quantization.fake_quant_with_min_max_args(output, min=0.0, max=6.0) if training else output


def prepare(model: keras.Model) -> keras.Model:
    """The same network with the same weights, rounding every ReLU6 in training."""
    return _replace(model, lambda layer: RoundedReLU6(name=layer.name) if _is_relu6(layer) else None)


def strip(model: keras.Model) -> keras.Model:
    """The same network with the same weights and plain layers of Keras only; what :func:`prepare` did is undone."""
    return _replace(model, lambda layer: keras.layers.ReLU(6.0, name=layer.name) if _is_rounded(layer) else None)


def _is_relu6(layer: keras.layers.Layer) -> bool:
    return type(layer) is keras.layers.ReLU and layer.max_value == 6.0


def _is_rounded(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, RoundedReLU6)


def _replace(model: keras.Model, substitute: Any) -> keras.Model:
    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        return substitute(layer) or layer.__class__.from_config(layer.get_config())

    if not any(substitute(layer) for layer in model.layers):
        return model
    cloned = keras.models.clone_model(model, clone_function=clone)
    cloned.set_weights(model.get_weights())
    return cloned
