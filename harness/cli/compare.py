# SPDX-License-Identifier: Apache-2.0
"""``harness compare``"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from harness.cli import options as shared
from harness.errors import ExitCode, HarnessError


@click.command()
@click.argument("runs", nargs=-1, metavar="REFERENCE OTHER…")
@click.option(
    "--config",
    "config_path",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Runtimes, suite, lanes and gates from a file; options given here win.",
)
@click.option(
    "--gates",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Tolerances.  [default: the shipped configs/gates.yaml]",
)
@shared.run_options
@click.option("--json", "as_json", is_flag=True, help="Print comparison.json instead of the table.")
def compare(
    runs: tuple[str, ...],
    config_path: str | None,
    gates: str | None,
    resume: str | None,
    out: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Compare runtimes, or recorded bundles, with the first one named, and write a report.

    Each of REFERENCE and OTHER is runtime[:variant][@target] or the path of a recorded bundle
    (….run, ….run.zip); both mix freely.
    """
    from harness import bundle, compare_config, session
    from harness.cli.progress import progress

    if resume:
        shared.refuse_with_resume(runs, {**options, "out": out, "config": config_path})
        folder = Path(resume)
        with progress() as report:
            paths = session.resume(folder / "runs", report)
        command = f"harness compare --resume {shlex.quote(resume)}"
    else:
        config = compare_config.load(config_path) if config_path else compare_config.CompareConfig()
        runs = runs or config.runs
        gates = gates or config.gates
        options = {name: config.options.get(name) if value is None else value for name, value in options.items()}
        if not runs:
            raise HarnessError("name a reference and what to compare with it, such as: harness compare keras tflite")
        command = shlex.join(["harness", "compare", *sys.argv[2:]]) if sys.argv[1:2] == ["compare"] else ""
        live = tuple(name for name in runs if not bundle.is_bundle(name))
        request = shared.session_request(live, options) if live else None
        folder = shared.output_folder(
            out, "-vs-".join(Path(name).stem if bundle.is_bundle(name) else name for name in runs)
        )
        made: list[Path] = []
        if request:
            with progress() as report:
                made = session.run(request, folder / "runs", report)
        paths = _in_order(runs, made)
    raise SystemExit(judge_and_report(paths, folder, command, gates, options.get("suite"), as_json))


def _in_order(names: tuple[str, ...], made: list[Path]) -> list[Path]:
    """Bundles in the order of the command line: recorded ones where they were named, new ones by their label."""
    from harness import bundle

    by_label: dict[str, list[Path]] = {}
    for path in made:
        by_label.setdefault(bundle.open(path).label, []).append(path)
    return [path for name in names for path in ([Path(name)] if bundle.is_bundle(name) else by_label[name])]


def judge_and_report(
    paths: list[Path], folder: Path, command: str, gates: str | None, suite: str | None, as_json: bool
) -> ExitCode:
    """Compare bundles, write the report into ``folder``, print the result; the exit status to end with."""
    from rich.console import Console

    from harness import compare as comparing
    from harness import gates as gating
    from harness import report, resources, verdict
    from harness.cli.progress import progress
    from harness.report import console

    limits = gating.load(gates or resources.default_gates())
    runs = comparing.open_runs(paths)
    cases = _suite_of(runs[0], suite)
    with progress() as tell:
        comparison = comparing.compare(
            runs, limits, folder.name, command, cases, lambda label, done, total: tell(label, "comparing", done, total)
        )
        tell("report", "writing", 0, 1)
        comparison = comparing.relative_bundles(comparison, folder)
        page = report.write(comparison, folder, cases)
    if as_json:
        click.echo(comparison.to_json(), nl=False)
    else:
        # A pipe has no width to fit.
        console.print_table(comparison, Console(width=None if sys.stdout.isatty() else 140), page)
    return verdict.exit_code(comparison.verdict)


def _suite_of(reference: Any, given: str | None) -> Any:
    """The suite the reference ran, if it is at hand and still the same: for ground truth and pictures."""
    from harness import suite

    recorded = reference.facts["suite"]
    request = reference.facts["request"].get("session", {})
    for candidate in (given, request.get("suite"), recorded["id"]):
        try:
            found = suite.find(candidate) if candidate else None
        except HarnessError:
            continue
        if found is not None and found.sha256 == recorded["sha256"]:
            return found
    return None
