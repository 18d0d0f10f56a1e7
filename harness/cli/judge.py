# SPDX-License-Identifier: Apache-2.0
"""From opened runs to a report and an exit status: the end of ``compare`` and of ``report``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import ExitCode, HarnessError

if TYPE_CHECKING:
    from harness.gates import Gates
    from harness.runs import Run
    from harness.suite import Suite


def load_gates(path: str | None) -> Gates:
    """The given gates file, or the shipped one; see :func:`harness.gates.load`."""
    from harness import gates, resources

    return gates.load(path or resources.default_gates())


def judge_and_report(
    runs: Sequence[Run],
    folder: Path,
    command: str,
    gates: Gates,
    suite: str | None,
    as_json: bool,
    exports: Mapping[str, str],
) -> ExitCode:
    """Compare runs with the first, write the report into ``folder`` and the ``exports``, print the result; the exit
    status to end with."""
    from rich.console import Console

    from harness import compare, report, verdict
    from harness.cli.progress import progress
    from harness.report import console

    cases = suite_of(runs[0], suite)
    with progress() as tell:
        comparison = compare.compare(
            runs, gates, folder.name, command, cases, lambda label, done, total: tell(label, "comparing", done, total)
        )
        tell("report", "writing", 0, 1)
        comparison = compare.relative_bundles(comparison, folder)
        page = report.write(comparison, folder, cases)
        report.export(comparison, exports)
    if as_json:
        click.echo(comparison.to_json(), nl=False)
    else:
        # A pipe has no width to fit.
        console.print_table(comparison, Console(width=None if sys.stdout.isatty() else 140), page)
    return verdict.exit_code(comparison.verdict, comparison.only_slow)


def suite_of(reference: Run, given: str | None) -> Suite | None:
    """The suite the reference ran, if it is at hand and still the same: for ground truth and pictures.

    Raises:
        HarnessError: the suite given by name is another one.
    """
    from harness import suite

    recorded = reference.facts["suite"]
    if given:
        named = suite.find(given)
        if named.sha256 != recorded["sha256"]:
            raise HarnessError(f"--suite {given}: not the suite {recorded['id']!r} that {reference.label} ran")
        return named
    for candidate in (reference.facts["request"].get("session", {}).get("suite"), recorded["id"]):
        try:
            found = suite.find(candidate) if candidate else None
        except HarnessError:
            continue
        if found is not None and found.sha256 == recorded["sha256"]:
            return found
    return None
