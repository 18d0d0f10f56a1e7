# SPDX-License-Identifier: Apache-2.0
"""Loss and metric of the training, on logits ``(batch, h, w, 1)`` and soft masks of that shape in [0, 1]."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable("models_src")
class BceDice(keras.losses.Loss):
    """Weighted sum of binary cross-entropy (mean over pixels) and soft dice, mean over the batch."""

    def __init__(self, bce: float = 1.0, dice: float = 1.0, name: str = "bce_dice", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.bce, self.dice = bce, dice

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Loss ``(batch,)``."""
        y_true = at_size_of(y_true, y_pred)
        # max(z, 0) - z·y + log(1 + exp(-|z|)), which does not overflow.
        cross_entropy = ops.maximum(y_pred, 0.0) - y_pred * y_true + ops.log1p(ops.exp(-ops.abs(y_pred)))
        bce = ops.mean(cross_entropy, axis=(1, 2, 3))
        return self.bce * bce + self.dice * soft_dice_loss(y_true, ops.sigmoid(y_pred))

    def get_config(self) -> dict[str, Any]:
        """What :meth:`from_config` needs."""
        return {**super().get_config(), "bce": self.bce, "dice": self.dice}


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
    truth, mask = at_size_of(y_true, y_pred) > 0.5, y_pred > 0.0
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
