# SPDX-License-Identifier: Apache-2.0
"""Training: from a configuration to a run folder, resumable after every epoch.

A run folder ``<OUTPUT>/<EXPERIMENT>/<YYYYmmdd-HHMMSS>/`` holds ``config.yaml`` (resolved), ``contract.toml``,
``train.log``, ``metrics.csv``, ``tensorboard/``, ``best.keras`` (by validation IoU) and ``last.keras`` (with the
optimizer's state). The number of finished epochs is read from the optimizer's step counter in ``last.keras``, so that
weights and epoch cannot disagree.
"""

from __future__ import annotations

import csv
import logging
import math
import os
import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from harness.errors import HarnessError
from models_src import augment, config, data, losses, networks, quantisation_aware

if TYPE_CHECKING:
    from yacs.config import CfgNode

_log = logging.getLogger("models_src")
_CSV_FIELDS = ("epoch", "loss", "iou", "val_loss", "val_iou", "learning_rate", "seconds")


def start(cfg: CfgNode, callbacks: Sequence[keras.callbacks.Callback] = ()) -> Path:
    """Train from the beginning in a new run folder, which is returned.

    Raises:
        HarnessError: the data or the encoder's weights cannot be used; no folder is left behind then.
    """
    session = _Session(cfg)
    keras.utils.set_random_seed(cfg.SEED)
    model = compiled(cfg, session.steps)
    run = new_folder(Path(cfg.OUTPUT) / cfg.EXPERIMENT)
    (run / "config.yaml").write_text(cfg.dump(), encoding="utf-8")
    (run / "contract.toml").write_text(session.contract.to_toml(), encoding="utf-8")
    session.fit(model, run, callbacks)
    return run


def resume(run: str | Path, callbacks: Sequence[keras.callbacks.Callback] = ()) -> Path:
    """Continue an interrupted run from its last finished epoch, to the result it would have had.

    Raises:
        HarnessError: the folder is no run, or its data cannot be used any more.
    """
    run = Path(run)
    if not (run / "config.yaml").is_file():
        raise HarnessError(f"{run}: not a run folder (no config.yaml)")
    cfg = config.load(run / "config.yaml")
    session = _Session(cfg)
    keras.utils.set_random_seed(cfg.SEED)
    last = run / "last.keras"
    try:
        model = keras.saving.load_model(last) if last.is_file() else compiled(cfg, session.steps)
    except (OSError, ValueError, KeyError) as error:
        raise HarnessError(f"{last}: cannot be loaded; train anew: {error}") from None
    session.fit(model, run, callbacks)
    return run


def compiled(cfg: CfgNode, steps: int) -> keras.Model:
    """The network with AdamW, its schedule (linear warm-up, then cosine to zero), loss and metric.

    Args:
        cfg: the configuration.
        steps: optimizer steps in an epoch.
    """
    warmup = cfg.TRAIN.WARMUP_EPOCHS * steps
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=cfg.TRAIN.LEARNING_RATE / 100 if warmup else cfg.TRAIN.LEARNING_RATE,
        decay_steps=max(1, cfg.TRAIN.EPOCHS * steps - warmup),
        warmup_target=cfg.TRAIN.LEARNING_RATE if warmup else None,
        warmup_steps=warmup,
    )
    model = networks.build(cfg)
    if cfg.TRAIN.INITIAL_WEIGHTS:
        _take_weights(model, cfg.TRAIN.INITIAL_WEIGHTS)
    if cfg.TRAIN.QUANTISATION_AWARE:
        model = quantisation_aware.prepare(model)
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=cfg.TRAIN.WEIGHT_DECAY),
        loss=losses.BceDice(cfg.LOSS.BCE, cfg.LOSS.DICE),
        metrics=[losses.ForegroundIoU()],
        jit_compile=False,  # the compiler's start-up costs more than it saves on a CPU
    )
    return model


def _take_weights(model: keras.Model, path: str) -> None:
    """Give a network the weights of a checkpoint of the same architecture."""
    import keras

    try:
        model.set_weights(keras.models.load_model(path, compile=False).get_weights())
    except (OSError, ValueError) as error:
        raise HarnessError(f"TRAIN.INITIAL_WEIGHTS: {path} does not fit this network: {error}") from None


class _Session:
    """What starting and resuming have in common: checked data, and the call of ``fit``."""

    def __init__(self, cfg: CfgNode) -> None:
        self.cfg = cfg
        self.contract = config.contract(cfg, "logit")
        if missing := [key for key in ("TRAIN", "VAL") if not cfg.DATA[key]]:
            raise HarnessError(f"DATA.{missing[0]} is empty; --set DATA.{missing[0]} DIR (it has images/ and masks/)")
        self.train_pairs, self.val_pairs = data.find_pairs(cfg.DATA.TRAIN), data.find_pairs(cfg.DATA.VAL)
        for folder in cfg.DATA.NEGATIVES:
            self.train_pairs += data.find_negatives(folder)
        self.steps = data.steps_per_epoch(len(self.train_pairs), cfg.TRAIN.BATCH_SIZE)
        self.make_augment = partial(
            augment.make, cfg.AUGMENT.TRANSFORMS, cfg.AUGMENT.HEAD_AND_SHOULDERS, (cfg.INPUT.HEIGHT, cfg.INPUT.WIDTH)
        )
        self.make_augment()  # a wrong transform is reported here, not by a thread of the pipeline

    def fit(self, model: keras.Model, run: Path, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        cfg, batch = self.cfg, self.cfg.TRAIN.BATCH_SIZE
        done = int(model.optimizer.iterations) // self.steps
        handler = logging.FileHandler(run / "train.log", encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        _log.setLevel(logging.INFO)
        _log.addHandler(handler)
        _log.info("%s: epoch %d of %d, %d training and %d validation pairs, %d parameters", run, done,
                  cfg.TRAIN.EPOCHS, len(self.train_pairs), len(self.val_pairs), model.count_params())  # fmt: skip
        epochs = range(done, cfg.TRAIN.EPOCHS)
        try:
            if epochs:
                model.fit(
                    data.training_set(self.train_pairs, self.contract, self.make_augment, batch, cfg.SEED, epochs),
                    steps_per_epoch=self.steps,
                    validation_data=data.validation_set(self.val_pairs, self.contract, batch),
                    initial_epoch=done,
                    epochs=cfg.TRAIN.EPOCHS,
                    callbacks=[
                        keras.callbacks.TensorBoard(run / "tensorboard", write_graph=False),
                        keras.callbacks.TerminateOnNaN(),
                        _Checkpoint(run, done),
                        *callbacks,
                    ],
                    shuffle=False,  # the pipeline does it
                    verbose=0,
                )
            _log.info("%s: done", run)
        finally:
            _log.removeHandler(handler)
            handler.close()


class _Checkpoint(keras.callbacks.Callback):
    """Writes ``metrics.csv``, ``best.keras`` and then ``last.keras`` after each epoch, each by renaming.

    ``last.keras`` comes last: a run killed in between repeats the epoch and rewrites the other two alike.
    """

    def __init__(self, run: Path, done: int) -> None:
        super().__init__()
        self.run = run
        self.rows = [row for row in _read_rows(run / "metrics.csv") if int(row["epoch"]) <= done]

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        row: dict[str, Any] = {"epoch": epoch + 1, "seconds": round(time.monotonic() - self.began, 1)}
        row |= {key: float(value) for key, value in (logs or {}).items() if key in _CSV_FIELDS}
        row["learning_rate"] = float(self.model.optimizer.learning_rate)
        if not all(map(math.isfinite, row.values())):
            raise HarnessError(
                f"{self.run}: the loss is not finite in epoch {epoch + 1}; lower TRAIN.LEARNING_RATE and train anew"
            )
        best = max((float(r["val_iou"]) for r in self.rows), default=-math.inf)
        self.rows.append(row)
        _write_rows(self.run / "metrics.csv", self.rows)
        if row["val_iou"] > best:
            _save(self.model, self.run / "best.keras")
        _save(self.model, self.run / "last.keras")
        _log.info("epoch %d  loss %.4f  iou %.4f  val_loss %.4f  val_iou %.4f  %.0f s%s", epoch + 1, row["loss"],
                  row["iou"], row["val_loss"], row["val_iou"], row["seconds"],
                  "  best" if row["val_iou"] > best else "")  # fmt: skip


def _save(model: keras.Model, path: Path) -> None:
    temporary = path.with_name(f".{path.stem}.partial.keras")
    model.save(temporary)
    os.replace(temporary, path)


def _read_rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _CSV_FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, path)


def new_folder(parent: Path) -> Path:
    """A folder named after the time; if two runs start in the same second, the later one waits for its own."""
    while True:
        run = parent / datetime.now().strftime("%Y%m%d-%H%M%S")
        try:
            run.mkdir(parents=True)
            return run
        except FileExistsError:
            time.sleep(0.1)
        except OSError as error:
            raise HarnessError(f"{run}: cannot create the run folder: {error}; set OUTPUT to another") from None
