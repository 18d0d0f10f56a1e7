# SPDX-License-Identifier: Apache-2.0
"""Run folders: making one, and what a run has recorded of its settings and epochs. Knows no TensorFlow."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from models_src import config

if TYPE_CHECKING:
    from yacs.config import CfgNode

_CSV_FIELDS = ("epoch", "steps", "loss", "iou", "val_loss", "val_iou", "learning_rate", "seconds")


def new_folder(parent: Path) -> Path:
    """A folder named after the time; if two runs start in the same second, the later one waits for its own.

    Raises:
        HarnessError: it cannot be made.
    """
    while True:
        run = parent / datetime.now().strftime("%Y%m%d-%H%M%S")
        try:
            run.mkdir(parents=True)
            return run
        except FileExistsError:
            time.sleep(0.1)
        except OSError as error:
            raise HarnessError(f"{run}: cannot create the run folder: {error}; set OUTPUT to another") from None


def make(run: Path) -> None:
    """Make a run folder of this name.

    Raises:
        HarnessError: it cannot be made, or holds something that is no run.
    """
    check_new(run)
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarnessError(f"{run}: cannot create the run folder: {error}") from None


def check_new(run: Path) -> None:
    """Raise HarnessError if the folder can be none of a new run: it holds something, or cannot be made."""
    check_writable(run)
    others = sorted(path.name for path in run.glob("*") if path.name != "contract.toml")  # written first
    if others:
        raise HarnessError(f"{run}: holds {others[0]}, but is no run; choose another folder")


def check_writable(folder: Path) -> None:
    """Raise HarnessError if nothing can be made in a folder that is there or not yet."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise HarnessError(f"{folder}: no run folder can be made there: {there} is no folder that one may write to")


def of(experiment: Path) -> list[Path]:
    """The runs of an experiment, the one that began last first.

    Names do not tell: some are times, others numbers of SLURM's jobs. ``config.yaml`` is written once, at the start.
    """
    runs = [path for path in experiment.glob("*") if is_run(path)] if experiment.is_dir() else []
    return sorted(runs, key=lambda path: ((path / "config.yaml").stat().st_mtime_ns, path.name), reverse=True)


def checkpoint(path: Path) -> Path:
    """The network that a path means: a file itself, of a run its best one, of an experiment that of its latest run.

    Raises:
        HarnessError: there is none yet.
    """
    if path.is_file():
        return path
    if not path.exists():
        raise HarnessError(f"{path}: no such file or run; train it first, or name another")
    run = path if is_run(path) else next(iter(of(path)), None)
    if run is None:
        raise HarnessError(f"{path}: no run of this experiment is there; train it first")
    if not (run / "best.keras").is_file():
        raise HarnessError(f"{run}: no best.keras, no epoch of this run is finished; segmodel train --resume {run}")
    return run / "best.keras"


def settings(run: Path, overrides: Sequence[str] = ()) -> CfgNode:
    """The configuration of a run.

    Args:
        overrides: as of :func:`models_src.config.load`. A run keeps its settings, so they must be what it has.

    Raises:
        HarnessError: the folder is no run, its configuration cannot be read, or an override differs from it.
    """
    if not is_run(run):
        raise HarnessError(f"{run}: not a run folder (no config.yaml)")
    cfg = config.load(run / "config.yaml")
    if others := config.differences(config.load(run / "config.yaml", overrides), cfg):
        raise HarnessError(f"{run}: has {'; '.join(others.values())}; leave out --set, or begin a new run")
    return cfg


def is_run(path: Path) -> bool:
    """Whether a folder is a run's."""
    return (path / "config.yaml").is_file()


def epochs(run: Path) -> list[dict[str, Any]]:
    """The rows of a run's ``metrics.csv``, one for each finished epoch; none where it has not begun. A row that is cut
    off is none."""
    path = run / "metrics.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row.get(_CSV_FIELDS[-1])]


def finished(run: Path, taken: int, steps: int) -> list[dict[str, Any]]:
    """The rows of the epochs that a run goes on from; without one that was written when the network was not yet.

    Args:
        taken: steps that the optimizer of ``last.keras`` has taken.
        steps: in an epoch of the training data as they are now.

    Raises:
        HarnessError: an epoch had another number of steps, or rows are missing.
    """
    rows = epochs(run)
    had = next((int(row["steps"]) // int(row["epoch"]) for row in rows if row.get("steps")), steps)
    if taken and had != steps:
        raise HarnessError(
            f"{run}: had {had} steps in an epoch, its training data now give {steps}, and neither the rate nor "
            "the order of the pictures would go on as it was; put back the pictures of DATA.TRAIN, or begin a new run"
        )
    done = taken // steps
    if len(rows) < done:
        raise HarnessError(
            f"{run / 'metrics.csv'}: has {len(rows)} of the {done} epochs that last.keras was trained for, and so not "
            "what the best was; put it back, or begin a new run"
        )
    return rows[:done]


def write_epochs(run: Path, rows: list[dict[str, Any]]) -> None:
    """Replace a run's ``metrics.csv``."""
    temporary = run / ".metrics.csv.partial"
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _CSV_FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, run / "metrics.csv")


def row(epoch: int, steps: int, logs: dict[str, float], learning_rate: float, seconds: float) -> dict[str, Any]:
    """A row of ``metrics.csv``.

    Args:
        epoch: counted from 1.
        steps: that the optimizer has taken since the beginning.
        logs: what Keras tells of it.
    """
    told = {key: float(value) for key, value in logs.items() if key in _CSV_FIELDS}
    return {"epoch": epoch, "steps": steps, "seconds": round(seconds, 1), **told, "learning_rate": learning_rate}
