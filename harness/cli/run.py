# SPDX-License-Identifier: Apache-2.0
"""``harness run``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli import options as shared
from harness.errors import ExitCode, HarnessError
from harness.printable import visible


@click.command()
@click.argument("runtimes", nargs=-1, metavar="RUNTIME…")
@shared.run_options
@click.option("--json", "as_json", is_flag=True, help="Print the bundles and their status as JSON.")
def run(runtimes: tuple[str, ...], resume: str | None, out: str | None, as_json: bool, **options: Any) -> None:
    """Run runtimes over a suite and leave one bundle per runtime and lane.

    RUNTIME is runtime[:variant][@target]: keras, tflite, tflite:int8, tflite@tflite-runtime==2.14.0.
    """
    from harness import session
    from harness.cli.progress import progress

    if resume:
        shared.refuse_with_resume(runtimes, {**options, "out": out})
        with progress() as report:
            paths = session.resume(Path(resume), report)
    else:
        if not runtimes:
            raise HarnessError("name at least one runtime; harness runtimes lists them")
        plan = shared.session_request(runtimes, options).plan()
        folder = shared.output_folder(out, "-".join(runtimes))
        with progress() as report:
            paths = session.run(plan, folder, report)
    raise SystemExit(_tell(paths, as_json))


def _tell(paths: list[Path], as_json: bool) -> ExitCode:
    """Print what became of each bundle."""
    import json

    from harness import bundle

    facts = [(path, bundle.open(path).facts) for path in paths]
    rows = [
        {"label": f["label"], "lane": f["lane"], "status": f["status"], "error": f["error"], "bundle": str(path)}
        for path, f in facts
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    else:
        width = max(len(row["label"]) for row in rows)
        for row in rows:
            why = f"  ({row['error']['message']})" if row["error"] else ""
            click.echo(visible(f"{row['label']:{width}}  {row['lane']:6}  {row['status']:8}  {row['bundle']}{why}"))
    return ExitCode.PASS if all(row["status"] == "complete" for row in rows) else ExitCode.INVALID
