# SPDX-License-Identifier: Apache-2.0
"""The command ``segmodel``. Parses and prints; TensorFlow is imported by the commands that need it."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import __version__
from harness.contract import ContractError
from harness.errors import ExitCode, HarnessError

if TYPE_CHECKING:
    from models_src.evaluate import Score
    from models_src.export import Check


class _Group(click.Group):
    """Turns errors that the user can mend into one message and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (HarnessError, ContractError) as error:
            click.echo(f"segmodel: {error}", err=True)
            ctx.exit(getattr(error, "exit_code", ExitCode.USAGE))
        except KeyboardInterrupt:
            click.echo("segmodel: interrupted; a training goes on with: segmodel train --resume RUN", err=True)
            ctx.exit(ExitCode.INTERRUPTED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="segmodel")
def main() -> None:
    """Train a portrait segmentation network, export it for every runtime, and evaluate any variant.

    \b
    Exit status: 0 done · 2 usage or bad input · 4 damaged model · 130 interrupted
    """


@main.command()
@click.option("--config", "config_file", metavar="FILE", help="Experiment, e.g. configs/train/portrait.yaml.")
@click.option("--set", "overrides", nargs=2, multiple=True, metavar="KEY VALUE", help="Change one setting. Repeatable.")
@click.option("--resume", "run", metavar="RUN", help="Continue an interrupted run folder exactly where it was.")
def train(config_file: str | None, overrides: tuple[tuple[str, str], ...], run: str | None) -> None:
    """Train a network; the last line printed is the run folder."""
    if run is not None and (config_file is not None or overrides):
        raise click.UsageError("--resume uses the run's own configuration: give it alone")
    if run is None and config_file is None:
        raise click.UsageError("give --config FILE for a new run, or --resume RUN to continue one")
    from models_src import config

    cfg = None if run else config.load(config_file, [text for pair in overrides for text in pair])
    _import_tensorflow()
    _show_log()
    from models_src import train as training

    click.echo(training.start(cfg) if cfg is not None else training.resume(str(run)))


@main.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN…")
@click.option("--out", required=True, metavar="DIR", help="Run folder to make.")
def average(runs: tuple[str, ...], out: str) -> None:
    """Average the weights of runs that started from common weights, as a run folder that can be exported."""
    _import_tensorflow()
    from models_src import average as averaging

    click.echo(averaging.average(runs, out))


@main.command()
@click.argument("source", metavar="RUN|FILE")
@click.option("--out", required=True, metavar="DIR", help="Model folder to write.")
@click.option("--contract", metavar="FILE", help="How to use a .keras or .h5 file from elsewhere.")
@click.option("--calibration", metavar="DIR", help="Pictures that set int8's ranges; for a run: its training set.")
@click.option("--overwrite", is_flag=True, help="Replace the model in DIR.")
def export(source: str, out: str, contract: str | None, calibration: str | None, overwrite: bool) -> None:
    """Export a run folder, or any .keras or .h5 network, with every TFLite variant, each verified by running it."""
    if Path(source).is_dir() and contract:
        raise click.UsageError("--contract is for a network from elsewhere; a run's contract is in its configuration")
    _import_tensorflow()
    from models_src import export as exporting

    trained = exporting.from_run(source) if Path(source).is_dir() else exporting.from_file(source, contract)
    pictures = calibration or trained.calibration
    if not pictures:
        raise click.UsageError("--calibration DIR is needed: pictures like those the model will see")
    checks = exporting.export(trained, out, pictures, overwrite)
    click.echo(_check_table(checks))
    click.echo(out)


@main.command()
@click.argument("model", metavar="MODEL")
@click.option("--data", "folder", required=True, metavar="DIR", help="Folder with images/ and masks/.")
@click.option("--variant", metavar="NAME", help="keras, fp32, fp16, dyn8 or int8; all there are if left out.")
@click.option("--filter", "pattern", default="*", metavar="GLOB", help="Only pictures whose stem matches.")
@click.option("--contract", metavar="FILE", help="Contract of a model that carries none.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(model: str, folder: str, variant: str | None, pattern: str, contract: str | None, as_json: bool) -> None:
    """Judge a model folder or file against ground truth: foreground IoU, boundary IoU, pixel accuracy."""
    from harness import model_file

    files = [model_file.find(model, name, contract) for name in _variants(Path(model), variant)]
    from models_src import data, inference
    from models_src.evaluate import score

    pairs = data.find_pairs(folder, pattern)
    if any(file.format != "tflite" for file in files):
        _import_tensorflow()
    scores = [(file.variant, score(inference.load(file), file.contract, pairs)) for file in files]
    if as_json:
        click.echo(json.dumps([{"variant": name, **result.to_json()} for name, result in scores], indent=2))
    else:
        click.echo(_score_table(scores))


def _variants(model: Path, variant: str | None) -> list[str]:
    from harness import model_file

    if variant is not None:
        return [variant]
    if model.is_dir():
        return model_file.available_variants(model) or ["keras"]
    return ["fp32" if model.suffix == ".tflite" else "keras"]  # a TFLite file tells its variant itself


def _check_table(checks: list[Check]) -> str:
    rows = [f"{'variant':8} {'bytes':>10} {'max error':>10} {'mask IoU':>9}   against keras"]
    rows += [f"{c.variant:8} {c.bytes:10,d} {c.max_error:10.2g} {c.mask_iou:9.4f}" for c in checks]
    return "\n".join(rows)


def _score_table(scores: list[tuple[str, Score]]) -> str:
    rows = [f"{'variant':8} {'pictures':>8} {'IoU':>7} {'boundary IoU':>13} {'accuracy':>9}"]
    rows += [
        f"{name:8} {s.pictures:8d} {s.iou:7.4f} {s.boundary_iou:13.4f} {s.pixel_accuracy:9.4f}" for name, s in scores
    ]
    return "\n".join(rows)


def _import_tensorflow() -> None:
    """Import TensorFlow without the lines on CPU features and absent GPUs that it writes before it can be told not to.

    Raises:
        HarnessError: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        import tensorflow  # noqa: F401
    except ModuleNotFoundError as error:
        raise HarnessError(f"{error}; install it with: pip install 'mobile-unet-harness[train]'") from None
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _show_log() -> None:
    log = logging.getLogger("models_src")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log.handlers = [handler]
