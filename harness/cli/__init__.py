# SPDX-License-Identifier: Apache-2.0
"""The command ``harness``. Each subcommand is a module that is imported only when it is called, or asked for help."""

from __future__ import annotations

import importlib
import keyword
from typing import Any

import click

from harness import __version__
from harness.errors import ExitCode, HarnessError
from harness.printable import visible

# name -> module, and the line that `harness --help` shows: reading it must not import the module.
_COMMANDS = {
    "run": ("harness.cli.run", "Run runtimes over a suite and leave a bundle for each."),
    "compare": ("harness.cli.compare", "Compare runtimes or recorded bundles with a reference."),
    "bench": ("harness.cli.bench", "Time runtimes beside each other: latency, FPS and memory only."),
    "baseline": ("harness.cli.baseline", "Record runs under a name, and hold later runs against them."),
    "leaderboard": ("harness.cli.leaderboard", "Rank models: what they cost, how good and how fast they are."),
    "history": ("harness.cli.history", "Make a page of many runs over time."),
    "import": ("harness.cli.import_", "Take in bundles that a phone or another machine sent."),
    "ios": ("harness.cli.ios", "Run benchmarks on an iPhone and fetch what they left, on a Mac."),
    "report": ("harness.cli.report", "Rebuild a report from bundles alone."),
    "runtimes": ("harness.cli.runtimes", "List what can be run here, and what to install."),
    "suite": ("harness.cli.suite", "List, make, check and pack suites."),
}


class _LazyGroup(click.Group):
    """A group whose commands are imported when needed, with errors turned into a message and an exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, _ = _COMMANDS[name]
        return getattr(importlib.import_module(module), f"{name}_" if keyword.iskeyword(name) else name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HarnessError as error:
            click.echo(f"harness: {visible(str(error))}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("harness: interrupted; go on with: --resume", err=True)
            ctx.exit(ExitCode.INTERRUPTED)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
def main() -> None:
    """Prove that every build of a portrait segmentation model draws the same mask, and measure how fast.

    \b
    Exit status: 0 pass · 1 parity fails · 2 usage or bad input · 3 too slow
                 4 invalid or incomplete (crash, timeout, missing runtime) · 130 interrupted
    """
