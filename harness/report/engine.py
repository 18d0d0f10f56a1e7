# SPDX-License-Identifier: Apache-2.0
"""What the pages are made with."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.report import figures


def engine() -> Environment:
    """Templates of this package; every value is escaped, one that is missing is an error, and figures have filters."""
    pages = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    pages.filters.update(
        error=figures.error,
        iou=figures.iou,
        ms=figures.milliseconds,
        mb=figures.megabytes,
        rate=figures.rate,
        share=figures.share,
        change=figures.change,
        metric=lambda value, name: figures.metric(name, value),
    )
    return pages
