# SPDX-License-Identifier: Apache-2.0
"""``harness ios run | collect``"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from harness import measure
from harness.errors import ExitCode, HarnessError, InvalidError
from harness.ios import tools
from harness.printable import visible

_DEVICE = click.option("--device", metavar="NAME|UDID", help="An iPhone or iPad.  [default: the only one connected]")
_SIMULATOR = click.option("--simulator", metavar="NAME|UDID", help="A running simulator; its times are INVALID.")
_OUT = click.option(
    "--out",
    metavar="DIR",
    default="reports/ios",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where bundles go, each as <run_id>.run; others may be there.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print what became of each bundle as JSON.")


@click.group()
def ios() -> None:
    """Benchmarks on an iPhone or iPad, from a Mac with Xcode. Bundles are checked as by harness import.

    Without a Mac: send bundles from the application's share sheet, and use harness import.
    """


@ios.command()
@_DEVICE
@_SIMULATOR
@click.option(
    "--model", "models", metavar="NAME", multiple=True, help="Only this model of the application; repeatable."
)
@click.option(
    "--suite", "suites", metavar="NAME", multiple=True, help="Only this suite of the application; repeatable."
)
@click.option("--profile", type=click.Choice(list(measure.PROFILES)), help="How long to time.  [default: quick]")
@click.option("--threads", type=click.IntRange(1, 256), help="Threads of the core.  [default: 1]")
@click.option(
    "--xctestrun",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Tests that were built before.  [default: build those of this checkout]",
)
@click.option("--team", metavar="ID", help="Developer team that signs.  [default: that of the project]")
@_OUT
@_JSON
def run(
    device: str | None,
    simulator: str | None,
    models: tuple[str, ...],
    suites: tuple[str, ...],
    profile: str | None,
    threads: int | None,
    xctestrun: Path | None,
    team: str | None,
    out: Path,
    as_json: bool,
) -> None:
    """Run the benchmark's tests on a device, every model over every suite, and take in the bundles they attach.

    The result bundle and what xcodebuild printed stay in the folder.
    """
    from harness.cli.import_ import take_all
    from harness.cli.progress import progress
    from harness.ios import benchmark

    _one_of(device, simulator)
    given = {
        "HARNESS_MODELS": ",".join(models),
        "HARNESS_SUITES": ",".join(suites),
        "HARNESS_PROFILE": profile,
        "HARNESS_THREADS": threads and str(threads),
    }
    plan = benchmark.Plan({name: value for name, value in given.items() if value}, xctestrun, team or "")
    with progress() as tell:
        found = benchmark.find(device, simulator)
        result, problem = benchmark.run(found, plan, out, lambda activity: tell(found.name, activity, 0, 1))
    with benchmark.attached(result) as bundles:
        if not bundles:
            raise InvalidError(f"{result}: the tests attached no bundles; {problem or 'were any run?'}")
        status = take_all(bundles, out, as_json)
    if problem:
        click.echo(f"harness: {visible(problem)}", err=True)
    raise SystemExit(ExitCode.worst([status, ExitCode.INVALID if problem else ExitCode.PASS]))


@ios.command()
@_DEVICE
@_SIMULATOR
@click.option(
    "--result",
    metavar="FILE.xcresult",
    type=click.Path(path_type=Path),
    help="Take the bundles out of a result bundle instead, such as a device farm's.",
)
@click.option(
    "--application",
    metavar="ID",
    default=tools.APPLICATION,
    show_default=True,
    help="Bundle identifier of the application, where it was signed under one of your own.",
)
@_OUT
@_JSON
def collect(
    device: str | None, simulator: str | None, result: Path | None, application: str, out: Path, as_json: bool
) -> None:
    """Fetch the bundles that the application has left on a device.

    What was fetched before is there already; an interrupted run stays on the device, where it can go on.
    """
    from harness.cli.import_ import take_all
    from harness.cli.progress import progress
    from harness.ios import benchmark

    _one_of(device, simulator, result)
    with ExitStack() as kept:
        with progress() as tell:
            if result is None:
                found = benchmark.find(device, simulator)
                tell(found.name, "copying its bundles", 0, 1)
                where, source = f"on {found.name}", benchmark.left_on(found, application)
            else:
                where, source = f"in {result}", benchmark.attached(result)
            bundles = kept.enter_context(source)
        if not bundles:
            raise HarnessError(f"no bundles {where}: run a benchmark in the application first, or harness ios run")
        raise SystemExit(take_all(bundles, out, as_json))


def _one_of(*given: Any) -> None:
    if sum(each is not None for each in given) > 1:
        raise HarnessError("name one of --device, --simulator and --result")
