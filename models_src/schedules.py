# SPDX-License-Identifier: Apache-2.0
"""Learning rates over the steps of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

if TYPE_CHECKING:
    from yacs.config import CfgNode


def of(cfg: CfgNode, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Linear warm-up to the peak, then as ``TRAIN.SCHEDULE`` says; of so many steps in an epoch."""
    peak, warmup = cfg.TRAIN.LEARNING_RATE, cfg.TRAIN.WARMUP_EPOCHS * steps
    left = max(1, cfg.TRAIN.EPOCHS * steps - warmup)
    if cfg.TRAIN.SCHEDULE == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=peak / 100 if warmup else peak,
            decay_steps=left,
            warmup_target=peak if warmup else None,
            warmup_steps=warmup,
        )
    return WarmedUp(peak, warmup, left if cfg.TRAIN.SCHEDULE == "linear" else 0)


@keras.saving.register_keras_serializable("models_src")
class WarmedUp(keras.optimizers.schedules.LearningRateSchedule):
    """Linear from 0 to a peak, then constant, or linear down to 0.

    Args:
        peak: the highest rate.
        warmup: steps up to it.
        decay: steps from it down to 0; 0 to stay at it.
    """

    def __init__(self, peak: float, warmup: int, decay: int = 0) -> None:
        super().__init__()
        self.peak, self.warmup, self.decay = peak, warmup, decay

    def __call__(self, step: Any) -> Any:
        """The rate at a step, counted from 0."""
        step = ops.cast(step, "float32")
        up = ops.minimum(1.0, (step + 1.0) / max(1, self.warmup))
        down = ops.clip(1.0 - (step - self.warmup) / self.decay, 0.0, 1.0) if self.decay else 1.0
        return self.peak * up * down

    def get_config(self) -> dict[str, Any]:
        """What :meth:`from_config` needs."""
        return {"peak": self.peak, "warmup": self.warmup, "decay": self.decay}
