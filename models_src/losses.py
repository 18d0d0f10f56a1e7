# SPDX-License-Identifier: Apache-2.0
"""Loss and metric of the training, on logits ``(batch, h, w, 1)`` and what is true of them.

The truth is ``(batch, H, W, 1)`` or ``(batch, H, W, 2)`` in [0, 1], as large as the logits or a whole number of times
larger: the mask, and where a network is distilled its teacher's probability.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable("models_src")
class BceDice(keras.losses.Loss):
    """Weighted sum of binary cross-entropy and soft dice against the mask, and of the cross-entropy against a teacher;
    mean over the batch.

    Args:
        bce, dice: weights of the two.
        boundary: how much more than 1 a pixel near the mask's edge weighs in the cross-entropy.
        distill: weight of the cross-entropy against the teacher.
    """

    def __init__(
        self,
        bce: float = 1.0,
        dice: float = 1.0,
        boundary: float = 0.0,
        distill: float = 0.0,
        name: str = "bce_dice",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.bce, self.dice, self.boundary, self.distill = bce, dice, boundary, distill

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Loss ``(batch,)``."""
        y_pred = ops.cast(y_pred, "float32")
        y_true = at_size_of(y_true, y_pred)
        mask = y_true[..., :1]
        weight = 1.0 + self.boundary * edge_band(mask) if self.boundary else ops.ones_like(mask)
        loss = self.bce * _weighted_mean(cross_entropy(mask, y_pred), weight)
        loss += self.dice * soft_dice_loss(mask, ops.sigmoid(y_pred))
        if self.distill and y_true.shape[-1] > 1:
            loss += self.distill * _weighted_mean(cross_entropy(y_true[..., 1:], y_pred), weight)
        return loss

    def get_config(self) -> dict[str, Any]:
        """What :meth:`from_config` needs."""
        own = {"bce": self.bce, "dice": self.dice, "boundary": self.boundary, "distill": self.distill}
        return {**super().get_config(), **own}


def cross_entropy(y_true: Tensor, logits: Tensor) -> Tensor:
    """Binary cross-entropy of each pixel, ``max(z, 0) - z·y + log(1 + exp(-|z|))``, which does not overflow."""
    return ops.maximum(logits, 0.0) - logits * y_true + ops.log1p(ops.exp(-ops.abs(logits)))


def edge_band(mask: Tensor, radius: int = 2) -> Tensor:
    """How much the mask ``(batch, h, w, 1)`` differs within so many pixels: 1 along an edge, 0 far from one."""
    size = 2 * radius + 1
    return _largest(mask, size) + _largest(-mask, size)


def _largest(x: Tensor, size: int) -> Tensor:
    return ops.max_pool(x, size, strides=1, padding="same")


def _weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    return ops.sum(values * weight, axis=(1, 2, 3)) / ops.sum(weight, axis=(1, 2, 3))


def soft_dice_loss(y_true: Tensor, probability: Tensor) -> Tensor:
    """``1 - (2·Σpy + 1) / (Σp² + Σy² + 1)`` of each picture, ``(batch,)``.

    Milletari et al., "V-Net", 3DV 2016, with one pixel added to both so that an empty picture has a gradient.
    """
    axes = (1, 2, 3)
    overlap = ops.sum(probability * y_true, axis=axes)
    total = ops.sum(ops.square(probability), axis=axes) + ops.sum(ops.square(y_true), axis=axes)
    return 1.0 - (2.0 * overlap + 1.0) / (total + 1.0)


def foreground_iou(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """IoU ``(batch,)`` of the masks where logit > 0 and truth > 0.5, 1 where both are empty."""
    truth, mask = at_size_of(y_true[..., :1], y_pred) > 0.5, y_pred > 0.0
    intersection = ops.sum(ops.cast(ops.logical_and(truth, mask), "float32"), axis=(1, 2, 3))
    union = ops.sum(ops.cast(ops.logical_or(truth, mask), "float32"), axis=(1, 2, 3))
    return ops.where(union > 0, intersection / ops.maximum(union, 1.0), 1.0)


@keras.saving.register_keras_serializable("models_src")
class ForegroundIoU(keras.metrics.MeanMetricWrapper):
    """Mean over pictures of :func:`foreground_iou`."""

    def __init__(self, name: str = "iou", dtype: Any = None) -> None:
        super().__init__(foreground_iou, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """What :meth:`from_config` needs."""
        return {"name": self.name, "dtype": self.dtype}


def at_size_of(masks: Tensor, logits: Tensor) -> Tensor:
    """Masks averaged down to the size of logits that are an integer number of times smaller."""
    factor = masks.shape[1] // logits.shape[1]
    return masks if factor == 1 else ops.average_pool(masks, factor)
