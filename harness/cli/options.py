# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, and what becomes of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from harness import measure, resources
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.request import Request

F = TypeVar("F", bound=Callable[..., Any])


_TIMING_OPTIONS = (
    click.option("--model", metavar="PATH", help="Model folder, or a single model file.  [default: the shipped model]"),
    click.option(
        "--contract",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False),
        help="Contract of a model that carries none.",
    ),
    click.option("--suite", metavar="NAME|DIR", help="Shipped suite or a suite's folder.  [default: portraits]"),
    click.option(
        "--profile",
        type=click.Choice(list(measure.PROFILES)),
        help="How long to time; none: parity only.  [default: normal]",
    ),
    click.option("--frame", metavar="CASE", help="Case whose picture is timed.  [default: the one of middle size]"),
    click.option("--threads", type=click.IntRange(1, 256), help="Threads of a runtime.  [default: 1]"),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0.1),
        metavar="SECONDS",
        help="Longest a single step may take.  [default: 120]",
    ),
    click.option("--memory-limit", type=click.IntRange(min=1), metavar="MB", help="Resident memory a runtime may use."),
    click.option(
        "--out",
        metavar="DIR",
        type=click.Path(file_okay=False),
        help="Where results go.  [default: reports/<time>-<name>]",
    ),
)
_EXPORT_OPTIONS = (
    click.option(
        "--markdown",
        metavar="FILE",
        type=click.Path(dir_okay=False, writable=True),
        help="Also write the summary here, for a pull request or $GITHUB_STEP_SUMMARY.",
    ),
    click.option(
        "--junit",
        metavar="FILE",
        type=click.Path(dir_okay=False, writable=True),
        help="Also write the figures as tests here, for a CI server.",
    ),
    click.option(
        "--csv",
        metavar="FILE",
        type=click.Path(dir_okay=False, writable=True),
        help="Also write every figure here, one on a line.",
    ),
)
gates_option = click.option(
    "--gates",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Tolerances.  [default: the shipped configs/gates.yaml]",
)
_CASES_OPTIONS = (
    click.option(
        "--lane",
        type=click.Choice(["tensor", "image", "both"]),
        help="Feed the same tensor, or pictures.  [default: both]",
    ),
    click.option(
        "--stages/--no-stages",
        default=None,
        help="Keep what lies between the stages of a frame, to see where runtimes part.  [default: no]",
    ),
    click.option(
        "--resume",
        metavar="DIR",
        type=click.Path(exists=True, file_okay=False),
        help="Go on with an interrupted run in DIR.",
    ),
)


def timing_options(function: F) -> F:
    """The options of a command that takes times alone."""
    for option in reversed(_TIMING_OPTIONS):
        function = option(function)
    return function


def run_options(function: F) -> F:
    """The options of ``run`` and ``compare``."""
    for option in reversed(_CASES_OPTIONS):
        function = option(function)
    return timing_options(function)


def export_options(function: F) -> F:
    """The options of a command that ends in a comparison; they arrive as one argument, ``exports``."""

    @functools.wraps(function)
    def gathered(*args: Any, markdown: str | None, junit: str | None, csv: str | None, **kwargs: Any) -> Any:
        files = {"markdown": markdown, "junit": junit, "csv": csv}
        exports = {name: str(Path(path).resolve()) for name, path in files.items() if path}
        for name, path in exports.items():
            if not Path(path).parent.is_dir():
                raise HarnessError(f"--{name} {path}: there is no folder {Path(path).parent}; make it, or name another")
        return function(*args, exports=exports, **kwargs)

    wrapped: Any = gathered
    for option in reversed(_EXPORT_OPTIONS):
        wrapped = option(wrapped)
    return cast(F, wrapped)


def session_request(specs: tuple[str, ...], options: dict[str, Any]) -> Request:
    """A request from command-line options; None means the default."""
    from harness import suite as suites
    from harness.request import LANES, Request

    lane, suite = options["lane"] or "both", options["suite"] or suites.DEFAULT
    given = {
        # Absolute, so that an interrupted run can go on from anywhere.
        "model": str(Path(options["model"] or resources.default_model()).resolve()),
        "suite": str(Path(suite).resolve()) if Path(suite).exists() else suite,
        "lanes": LANES if lane == "both" else (lane,),
        "profile": options["profile"],
        "threads": options["threads"],
        "contract": options["contract"] and str(Path(options["contract"]).resolve()),
        "timeout": options["timeout"],
        "memory_limit_mb": options["memory_limit"],
        "stages": options.get("stages"),
        "frame": options["frame"],
        "parity": options.get("parity"),
        "paced": options.get("paced"),
        "sustained": options.get("sustained"),
    }
    return Request(specs=specs, **{name: value for name, value in given.items() if value is not None})


def output_folder(out: str | None, name: str) -> Path:
    """The folder for results: the given one, or a new one under ``reports``; it is made, and never shared.

    Raises:
        HarnessError: it cannot be written, or holds the results of an earlier run.
    """
    folder = Path(out) if out else Path("reports") / f"{datetime.now():%Y%m%d-%H%M%S}-{_slug(name)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise HarnessError(
            f"{folder}: cannot write there: {error.strerror}; choose another folder with --out"
        ) from None
    if any(folder.glob("*.run")) or any((folder / name).exists() for name in ("runs", "request.json", "index.html")):
        raise HarnessError(f"{folder}: holds results already; choose another folder, or go on with --resume {folder}")
    return folder


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:80].strip("-.")


def refuse_with_resume(arguments: tuple[str, ...], options: dict[str, Any]) -> None:
    """``--resume`` takes everything from the interrupted run; anything else beside it is an error."""
    given = [
        f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None and value is not False
    ]
    if arguments or given:
        raise HarnessError(
            f"--resume DIR takes no other arguments (it repeats those of DIR): {' '.join([*arguments, *given])}"
        )
