# SPDX-License-Identifier: Apache-2.0
"""People cut out of pictures with masks, and where their heads are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models_src import compositing
from models_src.datasets.sample import Sample

_LEAST_SIDE = 32  # pixels of a cut-out: less is too coarse to be made larger
_LEAST_AREA = 0.01  # of the picture
_CUT = 0.05  # of a side that the person reaches over the picture's border


@dataclass(frozen=True)
class Cutout:
    """Whoever is in one picture.

    Attributes:
        name, group: of the sample.
        colours: RGB float32 in [0, 1], ``(h, w, 3)``, without the old background at the edges.
        alpha: float32 in [0, 1], ``(h, w)``.
        cut: whether the old picture ended before the person did: above, right, below, left. Such an edge must not be
            seen in a scene.
    """

    name: str
    group: str
    colours: np.ndarray
    alpha: np.ndarray
    cut: tuple[bool, bool, bool, bool]


def cut_out(sample: Sample) -> Cutout | None:
    """The people of a sample; None where there are none, or too small ones.

    Raises:
        HarnessError: its files cannot be read.
    """
    pixels, mask = sample.read()
    rows, columns = (np.flatnonzero((mask > 12).any(axis=axis)) for axis in (1, 0))
    if np.count_nonzero(mask > 127) < _LEAST_AREA * mask.size:
        return None
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    if min(side.stop - side.start for side in box) < _LEAST_SIDE:
        return None
    image, alpha = pixels.astype(np.float32) / 255, mask.astype(np.float32) / 255
    borders = (mask[0], mask[:, -1], mask[-1], mask[:, 0])
    cut = tuple(bool(np.count_nonzero(border > 127) > _CUT * len(border)) for border in borders)
    colours = compositing.foreground(image, alpha)
    return Cutout(sample.name, sample.group, colours[box], alpha[box], cut)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Head:
    """A box about a head: centre and width in columns, top and height in rows."""

    x: float
    top: float
    width: float
    height: float


def find_head(alpha: np.ndarray) -> Head | None:
    """The head of the person in a matte ``(H, W)``, judged by its outline: from the top down to the neck, where it is
    narrowest before the shoulders. None where the outline has no neck.
    """
    inside = alpha > 0.5
    widths = inside.sum(axis=1)
    rows = np.flatnonzero(widths)
    if len(rows) < _LEAST_SIDE:
        return None
    top, bottom = int(rows[0]), int(rows[-1])
    smooth = np.convolve(widths, np.ones(5) / 5, mode="same")
    # Hair ends and shoulders begin somewhere in the upper 70 % of what is seen, whatever the framing.
    reach = top + max(8, int(0.7 * (bottom - top)))
    widest = top + 2
    for row in range(top + 3, reach):
        if smooth[row] > smooth[widest]:
            widest = row
        elif smooth[row] < 0.85 * smooth[widest]:
            break
    neck = widest + int(np.argmin(smooth[widest:reach])) if widest < reach else top
    width = float(smooth[widest])
    if neck - top < 0.9 * width or neck - top > 2.2 * width or smooth[neck] > 0.85 * width:
        return None
    columns = np.flatnonzero(inside[widest])
    if not columns.size:  # specks above the hair: the outline begins with a gap
        return None
    return Head(float(columns.mean()), float(top), width, float(neck - top))
