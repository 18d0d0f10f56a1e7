# SPDX-License-Identifier: Apache-2.0
"""What is trained: a network with the weights that it begins with, its optimizer, loss and metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from harness.errors import HarnessError
from models_src import losses, networks, schedules, training_layers

if TYPE_CHECKING:
    from yacs.config import CfgNode


def compiled(cfg: CfgNode, steps: int) -> keras.Model:
    """The network with AdamW, its schedule (linear warm-up first), loss and metric.

    Args:
        cfg: the configuration.
        steps: optimizer steps in an epoch.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(cfg.TRAIN.PRECISION)
    try:
        model = networks.build(cfg)
    finally:
        keras.config.set_dtype_policy(before)
    if cfg.TRAIN.INITIAL_WEIGHTS:
        _take_weights(model, cfg.TRAIN.INITIAL_WEIGHTS)
    model = training_layers.prepare(model, cfg.TRAIN.QUANTISATION_AWARE)
    average = {"use_ema": True, "ema_momentum": cfg.TRAIN.EMA} if cfg.TRAIN.EMA else {}
    model.compile(
        optimizer=keras.optimizers.AdamW(schedules.of(cfg, steps), weight_decay=cfg.TRAIN.WEIGHT_DECAY, **average),
        loss=losses.BceDice(cfg.LOSS.BCE, cfg.LOSS.DICE, cfg.LOSS.BOUNDARY, cfg.LOSS.DISTILL),
        metrics=[losses.ForegroundIoU()],
        jit_compile=False,  # the compiler's start-up costs more than it saves on a CPU
    )
    return model


def _take_weights(model: keras.Model, path: str) -> None:
    """Give a network the weights of a checkpoint of the same architecture."""
    try:
        model.set_weights(keras.models.load_model(path, compile=False).get_weights())
    except (OSError, ValueError) as error:
        raise HarnessError(f"TRAIN.INITIAL_WEIGHTS: {path} does not fit this network: {error}") from None
