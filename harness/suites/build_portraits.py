# SPDX-License-Identifier: Apache-2.0
"""Builds the shipped suite ``portraits`` anew: ``python -m harness.suites.build_portraits OUT``.

The pictures come from the installed packages scikit-image and matplotlib, which the project does not depend on; the
mattes of the three persons (``portraits_mattes``) are the project's own. Every composite is made with whole numbers
and seeded noise, so that its mask is exact and a second build gives the same pixels.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from harness import contract, suite, suite_making, suite_motion

HERE = Path(__file__).resolve().parent
PERSONS = {"astronaut": "astronaut.png", "grace_hopper": "grace_hopper.jpg", "photographer": "camera.png"}
_FOLDERS = {"skimage": "data", "matplotlib": "mpl-data/sample_data"}

# --- sources -------------------------------------------------------------------------------------


@functools.cache
def source(name: str) -> np.ndarray:
    """A picture of one of the two packages, uint8 RGB ``(H, W, 3)``."""
    package = "matplotlib" if name == "grace_hopper.jpg" else "skimage"
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise suite.SuiteError(
            f"{name} comes from a package that is not installed; run: pip install scikit-image matplotlib"
        )
    path = Path(spec.origin).parent / _FOLDERS[package] / name
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise suite.SuiteError(f"{path}: not a readable picture")
    return np.ascontiguousarray(picture[..., ::-1])


@functools.cache
def matte(person: str) -> np.ndarray:
    """A person's matte in its source picture, uint8 ``(H, W)``: 255 is the person."""
    path = HERE / "portraits_mattes" / f"{person}.png"
    alpha = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if alpha is None:
        raise suite.SuiteError(f"{path}: not a readable matte")
    return alpha


@functools.cache
def cutout(person: str) -> np.ndarray:
    """The person's own colours, uint8 RGB: along the outline they are carried on outwards from the solid inside."""
    return suite_motion.carry_outwards(source(PERSONS[person]), matte(person) > 250)


def _box(plane: np.ndarray, radius: int) -> np.ndarray:
    """Sums over squares of side 2·radius + 1, int32."""
    side = (2 * radius + 1, 2 * radius + 1)
    return cv2.boxFilter(plane, cv2.CV_32S, side, normalize=False, borderType=cv2.BORDER_REFLECT_101)


# --- backgrounds and effects ---------------------------------------------------------------------

Effect = Callable[[np.ndarray], np.ndarray]


def cover(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """The picture's middle, enlarged or shrunk to fill the frame."""
    h, w = picture.shape[:2]
    if h * width >= w * height:
        picture = contract.resize(picture, -(-h * width // w), width)
    else:
        picture = contract.resize(picture, height, -(-w * height // h))
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]


def tint(red: int, green: int, blue: int) -> Effect:
    """Multiply by a colour; 255 keeps a channel, more brightens it."""
    factor = np.array([red, green, blue])
    return lambda picture: np.minimum(picture * factor // 255, 255).astype(np.uint8)


def blur(radius: int) -> Effect:
    """Two box filters."""

    def apply(picture: np.ndarray) -> np.ndarray:
        for _ in range(2):
            sums = np.stack([_box(np.ascontiguousarray(p), radius) for p in np.moveaxis(picture, 2, 0)], axis=2)
            picture = (sums // (2 * radius + 1) ** 2).astype(np.uint8)
        return picture

    return apply


def noise(amplitude: int, seed: int) -> Effect:
    """Sensor noise: the sum of four dice of ±amplitude, per channel."""

    def apply(picture: np.ndarray) -> np.ndarray:
        dice = np.random.Generator(np.random.PCG64(seed)).integers(-amplitude, amplitude + 1, (4, *picture.shape))
        return np.clip(picture + dice.sum(axis=0), 0, 255).astype(np.uint8)

    return apply


@dataclass(frozen=True)
class Scene:
    """A source picture as background."""

    name: str
    effects: tuple[Effect, ...] = ()

    def paint(self, height: int, width: int) -> np.ndarray:
        return _apply(self.effects, cover(source(self.name), height, width))

    @property
    def provenance(self) -> str:
        return LICENCES[self.name]


@dataclass(frozen=True)
class Wall:
    """A plain wall whose colour changes from top to bottom, with ``books`` coloured blocks on it."""

    top: tuple[int, int, int]
    bottom: tuple[int, int, int]
    books: int = 0
    provenance: str = "drawn by the script"

    def paint(self, height: int, width: int) -> np.ndarray:
        row = np.arange(height)[:, None, None]
        colour = (np.array(self.top) * (height - 1 - row) + np.array(self.bottom) * row) // (height - 1)
        picture = np.broadcast_to(colour, (height, width, 3)).astype(np.uint8)
        random = np.random.Generator(np.random.PCG64(self.books))
        for left in (np.arange(self.books) * width // max(self.books, 1)).tolist():
            tall, *ink = random.integers((height // 8, 20, 20, 20), (height // 4, 200, 200, 200)).tolist()
            shelf = height * (1 + left % 2) // 3
            picture[shelf - tall : shelf, left : left + width // self.books - 2] = ink
        return blur(2)(picture) if self.books else picture


def _apply(effects: tuple[Effect, ...], picture: np.ndarray) -> np.ndarray:
    for effect in effects:
        picture = effect(picture)
    return picture


# --- cases ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Placed:
    """A cut-out in a frame: its source picture scaled to ``height`` pixels, with its corner at ``(left, top)``."""

    person: str
    height: int
    left: int
    top: int
    mirrored: bool = False
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A composite: persons over a background, the nearest last, then effects on the whole."""

    id: str
    height: int
    width: int
    background: Scene | Wall
    persons: tuple[Placed, ...]
    tags: str = ""
    effects: tuple[Effect, ...] = ()

    def entry(self) -> suite_making.Entry:
        picture = self.background.paint(self.height, self.width)
        coverage = np.zeros((self.height, self.width), np.int64)
        for placed in self.persons:
            colours, alpha = _place(placed, self.height, self.width)
            picture = _mix(colours, picture, alpha[..., None])
            coverage = _mix(np.full_like(coverage, 255), coverage, alpha)
        picture = _apply(self.effects, picture.astype(np.uint8))
        return suite_making.Entry(self.id, picture, coverage > 127, ("composite", *self.tags.split()), self.provenance)

    @property
    def provenance(self) -> str:
        persons = [LICENCES[PERSONS[placed.person]] for placed in self.persons]
        return "composite of " + " and of ".join(persons) + "; background: " + self.background.provenance


def _place(placed: Placed, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Colours and alpha of a cut-out, cropped or padded to the frame."""
    colours, alpha = cutout(placed.person), matte(placed.person)
    if placed.mirrored:
        colours, alpha = colours[:, ::-1], alpha[:, ::-1]
    scaled = placed.height, (alpha.shape[1] * placed.height + alpha.shape[0] // 2) // alpha.shape[0]
    colours = _apply(placed.effects, contract.resize(colours, *scaled))
    frame_colours, frame_alpha = np.zeros((height, width, 3), np.int64), np.zeros((height, width), np.int64)
    rows = slice(max(placed.top, 0), min(placed.top + scaled[0], height))
    columns = slice(max(placed.left, 0), min(placed.left + scaled[1], width))
    inside = (
        slice(rows.start - placed.top, rows.stop - placed.top),
        slice(columns.start - placed.left, columns.stop - placed.left),
    )
    frame_colours[rows, columns] = colours[inside]
    frame_alpha[rows, columns] = contract.resize(alpha, *scaled)[inside]
    return frame_colours, frame_alpha


def _mix(over: np.ndarray, under: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return (over * alpha + under.astype(np.int64) * (255 - alpha) + 127) // 255


_BRICK = Scene("brick.png", (tint(250, 150, 120),))
_BRICK_SOFT = Scene("brick.png", (tint(240, 225, 200), blur(3)))
_CAFE = Scene("coffee.png", (blur(9),))
_CAT = Scene("chelsea.png")
_LAWN = Scene("grass.png", (tint(165, 225, 120), blur(1)))
_GRAVEL = Scene("gravel.png")
_GRAVEL_SOFT = Scene("gravel.png", (tint(235, 225, 210), blur(2)))
_SHELF = Wall((196, 188, 170), (120, 96, 80), books=24)
_WHITE = Wall((236, 236, 230), (205, 200, 196))
_STUDIO = Wall((120, 140, 135), (70, 80, 85))
_WINDOW = Wall((250, 250, 246), (214, 224, 236))
_DUSK = Wall((92, 96, 150), (214, 132, 84))
_BRIGHT, _DIM = tint(300, 300, 300), tint(70, 74, 92)
_BACKLIT, _WARM = (tint(110, 105, 105),), (tint(255, 225, 205),)

RECIPES = (
    Recipe("astronaut-brick", 640, 480, _BRICK_SOFT, (Placed("astronaut", 560, -40, 80, True),)),
    Recipe("astronaut-call", 720, 1280, _CAFE, (Placed("astronaut", 900, 190, 60),), "video-call"),
    Recipe("astronaut-far", 480, 640, _LAWN, (Placed("astronaut", 210, 330, 270),), "small-person off-centre"),
    Recipe("astronaut-shelf", 427, 640, _SHELF, (Placed("astronaut", 380, 260, 47),), "off-centre"),
    Recipe("astronaut-noisy", 360, 480, _GRAVEL_SOFT, (Placed("astronaut", 380, 60, 20),), "noisy", (noise(9, 3),)),
    Recipe("astronaut-bright", 511, 383, _WHITE, (Placed("astronaut", 470, -40, 41),), "bright", (_BRIGHT,)),
    Recipe("hopper-call", 480, 640, _CAFE, (Placed("grace_hopper", 700, 21, 20, True),), "video-call"),
    Recipe("hopper-close", 448, 448, _STUDIO, (Placed("grace_hopper", 1000, -215, -70),), "close-up"),
    Recipe("hopper-corner", 360, 640, _BRICK, (Placed("grace_hopper", 330, 359, 30),), "off-centre"),
    Recipe("hopper-phone", 640, 360, _GRAVEL_SOFT, (Placed("grace_hopper", 520, -60, 120, True),), "video-call"),
    Recipe("hopper-dark", 500, 400, _BRICK_SOFT, (Placed("grace_hopper", 480, -5, 20),), "dark", (_DIM, noise(3, 5))),
    Recipe("hopper-backlit", 401, 601, _WINDOW, (Placed("grace_hopper", 560, 61, 11, effects=_BACKLIT),), "backlit"),
    Recipe("hopper-cat", 400, 601, _CAT, (Placed("grace_hopper", 360, 294, 40),), "animal off-centre"),
    Recipe("photographer-gravel", 420, 348, _GRAVEL, (Placed("photographer", 620, -272, -20, True),), "grey"),
    Recipe("photographer-dusk", 480, 264, _DUSK, (Placed("photographer", 470, 0, 10, effects=_WARM),), "low-contrast"),
    Recipe(
        "two-persons",
        480,
        640,
        _BRICK_SOFT,
        (Placed("astronaut", 400, -20, 80), Placed("grace_hopper", 440, 265, 60)),
        "two-persons",
    ),
    Recipe(
        "two-persons-depth",
        405,
        720,
        _CAFE,
        (Placed("astronaut", 240, 360, 165, True, (blur(1),)), Placed("grace_hopper", 420, 0, 40, True)),
        "two-persons",
    ),
)

LICENCES = {
    "astronaut.png": "Eileen Collins, photograph by NASA, public domain (scikit-image, astronaut.png)",
    "grace_hopper.jpg": "Grace Hopper, photograph by the US Navy, public domain (matplotlib, grace_hopper.jpg)",
    "camera.png": "photographer, by Lav Varshney, CC0 (scikit-image, camera.png)",
    "chelsea.png": "the cat Chelsea, by Stefan van der Walt, CC0 (scikit-image, chelsea.png)",
    "coffee.png": "a cup of coffee, by Rachel Michetti, CC0 (scikit-image, coffee.png)",
    "brick.png": "brick wall, from CC0Textures, CC0 (scikit-image, brick.png)",
    "grass.png": "grass, by linolafett, CC0 (scikit-image, grass.png)",
    "gravel.png": "gravel, from CC0Textures, CC0 (scikit-image, gravel.png)",
}


def entries() -> Iterator[suite_making.Entry]:
    """All cases of the suite: the three originals, composites, and pictures without a person."""
    for person, name in PERSONS.items():
        tags = ("original", "grey") if person == "photographer" else ("original",)
        yield suite_making.Entry(person.replace("_", "-"), source(name), matte(person) > 127, tags, LICENCES[name])
    for recipe in RECIPES:
        yield recipe.entry()
    negatives = (
        ("cat", _CAT, 300, 451, "animal"),
        ("coffee", Scene("coffee.png"), 400, 600, ""),
        ("brick", _BRICK, 481, 321, "texture"),
        ("lawn", _LAWN, 320, 320, "texture"),
    )
    for name, scene, height, width, labels in negatives:
        picture, empty = scene.paint(height, width), np.zeros((height, width), bool)
        yield suite_making.Entry(f"no-person-{name}", picture, empty, ("no-person", *labels.split()), scene.provenance)


def build(out: str | Path) -> suite.Suite:
    """Write the suite; raises :class:`harness.suite.SuiteError` where a source is missing."""
    text = (HERE / "portraits_mattes" / "PROVENANCE.md").read_text(encoding="utf-8")
    return suite_making.write(out, "portraits", entries(), compression=9, documents={"PROVENANCE.md": text})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m harness.suites.build_portraits OUT")
    try:
        made = build(sys.argv[1])
    except suite.SuiteError as error:
        sys.exit(f"error: {error}")
    sys.stdout.write(f"{made.root}: {len(made.cases)} cases, sha256 {made.sha256}\n")
