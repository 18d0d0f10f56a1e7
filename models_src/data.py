# SPDX-License-Identifier: Apache-2.0
"""Folders of image/mask pairs, and the ``tf.data`` pipelines that feed a training from them.

A pair folder has ``images/`` and ``masks/``; a mask is an 8-bit picture of the image's size and stem,
0 background and 255 person. Order and augmentation depend on (seed, epoch, index) alone, so that a training
that was interrupted sees what it would have seen.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from harness.contract import Contract, fit_image, normalise, resize
from harness.errors import HarnessError
from models_src.augment import Augment

if TYPE_CHECKING:
    import tensorflow as tf

_IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
_SHOWN = 50


class Pair(NamedTuple):
    """Files of one picture and its mask; None is a picture without a person."""

    image: Path
    mask: Path | None


def find_pairs(folder: str | Path, pattern: str = "*") -> list[Pair]:
    """The checked pairs of a folder, sorted by stem.

    Args:
        folder: contains ``images/`` and ``masks/``.
        pattern: only stems that match this glob.

    Raises:
        HarnessError: names all files that have no partner, share their stem with another, cannot be read, or
            whose mask has another size than the image; or there is no pair.
    """
    folder = Path(folder)
    images, masks = (_by_stem(folder / name, pattern) for name in ("images", "masks"))
    wrong = [f"{file}: second file of that stem" for files in (images, masks) for f in files.values() for file in f[1:]]
    wrong += [f"{images[stem][0]}: has no mask in masks/" for stem in images.keys() - masks.keys()]
    wrong += [f"{masks[stem][0]}: has no image in images/" for stem in masks.keys() - images.keys()]
    pairs = [Pair(images[stem][0], masks[stem][0]) for stem in sorted(images.keys() & masks.keys())]
    _refuse_faults(folder, pairs, wrong)
    if not pairs:
        raise HarnessError(f"{folder}: no image/mask pairs match {pattern!r}; expected images/NAME.jpg, masks/NAME.png")
    return pairs


def find_negatives(folder: str | Path) -> list[Pair]:
    """Pictures without a person, as pairs with an empty mask; see :func:`find_images`.

    Raises:
        HarnessError: there are none, or names all that cannot be read.
    """
    pairs = [Pair(image, None) for image in find_images(folder)]
    _refuse_faults(folder, pairs, [])
    return pairs


def find_images(folder: str | Path) -> list[Path]:
    """The pictures of a folder, or of its ``images/`` if it has one, sorted.

    Raises:
        HarnessError: there are none.
    """
    folder = Path(folder)
    inner = folder / "images" if (folder / "images").is_dir() else folder
    if not (images := [files[0] for _, files in sorted(_by_stem(inner, "*").items())]):
        raise HarnessError(f"{inner}: no pictures; expected {', '.join(_IMAGE_SUFFIXES)} files")
    return images


def read_image(path: Path) -> np.ndarray:
    """An RGB picture ``(H, W, 3)`` uint8, EXIF orientation applied. Raises HarnessError if it cannot be read."""
    return cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def read_mask(path: Path) -> np.ndarray:
    """A mask ``(H, W)`` uint8 in [0, 255]. Raises HarnessError if it cannot be read."""
    return _decode(path, cv2.IMREAD_GRAYSCALE)


def read_pair(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask; see :func:`read_image` and :func:`read_mask`."""
    image = read_image(pair.image)
    return image, np.zeros(image.shape[:2], np.uint8) if pair.mask is None else read_mask(pair.mask)


def _by_stem(folder: Path, pattern: str) -> dict[str, list[Path]]:
    if not folder.is_dir():
        raise HarnessError(f"{folder}: no such folder; a pair folder contains images/ and masks/")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in _IMAGE_SUFFIXES and path.match(f"{pattern}.*"):
            found.setdefault(path.stem, []).append(path)
    return found


def _decode(path: Path, flags: int) -> np.ndarray:
    try:
        picture = cv2.imdecode(np.fromfile(path, np.uint8), flags)
    except (OSError, cv2.error):
        picture = None
    if picture is None:
        raise HarnessError(f"{path}: cannot be read as a picture")
    return picture


def _refuse_faults(folder: str | Path, pairs: list[Pair], wrong: list[str]) -> None:
    """Raise one error that names ``wrong`` and every pair that cannot be used."""
    with ThreadPoolExecutor() as threads:
        wrong = wrong + [message for message in threads.map(_fault, pairs) if message]
    if wrong:
        shown = sorted(wrong)[:_SHOWN] + ([f"… and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else [])
        raise HarnessError(f"{folder}: {len(wrong)} bad files; mend or remove them:\n  " + "\n  ".join(shown))


def _fault(pair: Pair) -> str | None:
    try:
        image, mask = read_pair(pair)
    except HarnessError as error:
        return str(error)
    if image.shape[:2] != mask.shape:
        (h, w), (hm, wm) = image.shape[:2], mask.shape
        return f"{pair.mask}: mask is {wm}×{hm}, its image {w}×{h}"
    return None


# --- pipelines -----------------------------------------------------------------------------------


def training_set(
    pairs: list[Pair],
    contract: Contract,
    make_augment: Callable[[], Augment],
    batch_size: int,
    seed: int,
    epochs: range,
) -> tf.data.Dataset:
    """Augmented batches of consecutive epochs, ``steps_per_epoch`` batches each.

    Args:
        pairs: the training pairs.
        contract: how pixels become the input tensor.
        make_augment: called once in each thread; the result's size is the contract's input.
        batch_size: batches are always full: what is left over at the end of an epoch is dropped.
        seed: with the epoch and the position in it, decides everything.
        epochs: the epochs to go through, counted from 0.

    Returns:
        ``(image, mask)``: float32 ``(batch, h, w, 3)`` normalised, and ``(batch, h, w, 1)`` in [0, 1].
    """
    import tensorflow as tf

    per_epoch = steps_per_epoch(len(pairs), batch_size) * batch_size
    thread = threading.local()
    order = lru_cache(maxsize=4)(lambda epoch: np.random.default_rng([seed, epoch]).permutation(len(pairs)))

    def load(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        epoch, position = divmod(int(step), per_epoch)
        if not hasattr(thread, "augment"):
            thread.augment = make_augment()
        index = int(order(epoch)[position])
        return thread.augment(*read_pair(pairs[index]), (seed, epoch, index))

    steps = tf.data.Dataset.range(epochs.start * per_epoch, epochs.stop * per_epoch)
    return _batches(steps, load, contract, batch_size)


def validation_set(pairs: list[Pair], contract: Contract, batch_size: int) -> tf.data.Dataset:
    """All pairs in order, whole pictures through the contract's exact preprocessing; else as :func:`training_set`."""
    import tensorflow as tf

    def load(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        image, mask = read_pair(pairs[int(index)])
        return fit_image(contract, image), resize(mask, contract.input_height, contract.input_width)

    return _batches(tf.data.Dataset.range(len(pairs)), load, contract, batch_size).cache()


def steps_per_epoch(pairs: int, batch_size: int) -> int:
    """Full batches in one epoch.

    Raises:
        HarnessError: there are fewer pairs than a batch needs.
    """
    if pairs < batch_size:
        raise HarnessError(f"{pairs} training pairs do not fill one batch of {batch_size}; lower TRAIN.BATCH_SIZE")
    return pairs // batch_size


def _batches(source: tf.data.Dataset, load: Callable, contract: Contract, batch_size: int) -> tf.data.Dataset:
    import tensorflow as tf

    cv2.setNumThreads(1)  # the pipeline's threads are the parallelism
    size = contract.input_height, contract.input_width

    def prepare(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        image, mask = load(step)
        return normalise(contract, image)[0], mask[..., None].astype(np.float32) / 255

    def one(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, mask = tf.numpy_function(prepare, [step], (tf.float32, tf.float32), stateful=False)
        return tf.ensure_shape(image, (*size, 3)), tf.ensure_shape(mask, (*size, 1))

    return source.map(one, num_parallel_calls=2, deterministic=True).batch(batch_size).prefetch(2)
