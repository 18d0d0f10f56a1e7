# SPDX-License-Identifier: Apache-2.0
"""``segmodel train``, ``average``, ``export``, ``evaluate``."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import ExitCode
from models_src.cli.console import import_tensorflow, live_progress, show_log
from models_src.interruption import EXIT_REQUEUE, Interrupted, Interruption

if TYPE_CHECKING:
    from yacs.config import CfgNode

    from models_src.evaluate import Score
    from models_src.export import Check


@click.command()
@click.option("--config", "config_file", metavar="FILE", help="Experiment, e.g. configs/train/portrait.yaml.")
@click.option("--set", "overrides", nargs=2, multiple=True, metavar="KEY VALUE", help="Change one setting. Repeatable.")
@click.option("--resume", "resumed", metavar="RUN", help="Continue an interrupted run folder exactly where it was.")
@click.option("--run", "folder", metavar="DIR", help="The run folder; if it is there already, it is continued.")
@click.option(
    "--check",
    is_flag=True,
    help="Only check all that would end the training at its start, but for the number of devices; print its folder, or "
    "that of the experiment's runs.",
)
def train(
    config_file: str | None,
    overrides: tuple[tuple[str, str], ...],
    resumed: str | None,
    folder: str | None,
    check: bool,
) -> None:
    """Train a network; the last line printed is the run folder."""
    if resumed is not None and (config_file is not None or folder is not None):
        raise click.UsageError("--resume uses the run's own configuration and folder: give no --config and --run")
    if resumed is None and config_file is None:
        raise click.UsageError("give --config FILE for a new run, or --resume RUN to continue one")
    from models_src import config, runs

    settings = [text for pair in overrides for text in pair]
    if folder is not None and runs.is_run(Path(folder)):
        resumed = folder
    cfg = config.load(config_file, settings) if resumed is None else None
    if resumed is not None:
        runs.settings(Path(resumed), settings)  # what is asked for must be what it has
    named = Path(folder) if folder else None
    if not check:
        train_or_go_on(cfg, resumed, named)
        return
    import_tensorflow()
    from models_src import train as training

    click.echo(training.check(cfg, named) if cfg is not None else training.check_resume(str(resumed)))


def train_or_go_on(cfg: CfgNode | None, resumed: str | None, folder: Path | None = None) -> None:
    """Start a training of a configuration, or continue a run; prints the run's folder."""
    interruption = Interruption(Path(resumed) if resumed else None)
    try:
        with interruption:
            import_tensorflow()
            from models_src import train as training

            interruption.stop_if_told()
            with live_progress() as report:
                show_log()
                if cfg is not None:
                    done = training.start(cfg, report=report, run=folder, interruption=interruption)
                else:
                    done = training.resume(str(resumed), report=report, interruption=interruption)
    except Interrupted as reason:
        click.echo(f"segmodel: {reason}; {_go_on(interruption.run)}", err=True)
        click.get_current_context().exit(EXIT_REQUEUE)
    except KeyboardInterrupt:
        click.echo(f"segmodel: interrupted; {_go_on(interruption.run)}", err=True)
        click.get_current_context().exit(ExitCode.INTERRUPTED)
    click.echo(done)


def _go_on(run: Path | None) -> str:
    return f"go on with: segmodel train --resume {shlex.quote(str(run))}" if run else "no run was begun"


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN…")
@click.option("--out", required=True, metavar="DIR", help="Run folder to make.")
def average(runs: tuple[str, ...], out: str) -> None:
    """Average the weights of runs that started from common weights, as a run folder that can be exported."""
    import_tensorflow()
    from models_src import average as averaging

    click.echo(averaging.average(runs, out))


@click.command()
@click.argument("source", metavar="RUN|FILE")
@click.option("--out", required=True, metavar="DIR", help="Model folder to write.")
@click.option("--contract", metavar="FILE", help="How to use a .keras or .h5 file from elsewhere.")
@click.option("--calibration", metavar="DIR", help="Pictures that set int8's ranges; for a run: its training set.")
@click.option("--overwrite", is_flag=True, help="Replace the model in DIR.")
def export(source: str, out: str, contract: str | None, calibration: str | None, overwrite: bool) -> None:
    """Export a run folder, or any .keras or .h5 network, with every TFLite variant, each verified by running it."""
    if Path(source).is_dir() and contract:
        raise click.UsageError("--contract is for a network from elsewhere; a run's contract is in its configuration")
    import_tensorflow()
    from models_src import export as exporting

    trained = exporting.from_run(source) if Path(source).is_dir() else exporting.from_file(source, contract)
    pictures = calibration or trained.calibration
    if not pictures:
        raise click.UsageError("--calibration DIR is needed: pictures like those the model will see")
    checks = exporting.export(trained, out, pictures, overwrite)
    click.echo(_check_table(checks))
    click.echo(out)


@click.command()
@click.argument("model", metavar="MODEL")
@click.option("--data", "folder", required=True, metavar="PATH", help="Pictures with masks, in any format.")
@click.option("--variant", metavar="NAME", help="keras, fp32, fp16, dyn8 or int8; all there are if left out.")
@click.option("--filter", "pattern", default="*", metavar="GLOB", help="Only pictures whose name matches.")
@click.option("--contract", metavar="FILE", help="Contract of a model that carries none.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(model: str, folder: str, variant: str | None, pattern: str, contract: str | None, as_json: bool) -> None:
    """Judge a model folder or file against ground truth: foreground IoU, boundary IoU, pixel accuracy."""
    from harness import model_file

    files = [model_file.find(model, name, contract) for name in _variants(Path(model), variant)]
    from models_src import inference
    from models_src.datasets import manifest
    from models_src.evaluate import score

    samples = manifest.load(folder, pattern).samples
    if any(file.format != "tflite" for file in files):
        import_tensorflow()
    scores = [(file.variant, score(inference.load(file), file.contract, samples)) for file in files]
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
