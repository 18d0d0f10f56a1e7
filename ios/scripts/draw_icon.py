# SPDX-License-Identifier: Apache-2.0
"""Draws the application's icon: a person in front of a background that is out of focus.

python ios/scripts/draw_icon.py ios/RTIOS/Assets.xcassets/AppIcon.appiconset/icon.png
"""

from __future__ import annotations

import sys

import cv2
import numpy as np

SIDE = 1024
TOP, BOTTOM = (196, 112, 84), (110, 50, 60)  # BGR
LIGHT, PERSON = (250, 225, 205), (245, 248, 252)
# Out of focus: centres and radii, as shares of the side.
LIGHTS = [(0.16, 0.22, 0.11), (0.85, 0.16, 0.15), (0.9, 0.58, 0.09), (0.1, 0.62, 0.13), (0.4, 0.1, 0.06)]
HEAD_AND_SHOULDERS = [(0.5, 0.4, 0.17), (0.5, 1.0, 0.34)]


def draw() -> np.ndarray:
    """The icon, BGR, opaque and without rounded corners, as an app icon has to be."""
    height = np.linspace(0, 1, SIDE, dtype=np.float32)[:, None, None]
    icon = np.broadcast_to(np.float32(TOP) * (1 - height) + np.float32(BOTTOM) * height, (SIDE, SIDE, 3))
    for x, y, radius in LIGHTS:
        icon = icon + disc(x, y, radius) * 0.28 * (np.float32(LIGHT) - icon)
    for x, y, radius in HEAD_AND_SHOULDERS:
        icon = icon + disc(x, y, radius) * (np.float32(PERSON) - icon)
    return icon.round().astype(np.uint8)


def disc(x: float, y: float, radius: float) -> np.ndarray:
    """How much of each pixel a disc covers, (SIDE, SIDE, 1)."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32) + 0.5
    distance = np.hypot(columns - x * SIDE, rows - y * SIDE)
    return np.clip(radius * SIDE - distance + 0.5, 0, 1)[..., None]


if __name__ == "__main__":
    cv2.imwrite(sys.argv[1], draw())
