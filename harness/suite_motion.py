# SPDX-License-Identifier: Apache-2.0
"""Motion suites: sequences of frames with exact masks, made from the cut-outs of the shipped suite.

A person stands before a background, moves in a known way, and a sensor adds its noise afterwards. Every frame comes
with its true mask, and with the pixels in which nothing but the noise changed since the frame before: what a mask
does there is flicker. Sines place the cut-outs on a grid of 1/16 pixel; from there on everything is whole numbers, or
single operations of binary64 where an arm is drawn, so that a seed gives the same bytes everywhere.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from harness import contract, suite_making
from harness.suite import DEFAULT, Case, Motion, Suite, SuiteError, find

MOVEMENTS = ("still", "sway", "raise-hand", "leave")
"""What a person does, in the order it is played by default."""
MIN_SIDE = 64
"""Pixels; a smaller frame shows no arm."""

_GRID = 16  # positions per pixel
_READ_NOISE, _SHOT_NOISE = 1.5, 0.054  # variance of a value v is READ² + SHOT·v: a webcam in a lit room
_DICE_SIGMA = math.sqrt(4 * (256**2 - 1) / 12)  # of the sum of four bytes

Point = tuple[float, float]


@dataclass(frozen=True)
class Cutout:
    """A person in one of the shipped pictures. Lengths are pixels of that picture, points are ``(row, column)``."""

    case: str
    shoulder: Point
    elbow: Point
    forearm: float
    sleeve: tuple[slice, slice]
    skin: tuple[slice, slice]


CUTOUTS = (
    Cutout(
        "astronaut", (300, 75), (455, 22), 215, (slice(265, 325), slice(85, 165)), (slice(118, 138), slice(188, 200))
    ),
    Cutout(
        "grace-hopper", (425, 40), (560, -5), 250, (slice(415, 475), slice(45, 150)), (slice(140, 156), slice(215, 310))
    ),
)
BACKGROUNDS = {"no-person-brick": 2, "no-person-lawn": 1}
"""Shipped pictures without a person, and how far they are out of focus (radius at 360 lines). The third background is
a plain wall. Pictures that the shipped model takes for a person are no use here: there, nobody can leave."""


@dataclass(frozen=True)
class Pose:
    """Where a person is: moved by ``(down, right)`` sixteenths of a pixel; the forearm's angle over the horizontal in
    degrees where an arm shows."""

    down: int = 0
    right: int = 0
    forearm: float | None = None


@dataclass(frozen=True)
class _Layer:
    """Colours ``(H, W, 3)`` and alpha ``(H, W)`` in 0 … 255, int32, of something that is laid over a picture."""

    colours: np.ndarray
    alpha: np.ndarray

    def over(self, picture: np.ndarray) -> np.ndarray:
        alpha = self.alpha[..., None] if picture.ndim == 3 else self.alpha
        return (self.colours * alpha + picture * (255 - alpha) + 127) // 255

    def cover(self, coverage: np.ndarray) -> np.ndarray:
        """What share of each pixel shows the person, in 1/255, after this was laid over it."""
        return (255 * self.alpha + coverage * (255 - self.alpha) + 127) // 255


# --- movements: time to pose ---------------------------------------------------------------------


def pose(movement: str, seconds: float, height: int, way: int) -> Pose:
    """The pose at a time; each movement repeats after four seconds, ``sway`` after two.

    Args:
        height: of the frame in pixels.
        way: pixels from the resting place until nothing of the person is left in the frame, signed.
    """
    if movement == "sway":
        angle = math.pi * seconds
        return Pose(_grid(0.012 * height * math.sin(2 * angle)), _grid(0.09 * height * math.sin(angle)))
    if movement == "raise-hand":
        up = _plateau(seconds, 0.3, 0.8, 2.9, 3.4)
        wave = 22 * math.sin(4 * math.pi * (seconds - 0.8)) if 0.8 <= seconds % 4 <= 2.8 else 0
        return Pose(forearm=-80 + 165 * up + wave)
    if movement == "leave":
        return Pose(right=_grid(way * _plateau(seconds, 0.3, 1.3, 2.3, 3.3)))
    return Pose()


def _plateau(seconds: float, rise: float, top: float, fall: float, end: float) -> float:
    """0 … 1 … 0 with soft corners, every four seconds."""
    seconds %= 4
    x = (seconds - rise) / (top - rise) if seconds < (top + fall) / 2 else (end - seconds) / (end - fall)
    x = min(max(x, 0.0), 1.0)
    return x * x * (3 - 2 * x)


def _grid(pixels: float) -> int:
    return round(pixels * _GRID)


# --- drawing -------------------------------------------------------------------------------------


@functools.cache
def _shipped_case(case_id: str) -> Case:
    return next(case for case in find(DEFAULT).cases if case.id == case_id)


def carry_outwards(colours: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill the surroundings of ``known`` (bool) with means of the known colours near them, uint8 RGB ``(H, W, 3)``."""
    colours, known = np.where(known[..., None], colours, 0).astype(np.uint8), known.copy()
    for radius in (1, 2, 4, 8, 16):
        count = _box(known.astype(np.uint8), radius)
        total = np.stack([_box(np.ascontiguousarray(plane), radius) for plane in np.moveaxis(colours, 2, 0)], axis=2)
        fill = ~known & (count > 0)
        colours[fill] = total[fill] // count[fill][:, None]
        known |= fill
    return colours


def _box(plane: np.ndarray, radius: int) -> np.ndarray:
    """Sums over squares of side 2·radius + 1, int32."""
    side = (2 * radius + 1, 2 * radius + 1)
    return cv2.boxFilter(plane, cv2.CV_32S, side, normalize=False, borderType=cv2.BORDER_REFLECT_101)


def _soft(plane: np.ndarray, radius: int) -> np.ndarray:
    """Two box filters, uint8."""
    for _ in range(2):
        plane = (_box(np.ascontiguousarray(plane), radius) // (2 * radius + 1) ** 2).astype(np.uint8)
    return plane


def _background(choice: int, height: int, width: int) -> tuple[np.ndarray, str]:
    """One of three backgrounds, int32 RGB ``(height, width, 3)``, and where it comes from."""
    if choice == len(BACKGROUNDS):
        return _wall(height, width), "a wall, drawn"
    name, radius = list(BACKGROUNDS.items())[choice]
    case = _shipped_case(name)
    picture = case.read_image()
    h, w = picture.shape[:2]
    scaled = (-(-h * width // w), width) if h * width >= w * height else (height, -(-w * height // h))
    picture = contract.resize(picture, *scaled)
    top, left = (scaled[0] - height) // 2, (scaled[1] - width) // 2
    picture = picture[top : top + height, left : left + width]
    radius = max(1, radius * height // 360)
    soft = np.stack([_soft(plane, radius) for plane in np.moveaxis(picture, 2, 0)], axis=2)
    return soft.astype(np.int32), case.provenance


def _wall(height: int, width: int) -> np.ndarray:
    """A plain wall, lit from above on the left."""
    row, column = np.mgrid[:height, :width]
    shadow = (64 * row // height + 48 * column // width)[..., None]
    return (np.array((214, 206, 190)) * (256 - shadow) // 256).astype(np.int32)


class Actor:
    """A cut-out at its resting place in a frame."""

    def __init__(self, cutout: Cutout, height: int, width: int, centre: float) -> None:
        """
        Args:
            height, width: of the frame.
            centre: column of the person's middle, as a share of the width.
        """
        case = _shipped_case(cutout.case)
        image, mask = case.read_image(), case.read_mask()
        inside = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        self._cutout, self._size = cutout, (height, width)
        rows = height
        columns = case.width * rows // case.height
        self._scale = rows / case.height
        self._colours = contract.resize(carry_outwards(image, inside), rows, columns).astype(np.int32)
        self._alpha = contract.resize(_soft(mask * np.uint8(255), 1), rows, columns).astype(np.int32)
        self._top = height // 16  # the lower end stays below the frame when the person moves up
        self._left = round(centre * width - columns / 2)
        self._sleeve, self._skin = (np.ascontiguousarray(image[patch]) for patch in (cutout.sleeve, cutout.skin))
        self.provenance = case.provenance

    @property
    def way(self) -> int:
        """Pixels to the nearer side, until nothing of the person is left in the frame; negative to the left."""
        columns, (height, width) = self._colours.shape[1], self._size
        left, right = self._left + columns, width - self._left
        return -left - height // 10 if left < right else right + height // 10

    def layers(self, pose: Pose) -> Iterator[_Layer]:
        """What the person consists of, the nearest last."""
        yield self._body(pose)
        if pose.forearm is not None:
            yield from self._arm(pose.forearm)

    def _body(self, pose: Pose) -> _Layer:
        top, down = divmod(self._top * _GRID + pose.down, _GRID)
        left, right = divmod(self._left * _GRID + pose.right, _GRID)
        height, width = self._size
        return _Layer(
            *(
                _shift(_place(plane, top + 1, left + 1, height + 1, width + 1), down, right)
                for plane in (self._colours, self._alpha)
            )
        )

    def _arm(self, angle: float) -> Iterator[_Layer]:
        scale, cutout = self._scale, self._cutout
        shoulder, elbow = (
            (row * scale + self._top, column * scale + self._left) for row, column in (cutout.shoulder, cutout.elbow)
        )
        # On the grid from here on: what a machine's sine makes of the angle's last bit is rounded away.
        along = _on_grid(100 * -math.sin(math.radians(angle))), _on_grid(100 * -math.cos(math.radians(angle)) * 0.35)
        length = math.sqrt(along[0] * along[0] + along[1] * along[1])
        along = along[0] / length, along[1] / length
        reach = cutout.forearm * scale

        def at(share: float, aside: float = 0.0) -> Point:
            """A point on the forearm: 0 elbow, 1 knuckles."""
            return (
                elbow[0] + reach * (share * along[0] + aside * along[1]),
                elbow[1] + reach * (share * along[1] - aside * along[0]),
            )

        thick = 0.17 * reach
        fingers = [
            (at(0.92, 0.10 * aside), at(1.16 - 0.05 * abs(aside), 0.15 * aside), 0.055 * reach, 0.042 * reach)
            for aside in (-0.9, -0.3, 0.3, 0.9)
        ]
        thumb = (at(0.84, 0.06), at(0.98, 0.21), 0.06 * reach, 0.05 * reach)
        yield self._limb(self._skin, (at(0.74), at(0.9), 0.09 * reach, 0.13 * reach), *fingers, thumb)
        yield self._limb(self._sleeve, (shoulder, elbow, 1.15 * thick, thick), (elbow, at(0.72), thick, 0.72 * thick))

    def _limb(self, texture: np.ndarray, *bones: tuple[Point, Point, float, float]) -> _Layer:
        """Tapered capsules (two ends and their radii) in a texture, darker towards their edges."""
        height, width = self._size
        row, column = np.mgrid[:height, :width] + 0.0
        depth = np.full((height, width), -1.0)  # pixels inside the outline
        shade = np.zeros((height, width))
        for start, end, thick, thin in bones:
            v = end[0] - start[0], end[1] - start[1]
            share = ((row - start[0]) * v[0] + (column - start[1]) * v[1]) / (v[0] * v[0] + v[1] * v[1])
            share = np.clip(share, 0.0, 1.0)
            off = row - start[0] - share * v[0], column - start[1] - share * v[1]
            radius = thick + share * (thin - thick)
            inside = radius - np.sqrt(off[0] * off[0] + off[1] * off[1])
            deeper = inside > depth
            depth = np.where(deeper, inside, depth)
            shade = np.where(deeper, np.clip(inside / radius, 0.0, 1.0), shade)
        origin = bones[0][0]
        h, w = texture.shape[:2]
        rows = _mirrored(np.floor((row - origin[0]) / self._scale).astype(np.int32), h)
        columns = _mirrored(np.floor((column - origin[1]) / self._scale).astype(np.int32), w)
        light = np.floor(256 * (1 - 0.45 * (1 - shade) * (1 - shade))).astype(np.int32)
        return _Layer(
            texture[rows, columns] * light[..., None] // 256,
            np.floor(255 * np.clip(depth + 0.5, 0.0, 1.0)).astype(np.int32),
        )


def _on_grid(pixels: float) -> float:
    return _grid(pixels) / _GRID


def _mirrored(index: np.ndarray, size: int) -> np.ndarray:
    """Indices that run to and fro over 0 … size-1."""
    index = index % (2 * size)
    return np.where(index < size, index, 2 * size - 1 - index)


def _place(plane: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """A frame with the plane's corner at ``(top, left)``, 0 elsewhere."""
    frame = np.zeros((height, width, *plane.shape[2:]), plane.dtype)
    rows = slice(max(top, 0), min(top + plane.shape[0], height))
    columns = slice(max(left, 0), min(left + plane.shape[1], width))
    if rows.start < rows.stop and columns.start < columns.stop:
        frame[rows, columns] = plane[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return frame


def _shift(plane: np.ndarray, down: int, right: int) -> np.ndarray:
    """Moved by sixteenths of a pixel, bilinear; one row and one column smaller: those that nothing moves into."""
    plane = plane[:-1] * down + plane[1:] * (_GRID - down)
    plane = plane[:, :-1] * right + plane[:, 1:] * (_GRID - right)
    return (plane + _GRID * _GRID // 2) // (_GRID * _GRID)


# --- the sensor ----------------------------------------------------------------------------------


@functools.cache
def _sigma_table() -> np.ndarray:
    """Standard deviation of the noise per pixel value, in 1/65536 of that of four dice."""
    values = np.arange(256) * _SHOT_NOISE + _READ_NOISE**2
    return np.floor(np.sqrt(values) / _DICE_SIGMA * 65536 + 0.5).astype(np.int32)


def sensor(picture: np.ndarray, seed: Sequence[int]) -> np.ndarray:
    """The picture as a sensor sees it: shot and read noise, independent per pixel, colour and frame.

    The standard deviation is 1.5 where it is black and 4 where it is white.

    Args:
        picture: uint8 ``(H, W, 3)``.
        seed: not negative; the same numbers give the same noise.
    """
    raw = np.random.PCG64(list(seed)).random_raw(-(-4 * picture.size // 8)).astype("<u8")
    dice = raw.view(np.uint8)[: 4 * picture.size].reshape(4, *picture.shape).sum(axis=0, dtype=np.int32)
    return np.clip(picture + ((_sigma_table()[picture] * (dice - 510) + 32768) >> 16), 0, 255).astype(np.uint8)


# --- suites --------------------------------------------------------------------------------------


def entries(
    movements: Sequence[str] = MOVEMENTS, *, frames: int, fps: int, height: int, width: int, seed: int
) -> Iterator[suite_making.Entry]:
    """Frames in the order they are played, ``frames`` of each movement; see :func:`make`."""
    chance = np.random.PCG64([seed, 0]).random_raw(4).tolist()
    actor = Actor(CUTOUTS[chance[0] % len(CUTOUTS)], height, width, 0.42 + 0.16 * (chance[1] % 1001) / 1000)
    background, source = _background(chance[2] % (len(BACKGROUNDS) + 1), height, width)
    provenance = f"composite of {actor.provenance}; background: {source}"
    for movement in movements:
        before: tuple[np.ndarray, np.ndarray] | None = None
        for frame in range(frames):
            picture, coverage = background, np.zeros((height, width), np.int32)
            for layer in actor.layers(pose(movement, frame / fps, height, actor.way)):
                picture, coverage = layer.over(picture), layer.cover(coverage)
            clean, mask = picture.astype(np.uint8), coverage > 127
            unchanged = None if before is None else (clean == before[0]).all(axis=2) & (mask == before[1])
            before = clean, mask
            noisy = sensor(clean, (seed, 1 + MOVEMENTS.index(movement), frame))
            yield suite_making.Entry(
                f"{movement}-{frame:05d}", noisy, mask, ("motion", movement), provenance,
                Motion(movement, frame), unchanged,
            )  # fmt: skip


def make(
    out: str | Path,
    movements: Sequence[str] = MOVEMENTS,
    *,
    frames: int = 120,
    fps: int = 30,
    height: int = 360,
    width: int = 640,
    seed: int = 0,
) -> Suite:
    """Write a motion suite; see :func:`harness.suite_making.write`.

    The seed chooses person, place, background and noise; the same arguments give the same bytes.

    Args:
        movements: of :data:`MOVEMENTS`, each a sequence of its own, played one after another.
        frames: of each movement.
        fps: frames per second: how far things move between two frames.

    Raises:
        SuiteError: an argument is out of range, or ``out`` cannot be written.
    """
    if unknown := [name for name in movements if name not in MOVEMENTS]:
        raise SuiteError(f"unknown movement {', '.join(unknown)}; known: {', '.join(MOVEMENTS)}")
    if len(set(movements)) < len(movements):
        raise SuiteError("a movement is named twice")
    for what, value, low, high in (
        ("frames", frames, 2, 99_999),
        ("fps", fps, 1, 1000),
        ("height", height, MIN_SIDE, 4320),
        ("width", width, MIN_SIDE, 7680),
        ("seed", seed, 0, 2**32 - 1),
    ):
        if not low <= value <= high:
            raise SuiteError(f"{what} is {value}, expected {low} to {high}")
    made = entries(movements, frames=frames, fps=fps, height=height, width=width, seed=seed)
    return suite_making.write(out, f"motion-{seed}", made, fps=fps, compression=1)
