# SPDX-License-Identifier: Apache-2.0
"""``harness report``"""

from __future__ import annotations

import shlex
import sys

import click

from harness.cli import judge
from harness.cli import options as shared
from harness.errors import HarnessError


@click.command()
@click.argument("bundles", nargs=-1, metavar="BUNDLE…")
@click.option(
    "--gates",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Tolerances.  [default: the shipped configs/gates.yaml]",
)
@click.option(
    "--suite", metavar="NAME|DIR", help="Where the pictures and true masks are.  [default: the suite the bundles name]"
)
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Where the report goes.  [default: reports/<time>-report]",
)
@shared.export_options
@click.option("--json", "as_json", is_flag=True, help="Print comparison.json instead of the table.")
def report(
    bundles: tuple[str, ...],
    gates: str | None,
    suite: str | None,
    out: str | None,
    exports: dict[str, str],
    as_json: bool,
) -> None:
    """Rebuild a report from run bundles alone; nothing is run. The first BUNDLE's run is the reference.

    A BUNDLE may also be a folder of bundles, or that of a comparison.
    """
    from harness.runs import find_bundles, open_runs

    paths = [found for name in bundles for found in find_bundles(name)]
    if not paths:
        raise HarnessError("name the run bundles to report on (….run or ….run.zip), or a folder of them")
    limits = judge.load_gates(gates)
    runs = open_runs(paths)
    folder = shared.output_folder(out, "report")
    command = shlex.join(["harness", *sys.argv[1:]])
    raise SystemExit(judge.judge_and_report(runs, folder, command, limits, suite, as_json, exports))
