# SPDX-License-Identifier: Apache-2.0
"""``harness compare``"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from harness.cli import judge
from harness.cli import options as shared
from harness.errors import ExitCode, HarnessError

_REQUEST = "request.json"
"""What was asked for, in the output folder: ``--resume`` goes on with it."""


@click.command()
@click.argument("runs", nargs=-1, metavar="REFERENCE OTHER…")
@click.option(
    "--config",
    "config_path",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Runtimes, suite, lanes and gates from a file; options given here win.",
)
@shared.gates_option
@shared.run_options
@shared.export_options
@click.option("--json", "as_json", is_flag=True, help="Print comparison.json instead of the table.")
def compare(
    runs: tuple[str, ...],
    config_path: str | None,
    gates: str | None,
    resume: str | None,
    out: str | None,
    exports: dict[str, str],
    as_json: bool,
    **options: Any,
) -> None:
    """Compare runtimes, or recorded bundles, with the first one named, and write a report.

    Each of REFERENCE and OTHER is runtime[:variant][@target] or the path of a recorded bundle
    (….run, ….run.zip); both mix freely.
    """
    if resume:
        shared.refuse_with_resume(runs, {**options, "out": out, "config": config_path, "gates": gates})
        raise SystemExit(_resume(Path(resume), as_json, exports))
    from harness import compare_config

    config = compare_config.load(config_path) if config_path else compare_config.CompareConfig()
    options = {name: config.options.get(name) if value is None else value for name, value in options.items()}
    raise SystemExit(start(runs or config.runs, gates or config.gates, options, out, as_json, exports))


def start(
    names: tuple[str, ...],
    gates_path: str | None,
    options: dict[str, Any],
    out: str | None,
    as_json: bool,
    exports: Mapping[str, str],
) -> ExitCode:
    """Look everything up, then run what is to be run, then judge."""
    from harness import bundle, files, session
    from harness.cli.progress import progress
    from harness.runs import open_runs

    if not names:
        raise HarnessError("name a reference and what to compare with it, such as: harness compare keras tflite")
    gates = judge.load_gates(gates_path)
    recorded = [name for name in names if bundle.is_bundle(name)]
    to_run = tuple(name for name in names if name not in recorded)
    # What is wrong with the recorded ones is better known now than after the runs.
    if any(run.kind == "live" for run in open_runs(recorded)) and to_run:
        raise HarnessError(
            f"a live bundle cannot be compared with a run of a suite ({', '.join(to_run)}); name live bundles only"
        )
    plan = shared.session_request(to_run, options).plan() if to_run else None
    folder = shared.output_folder(out, "-vs-".join(Path(n).stem if n in recorded else n for n in names))
    command = shlex.join(["harness", *sys.argv[1:]])
    paths = [str(Path(name).resolve()) if name in recorded else name for name in names]
    request = {"runs": paths, "gates": gates_path, "suite": options.get("suite"), "command": command}
    files.write_file(folder / _REQUEST, (json.dumps(request, indent=1) + "\n").encode())
    made: list[Path] = []
    if plan:
        with progress() as report:
            made = session.run(plan, folder / "runs", report)
    runs = open_runs(_in_order(paths, made))
    return judge.judge_and_report(runs, folder, command, gates, options.get("suite"), as_json, exports)


def _resume(folder: Path, as_json: bool, exports: Mapping[str, str]) -> ExitCode:
    """Finish the runs of an interrupted comparison, then judge."""
    from harness import session
    from harness.cli.progress import progress
    from harness.runs import open_runs

    try:
        request = json.loads((folder / _REQUEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise HarnessError(f"{folder}: no comparison to go on with: it has no readable {_REQUEST}") from None
    gates = judge.load_gates(request["gates"])
    made: list[Path] = []
    if (folder / "runs").is_dir():
        with progress() as report:
            made = session.resume(folder / "runs", report)
    runs = open_runs(_in_order(request["runs"], made))
    return judge.judge_and_report(runs, folder, request["command"], gates, request["suite"], as_json, exports)


def _in_order(names: Sequence[str], made: Sequence[Path]) -> list[Path]:
    """Bundles in the order of the command line: recorded ones where they were named, new ones by their label."""
    from harness import bundle

    by_label: dict[str, list[Path]] = {}
    for path in made:
        by_label.setdefault(bundle.open(path).label, []).append(path)
    return [path for name in names for path in ([Path(name)] if bundle.is_bundle(name) else by_label[name])]
