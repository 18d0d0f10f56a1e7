# SPDX-License-Identifier: Apache-2.0
"""The command ``segmodel``. Parses and prints; TensorFlow is imported by the commands that need it."""

from __future__ import annotations

import importlib
from typing import Any

import click

from harness import __version__
from harness.contract import ContractError
from harness.errors import ExitCode, HarnessError

_COMMANDS = {
    "train": "training",
    "average": "training",
    "export": "training",
    "evaluate": "training",
    "data": "data",
    "synth": "synth",
    "sweep": "sweep",
}
"""In which module of this package a command is."""


class _Group(click.Group):
    """Imports a command when it is called, and turns errors that the user can mend into a message and exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        return getattr(importlib.import_module(f"models_src.cli.{_COMMANDS[name]}"), name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (HarnessError, ContractError) as error:
            click.echo(f"segmodel: {error}", err=True)
            ctx.exit(getattr(error, "exit_code", ExitCode.USAGE))
        except KeyboardInterrupt:
            click.echo("segmodel: interrupted", err=True)
            ctx.exit(ExitCode.INTERRUPTED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="segmodel")
def main() -> None:
    """Train a portrait segmentation network, export it for every runtime, and evaluate any variant.

    \b
    Exit status: 0 done · 2 usage or bad input · 4 damaged model · 75 stopped by a signal, can go on · 130 interrupted
    """
