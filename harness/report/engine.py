# SPDX-License-Identifier: Apache-2.0
"""What the pages are made with."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def engine() -> Environment:
    """Templates of this package; every value is escaped, and one that is missing is an error."""
    return Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
