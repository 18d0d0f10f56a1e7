# SPDX-License-Identifier: Apache-2.0
"""Draws the application's icon: a person in front of a background that is out of focus.

python ios/scripts/draw_icon.py ios/RTIOS/Assets.xcassets/AppIcon.appiconset/icon.png
"""

from __future__ import annotations

import sys

import cv2
import numpy as np

SIDE = 1024
# Out of focus: centres and radii, as shares of the side.
LIGHTS = [(0.16, 0.22, 0.11), (0.85, 0.16, 0.15), (0.9, 0.58, 0.09), (0.1, 0.62, 0.13), (0.4, 0.1, 0.06)]
SMOOTH = 4  # drawn larger by this and made smaller: smooth edges


def draw() -> np.ndarray:
    """The icon, BGR, opaque and without rounded corners, as an app icon has to be."""
    side = SIDE * SMOOTH
    ramp = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    top, bottom = np.array([196, 112, 84], np.float32), np.array([110, 50, 60], np.float32)
    icon = np.broadcast_to(top + (bottom - top) * ramp, (side, side, 3)).copy()

    def disc(x: float, y: float, radius: float, colour: tuple[int, int, int], strength: float = 1.0) -> None:
        centre, length = (int(x * side), int(y * side)), int(radius * side)
        drawn = cv2.circle(icon.copy(), centre, length, colour, -1)
        icon[:] = icon + (drawn - icon) * strength

    for x, y, radius in LIGHTS:
        disc(x, y, radius, (250, 225, 205), 0.28)
    person = (245, 248, 252)
    disc(0.5, 0.4, 0.17, person)
    disc(0.5, 1.0, 0.34, person)
    return cv2.resize(icon, (SIDE, SIDE), interpolation=cv2.INTER_AREA).round().astype(np.uint8)


if __name__ == "__main__":
    cv2.imwrite(sys.argv[1], draw())
