# SPDX-License-Identifier: Apache-2.0
"""``harness bench``"""

from __future__ import annotations

from typing import Any

import click

from harness.cli import compare
from harness.cli import options as shared
from harness.errors import HarnessError


@click.command()
@click.argument("runtimes", nargs=-1, metavar="A [B…]")
@shared.gates_option
@shared.timing_options
@click.option(
    "--paced",
    multiple=True,
    type=click.FloatRange(1, 1000),
    metavar="FPS",
    help="Also run at a camera's rate; may be given several times.  [default: 30 and 60; quick: none]",
)
@click.option(
    "--sustained",
    type=click.FloatRange(min=0.01),
    metavar="MINUTES",
    help="Also run without a pause for so long: latency over time.",
)
@shared.export_options
@click.option("--json", "as_json", is_flag=True, help="Print comparison.json instead of the table.")
def bench(
    runtimes: tuple[str, ...],
    gates: str | None,
    out: str | None,
    paced: tuple[float, ...],
    sustained: float | None,
    exports: dict[str, str],
    as_json: bool,
    **options: Any,
) -> None:
    """Time runtimes beside each other: latency, frames per second and memory, and nothing else.

    Each of A and B is runtime[:variant][@target]. B is held against A: how many times as long it takes, with a
    95 % interval. Masks are not compared; harness compare does both.
    """
    if not runtimes:
        raise HarnessError("name what to time, such as: harness bench tflite core")
    if options["profile"] == "none":
        raise HarnessError("--profile none times nothing; choose quick, normal or submission")
    if not paced and options["profile"] != "quick":
        paced = (30.0, 60.0)
    options.update(lane="image", parity=False, paced=paced or None, sustained=sustained and sustained * 60)
    raise SystemExit(compare.start(runtimes, gates, options, out, as_json, exports))
