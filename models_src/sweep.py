# SPDX-License-Identifier: Apache-2.0
"""Sweeps: the experiments that a grid of settings makes, and a table of what came of them.

A sweep is a YAML file::

    base: ../portrait.yaml          # relative to it
    set: {TRAIN.EPOCHS: 12}         # for all
    grid:                           # every combination is an experiment
      MODEL.ALPHA: [0.35, 0.5]
      TRAIN.LEARNING_RATE: [1.0e-3, 2.0e-3]

The experiments are numbered from 0, the last key of the grid changing first: the tasks of a SLURM job array. A run
belongs to an experiment by its number, as long as it has the settings that the file gives that number.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from harness.errors import HarnessError
from models_src import config, runs

if TYPE_CHECKING:
    from yacs.config import CfgNode


@dataclass(frozen=True)
class Sweep:
    """A sweep's file, read.

    Attributes:
        name: the file's stem.
        experiments: the settings of each, ``{KEY: value}``, those that change last.
        changing: keys of the grid.
    """

    path: Path
    name: str
    base: Path
    experiments: tuple[dict[str, Any], ...]
    changing: tuple[str, ...]

    def configuration(self, number: int) -> CfgNode:
        """That of an experiment; its ``EXPERIMENT`` is the sweep's name and its number.

        Raises:
            HarnessError: there is no such experiment, or a setting is wrong.
        """
        if not 0 <= number < len(self.experiments):
            raise HarnessError(f"{self.path}: has experiments 0 to {len(self.experiments) - 1}, no {number}")
        values = {**self.experiments[number], "EXPERIMENT": f"{self.name}/{number}"}
        return config.load(self.base, [text for key, value in values.items() for text in (key, _literal(value))])


def read(path: str | Path) -> Sweep:
    """Read a sweep's file, and check every experiment of it.

    Raises:
        HarnessError: it cannot be read, or an experiment of it is wrong.
    """
    path = Path(path)
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise HarnessError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(table, dict) or not table.keys() <= {"base", "set", "grid"} or "base" not in table:
        raise HarnessError(f"{path}: a sweep has `base`, `grid`, and perhaps `set`")
    grid, common = table.get("grid") or {}, table.get("set") or {}
    if not isinstance(grid, dict) or not all(isinstance(v, list) and v for v in grid.values()) or not grid:
        raise HarnessError(f"{path}: `grid` has a list of values for each key")
    if not isinstance(common, dict):
        raise HarnessError(f"{path}: `set` has a value for each key")
    experiments = tuple(
        {**common, **dict(zip(grid, values, strict=True))} for values in itertools.product(*grid.values())
    )
    sweep = Sweep(path, path.stem, path.parent / str(table["base"]), experiments, tuple(map(str, grid)))
    for number in range(len(experiments)):
        sweep.configuration(number)
    return sweep


def last_run(sweep: Sweep, number: int, others: list[str]) -> Path | None:
    """The last run of an experiment with the settings that the sweep gives it now; None before the first.

    Args:
        others: takes a line for each later run with others: of the experiment that had the number before the sweep was
            changed.

    Raises:
        HarnessError: a run's configuration cannot be read.
    """
    cfg = sweep.configuration(number)
    for run in runs.of(Path(cfg.OUTPUT) / cfg.EXPERIMENT):
        differences = config.differences(cfg, config.load(run / "config.yaml"))
        if not (wrong := [told for key, told in differences.items() if key in sweep.experiments[number]]):
            return run
        others.append(f"{run}: left out, it has {'; '.join(wrong)} as {sweep.path} has it now")
    return None


def report(sweep: Sweep, others: list[str]) -> list[dict[str, Any]]:
    """One row for each experiment: its number, the settings that change, and of its last run the finished epochs, the
    best validation IoU, the epoch of that, seconds and folder; best first, those that have not begun last.

    Args:
        others: as of :func:`last_run`.
    """
    rows = [_row(sweep, number, others) for number in range(len(sweep.experiments))]
    return sorted(rows, key=lambda row: (row["val_iou"] is None, -(row["val_iou"] or 0.0)))


def _row(sweep: Sweep, number: int, others: list[str]) -> dict[str, Any]:
    cfg, run = sweep.configuration(number), last_run(sweep, number, others)
    epochs = runs.epochs(run) if run else []
    best = max(epochs, key=lambda row: float(row["val_iou"]), default=None)
    return {
        "number": number,
        **{key: sweep.experiments[number][key] for key in sweep.changing},
        "epochs": f"{len(epochs)}/{cfg.TRAIN.EPOCHS}",
        "val_iou": float(best["val_iou"]) if best else None,
        "best_epoch": int(best["epoch"]) if best else None,
        "seconds": round(sum(float(row["seconds"]) for row in epochs)),
        "run": str(run) if run else None,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of :func:`report` as text."""
    shown = [{key: _cell(key, value) for key, value in row.items()} for row in rows]
    widths = {key: max(len(key), *(len(row[key]) for row in shown)) for key in shown[0]}
    lines = [{key: key for key in widths}, *shown]
    return "\n".join("  ".join(line[key].ljust(width) for key, width in widths.items()).rstrip() for line in lines)


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if key == "val_iou" else str(value)


def _literal(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)
