# SPDX-License-Identifier: Apache-2.0
"""``harness baseline save | check | list``"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import judge
from harness.cli import options as shared
from harness.printable import visible

if TYPE_CHECKING:
    from harness.baseline import Baseline
    from harness.runs import Run

_FOLDER = click.option(
    "--folder", metavar="DIR", default="baselines", show_default=True, type=click.Path(file_okay=False, path_type=Path),
    help="Where baselines lie.",
)  # fmt: skip
_JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
_RUNS = click.argument("runs", nargs=-1, metavar="RUN…")


@click.group()
def baseline() -> None:
    """Record runs under a name, and hold later runs against them.

    A RUN is a recorded bundle, a folder of bundles, a comparison's folder, or a runtime to run now:
    runtime[:variant][@target].
    """


@baseline.command(short_help="Record runs under a name.")
@click.argument("name")
@_RUNS
@_FOLDER
@click.option("--replace", is_flag=True, help="Take the place of a baseline of this name.")
@shared.timing_options
@_JSON
def save(
    name: str, runs: tuple[str, ...], folder: Path, replace: bool, out: str | None, as_json: bool, **options: Any
) -> None:
    """Record runs under NAME, whole: masks, times, and what the model file says of itself.

    The options of timing are for runtimes that are run now.
    """
    from harness import baseline as baselines

    opened = _open(runs, f"baseline-{name}", out, options)[0]
    saved = baselines.save(name, opened, folder, replace)
    if as_json:
        click.echo(json.dumps(_facts(saved), indent=1))
    else:
        click.echo(f"{saved.folder}: {len(saved.runs)} runs, {saved.bytes / 1e6:.2g} MB")


@baseline.command(short_help="Hold runs against recorded ones.")
@click.argument("name")
@_RUNS
@_FOLDER
@click.option("--other-machine", is_flag=True, help="On another machine than the baseline's: gate all but speed.")
@shared.gates_option
@shared.timing_options
@shared.export_options
@click.option("--json", "as_json", is_flag=True, help="Print check.json instead of the table.")
def check(
    name: str,
    runs: tuple[str, ...],
    folder: Path,
    other_machine: bool,
    gates: str | None,
    out: str | None,
    exports: dict[str, str],
    as_json: bool,
    **options: Any,
) -> None:
    """Hold runs against the recorded ones of NAME, each against that of the same runtime, variant and target.

    Masks, model size, operators and activations are gated on every machine; speed only on the one that recorded the
    baseline. The options of timing are for runtimes that are run now.

    \b
    Exit status: 0 pass · 1 masks or model fail · 2 usage, another machine
                 3 too slow · 4 invalid or incomplete
    """
    from rich.console import Console

    from harness import baseline as baselines
    from harness import baseline_check
    from harness.cli.progress import progress
    from harness.report import check as report

    limits = judge.load_gates(gates)
    recorded = baselines.load(name, folder)
    if not any(run.masks for run in recorded.runs):
        options |= {"lane": "image", "parity": False}
    opened, place = _open(runs, f"check-{name}", out, options)
    cases = judge.suite_of(opened[0], options["suite"])
    command = shlex.join(["harness", *sys.argv[1:]])
    with progress() as tell:
        checked = baseline_check.check(
            recorded, opened, limits, command, cases, other_machine,
            lambda label, done, total: tell(label, "comparing", done, total),
        )  # fmt: skip
        tell("report", "writing", 0, 1)
        place = place or shared.output_folder(out, f"check-{name}")
        page = report.write(checked, place, cases, exports)
    if as_json:
        click.echo(report.to_json(checked), nl=False)
    else:
        report.print_table(checked, Console(width=None if sys.stdout.isatty() else 140), page)
    raise SystemExit(checked.exit_code)


@baseline.command("list", short_help="List the baselines.")
@_FOLDER
@_JSON
def list_baselines(folder: Path, as_json: bool) -> None:
    """List the baselines: when, where and of what each was recorded, and how large it is."""
    from harness import baseline as baselines
    from harness.errors import HarnessError

    found: list[dict[str, Any]] = []
    for name in baselines.names(folder):
        try:
            found.append(_facts(baselines.load(name, folder)))
        except HarnessError as error:
            found.append({"name": name, "error": str(error)})
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    if not found:
        click.echo(f"{folder}: no baselines yet; record one with: harness baseline save NAME RUN…", err=True)
        return
    _print(found)


def _open(
    names: tuple[str, ...], title: str, out: str | None, options: dict[str, Any]
) -> tuple[list[Run], Path | None]:
    """The runs that are named, those that are not recorded run first; and the folder that took these, if any."""
    from harness import baseline, bundle, session
    from harness.cli.progress import progress
    from harness.runs import find_bundles, open_runs

    recorded = [name for name in names if bundle.is_bundle(name) or Path(name).is_dir()]
    paths = [path for name in recorded for path in find_bundles(name)]
    specs = tuple(name for name in names if name not in recorded)
    folder = None
    # What is wrong with the recorded ones is better known now than after the runs.
    if paths or not specs:
        baseline.check_runs(open_runs(paths))
    if specs:
        options = {"lane": None, **options}
        plan = shared.session_request(specs, options).plan()
        folder = shared.output_folder(out, title)
        with progress() as report:
            paths += session.run(plan, folder / "runs", report)
    opened = open_runs(paths)
    baseline.check_runs(opened)
    return opened, folder


def _facts(found: Baseline) -> dict[str, Any]:
    return {
        "name": found.name,
        "created_at": found.created_at,
        "path": str(found.folder),
        "bytes": found.bytes,
        "version": found.tool["version"],
        "suite": found.suite,
        "runs": [vars(run) for run in found.runs],
    }


def _print(found: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from harness.report import figures

    console = Console(width=None if sys.stdout.isatty() else 200)
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("name", "recorded", "machine", "suite", "targets", "MB"):
        table.add_column(
            heading, no_wrap=heading not in ("machine", "targets"), justify="right" if heading == "MB" else "left"
        )
    for entry in found:
        if "error" in entry:
            table.add_row(Text(entry["name"]), Text("unreadable", style="magenta"))
            continue
        machines = {f"{run['machine']['cpu']}, {run['machine']['cores']} cores": None for run in entry["runs"]}
        cells = [
            entry["name"],
            entry["created_at"][:16].replace("T", " "),
            "; ".join(machines),
            entry["suite"]["id"],
            ", ".join(run["target"] + ("" if run["timed"] else " (not timed)") for run in entry["runs"]),
            figures.megabytes(entry["bytes"]),
        ]
        table.add_row(*(Text(visible(cell)) for cell in cells))
    console.print(table)
    for entry in found:
        if "error" in entry:
            click.echo(f"harness: {visible(entry['error'])}", err=True)
