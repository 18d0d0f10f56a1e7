# SPDX-License-Identifier: Apache-2.0
"""What is in a dataset: how many pictures, how large, how much of them is people and how soft their edges are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from models_src.datasets.manifest import Dataset, Source
from models_src.datasets.sample import Sample


def of(dataset: Dataset) -> list[dict[str, Any]]:
    """One row for each source: pictures, weight, groups; width and height in pixels as ``[smallest, median, largest]``;
    people as the share of a picture at the 10th, 50th and 90th percentile; pictures without anybody; and how much of
    the masks is neither person nor background."""
    return [_row(source) for source in dataset.sources]


def _row(source: Source) -> dict[str, Any]:
    with ThreadPoolExecutor() as threads:
        figures = np.array(list(threads.map(_figures, source.samples)))
    height, width, people, soft = figures.T
    return {
        "source": str(source.path),
        "pictures": len(source.samples),
        "weight": source.weight,
        "groups": len({sample.group for sample in source.samples}),
        "width": _three(width),
        "height": _three(height),
        "people": [round(float(v), 4) for v in np.quantile(people, [0.1, 0.5, 0.9])],
        "nobody": int((people == 0).sum()),
        "soft": round(float(soft.mean()), 4),
    }


def _figures(sample: Sample) -> tuple[float, float, float, float]:
    _, mask = sample.read()
    return *mask.shape, float((mask > 127).mean()), float(((mask > 12) & (mask < 243)).mean())


def _three(values: np.ndarray) -> list[int]:
    return [int(v) for v in (values.min(), np.median(values), values.max())]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of :func:`of` as text."""
    head = "pictures weight groups          width         height             people nobody   soft  source"
    lines = [head]
    for row in rows:
        width, height = (" ".join(map(str, row[side])) for side in ("width", "height"))
        people = " ".join(f"{share:.1%}" for share in row["people"])
        lines.append(
            f"{row['pictures']:8d} {row['weight']:6g} {row['groups']:6d} {width:>14} {height:>14} {people:>18} "
            f"{row['nobody']:6d} {row['soft']:6.1%}  {row['source']}"
        )
    return "\n".join(lines)
