# SPDX-License-Identifier: Apache-2.0
"""What is done after every batch and epoch of a training: what it leaves behind, and whether it stops."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from harness.errors import HarnessError
from models_src import runs, sheet
from models_src.datasets.sample import Sample
from models_src.interruption import Interruption

if TYPE_CHECKING:
    from harness.contract import Contract

_log = logging.getLogger("models_src")


class Checkpoint(keras.callbacks.Callback):
    """Writes ``metrics.csv``, ``best.keras`` and then ``last.keras`` after each epoch, each by renaming.

    ``last.keras`` comes last: a run killed in between repeats the epoch and rewrites the other two alike. Where the
    optimizer keeps a mean of the weights, that is what ``best.keras`` holds.

    Args:
        run: the run's folder.
        rows: of the epochs that are finished.
        steps: in an epoch.
        patience: epochs without a better validation IoU after which training stops; 0 for never.
    """

    def __init__(self, run: Path, rows: Sequence[dict[str, Any]], steps: int, patience: int = 0) -> None:
        super().__init__()
        self.run, self.rows, self.steps, self.patience = run, list(rows), steps, patience

    @property
    def spent(self) -> bool:
        """Whether patience is at its end."""
        if not self.patience or not self.rows:
            return False
        ious = [float(row["val_iou"]) for row in self.rows]
        return len(ious) - 1 - ious.index(max(ious)) >= self.patience

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        rate, seconds = float(self.model.optimizer.learning_rate), time.monotonic() - self.began
        row = runs.row(epoch + 1, (epoch + 1) * self.steps, logs or {}, rate, seconds)
        if not all(map(math.isfinite, row.values())):
            raise HarnessError(
                f"{self.run}: the loss is not finite in epoch {epoch + 1}; lower TRAIN.LEARNING_RATE and train anew"
            )
        best = max((float(r["val_iou"]) for r in self.rows), default=-math.inf)
        self.rows.append(row)
        runs.write_epochs(self.run, self.rows)
        if row["val_iou"] > best:
            with averaged(self.model):
                _save(self.model, self.run / "best.keras")
        _save(self.model, self.run / "last.keras")
        _log.info("epoch %d  loss %.4f  iou %.4f  val_loss %.4f  val_iou %.4f  %.0f s%s", epoch + 1, row["loss"],
                  row["iou"], row["val_loss"], row["val_iou"], row["seconds"],
                  "  best" if row["val_iou"] > best else "")  # fmt: skip
        if self.spent:
            _log.info("no better validation IoU for %d epochs: stopping", self.patience)
            self.model.stop_training = True


@contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Within the context the model has the mean of its weights, where its optimizer keeps one."""
    if not getattr(model.optimizer, "use_ema", False):
        yield
        return
    weights = model.get_weights()
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        model.set_weights(weights)


class Stop(keras.callbacks.Callback):
    """Ends a training after the batch in which a signal came."""

    def __init__(self, interruption: Interruption) -> None:
        super().__init__()
        self.interruption = interruption

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.interruption.stop_if_told()

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.interruption.stop_if_told()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.interruption.stop_if_told()


class Board(keras.callbacks.Callback):
    """Shows in TensorBoard what the network makes of some validation pictures, after every epoch.

    Args:
        folder: of TensorBoard's files.
        contract: the network's own, of logits.
        shown: the pictures.
    """

    def __init__(self, folder: Path, contract: Contract, shown: Sequence[Sample]) -> None:
        super().__init__()
        self.folder, self.contract, self.shown = folder, contract, shown

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        import tensorflow as tf

        self.writer = tf.summary.create_file_writer(str(self.folder / "pictures"))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        import tensorflow as tf

        with averaged(self.model), self.writer.as_default():
            tf.summary.image("validation", sheet.of_network(self.model, self.contract, self.shown)[None], epoch)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.writer.close()


class Progress(keras.callbacks.Callback):
    """Reports every batch to ``report(label, activity, done, total)``."""

    def __init__(self, report: Callable[[str, str, float, float], None], epochs: int, steps: int) -> None:
        super().__init__()
        self.report, self.epochs, self.steps = report, epochs, steps

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.report("training", f"epoch {self.epoch + 1} of {self.epochs}", batch + 1, self.steps)


def _save(model: keras.Model, path: Path) -> None:
    temporary = path.with_name(f".{path.stem}.partial.keras")
    model.save(temporary)
    os.replace(temporary, path)
