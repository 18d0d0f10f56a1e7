# SPDX-License-Identifier: Apache-2.0
"""Layers that differ from those of Keras in training only: a faster batch normalisation, and activations rounded as
``int8`` will round them.

A network is trained with them and stripped of them before it is exported; inference is the same to the last bit.
"""

from __future__ import annotations

from typing import Any

import keras

Tensor = Any


@keras.saving.register_keras_serializable("models_src")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation over the last axis in one operation of TensorFlow's.

    That of Keras 3 is put together from a dozen, whose results go through memory each; on a CPU they take longer than
    all convolutions of a MobileNet together (``benchmarks/training_step.py``). The variance that is kept for inference
    is the unbiased one, ``n / (n - 1)`` of Keras's.
    """

    def call(self, inputs: Tensor, training: bool = False, mask: Tensor = None) -> Tensor:
        """The normalised ``inputs`` ``(batch, h, w, c)``, of the same shape and type."""
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        output, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma if self.scale else tf.ones_like(self.moving_mean),
            offset=self.beta if self.center else tf.zeros_like(self.moving_mean),
            mean=[],
            variance=[],
            epsilon=self.epsilon,
            is_training=True,
        )
        for kept, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            kept.assign(kept * self.momentum + now * (1.0 - self.momentum))
        return output


@keras.saving.register_keras_serializable("models_src")
class RoundedReLU6(keras.layers.ReLU):
    """ReLU6 whose output is rounded to 8 bits in training; the gradient passes as if it were not.

    An ``int8`` file keeps each ReLU6's output in 255 steps from 0 to 6. A network that has never seen that rounding
    loses more by it than one that has.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_value": 6.0, **kwargs})

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """The activation of ``inputs``, of the same shape, in [0, 6]."""
        import tensorflow as tf

        output = super().call(inputs)
        return tf.quantization.fake_quant_with_min_max_args(output, min=0.0, max=6.0) if training else output


def prepare(model: keras.Model, quantisation_aware: bool = False) -> keras.Model:
    """The same network with the same weights and these layers.

    Args:
        model: of layers of Keras.
        quantisation_aware: round every ReLU6 too.
    """
    ours: dict[type[keras.Layer], type[keras.Layer]] = {keras.layers.BatchNormalization: FusedBatchNormalization}
    if quantisation_aware:
        ours[keras.layers.ReLU] = RoundedReLU6
    return _replace(model, ours)


def strip(model: keras.Model) -> keras.Model:
    """The same network with the same weights and layers of Keras only; what :func:`prepare` did is undone."""
    return _replace(model, {FusedBatchNormalization: keras.layers.BatchNormalization, RoundedReLU6: keras.layers.ReLU})


def _replace(model: keras.Model, kinds: dict[type[keras.Layer], type[keras.Layer]]) -> keras.Model:
    def replaced(layer: keras.layers.Layer) -> bool:
        return type(layer) in kinds and (not isinstance(layer, keras.layers.ReLU) or layer.max_value == 6.0)

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        kind = kinds[type(layer)] if replaced(layer) else type(layer)
        return kind.from_config(layer.get_config())

    if not any(replaced(layer) for layer in model.layers):
        return model
    cloned = keras.models.clone_model(model, clone_function=clone)
    cloned.set_weights(model.get_weights())
    return cloned
