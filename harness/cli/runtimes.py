# SPDX-License-Identifier: Apache-2.0
"""``harness runtimes``"""

from __future__ import annotations

import json
from typing import Any

import click

from harness.errors import InvalidError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def runtimes(as_json: bool) -> None:
    """List the runtimes that can be run here, those that cannot, and what to install."""
    from harness import model_file, resources, runtime

    rows: list[dict[str, Any]] = []
    for name, entry in runtime.registered().items():
        try:
            kind = runtime.find(name)
        except InvalidError as error:
            rows.append({"runtime": name, "version": None, "variants": [], "install": str(error), "class": entry.value})
            continue
        found = kind.availability()
        variants = [
            variant
            for variant in model_file.available_variants(resources.default_model())
            if ("keras" if variant == "keras" else "tflite") in kind.formats
        ]
        rows.append(
            {
                "runtime": name,
                "version": found.version,
                "variants": variants,
                "install": found.remedy,
                "class": entry.value,
            }
        )
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    width = max(len(row["runtime"]) for row in rows)
    for row in rows:
        state = f"available  {row['version']}" if row["version"] else f"missing    {row['install']}"
        click.echo(f"{row['runtime']:{width}}  {state}")
        if row["version"] and row["variants"]:
            names = [row["runtime"] if v in ("keras", "fp32") else f"{row['runtime']}:{v}" for v in row["variants"]]
            click.echo(f"{'':{width}}             {'  '.join(names)}")
