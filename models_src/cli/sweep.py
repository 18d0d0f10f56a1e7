# SPDX-License-Identifier: Apache-2.0
"""``segmodel sweep``: many experiments of one file."""

from __future__ import annotations

import json

import click


@click.group()
def sweep() -> None:
    """Train every combination of a grid of settings, on one machine or as a SLURM job array (slurm/enqueue.sh)."""


@sweep.command("list")
@click.argument("file", metavar="FILE")
@click.option("--count", is_flag=True, help="Print only how many there are.")
def list_(file: str, count: bool) -> None:
    """Show the experiments of a sweep and check all of them."""
    from models_src import sweep as sweeps

    found = sweeps.read(file)
    if count:
        click.echo(len(found.experiments))
        return
    for number, settings in enumerate(found.experiments):
        click.echo(f"{number}  " + "  ".join(f"{key} {settings[key]}" for key in found.changing))


@sweep.command()
@click.argument("file", metavar="FILE")
@click.option("--task", "number", required=True, type=click.IntRange(0), help="Number of the experiment.")
def run(file: str, number: int) -> None:
    """Train one experiment; goes on with its last run where that is not finished."""
    from models_src import sweep as sweeps
    from models_src.cli.training import train_or_go_on

    found, others = sweeps.read(file), list[str]()
    last = sweeps.last_run(found, number, others)
    _tell(others)
    train_or_go_on(found.configuration(number) if last is None else None, None if last is None else str(last))


@sweep.command()
@click.argument("file", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def report(file: str, as_json: bool) -> None:
    """What came of every experiment, the best first."""
    from models_src import sweep as sweeps

    others = list[str]()
    rows = sweeps.report(sweeps.read(file), others)
    _tell(others)
    click.echo(json.dumps(rows, indent=1) if as_json else sweeps.table(rows))


def _tell(lines: list[str]) -> None:
    for line in lines:
        click.echo(f"segmodel: {line}", err=True)
