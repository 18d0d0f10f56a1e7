# SPDX-License-Identifier: Apache-2.0
"""The ``tf.data`` pipelines that feed a training.

Order and augmentation depend on (seed, epoch, position) alone, so that a training that was interrupted sees what it
would have seen.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from harness.contract import Contract, fit_image, normalise, resize
from harness.errors import HarnessError
from models_src.augment import Augment
from models_src.datasets.manifest import Dataset
from models_src.datasets.sample import Sample

if TYPE_CHECKING:
    import tensorflow as tf

    from models_src.teachers import Teacher


def training_set(
    dataset: Dataset,
    contract: Contract,
    make_augment: Callable[[], Augment],
    batch_size: int,
    seed: int,
    epochs: range,
    make_teacher: Callable[[], Teacher] | None = None,
) -> tf.data.Dataset:
    """Augmented batches of consecutive epochs, ``steps_per_epoch`` batches each.

    Args:
        dataset: what an epoch draws from.
        contract: how pixels become the input tensor.
        make_augment: called once in each thread; the result's size is the contract's input.
        batch_size: batches are always full: what is left over at the end of an epoch is dropped.
        seed: with the epoch and the position in it, decides everything.
        epochs: the epochs to go through, counted from 0.
        make_teacher: called once in each thread; None for no teacher.

    Returns:
        ``(image, truth)``: float32 ``(batch, h, w, 3)`` normalised, and ``(batch, h, w, c)`` in [0, 1]: the mask, and
        where there is a teacher what it makes of the augmented picture.
    """
    import tensorflow as tf

    samples = dataset.samples
    per_epoch = steps_per_epoch(dataset.drawn, batch_size) * batch_size
    # By number, not in a threading.local: what a thread of TensorFlow's keeps there is gone after every call.
    tools: dict[int, tuple[Augment, Teacher | None]] = {}
    order = lru_cache(maxsize=4)(lambda epoch: dataset.epoch(seed, epoch))

    def load(step: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        epoch, position = divmod(int(step), per_epoch)
        thread = threading.get_ident()
        if thread not in tools:
            tools[thread] = make_augment(), make_teacher() if make_teacher else None
        augment, teacher = tools[thread]
        image, mask = augment(*samples[int(order(epoch)[position])].read(), (seed, epoch, position))
        truth = [mask.astype(np.float32) / 255]
        return image, truth + ([teacher(image)] if teacher else [])

    steps = tf.data.Dataset.range(epochs.start * per_epoch, epochs.stop * per_epoch)
    return _batches(steps, load, contract, batch_size, 2 if make_teacher else 1)


def validation_set(
    samples: Sequence[Sample], contract: Contract, batch_size: int, full: bool = False
) -> tf.data.Dataset:
    """All samples in order, whole pictures through the contract's exact preprocessing, with their masks only; else as
    :func:`training_set`.

    Args:
        full: fill the last batch with pictures of weight 0, and give the weights as a third element: of several devices
            none may go without a picture.
    """
    import tensorflow as tf

    def load(index: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        image, mask = samples[min(int(index), len(samples) - 1)].read()
        mask = resize(mask, contract.input_height, contract.input_width)
        return fit_image(contract, image), [mask.astype(np.float32) / 255]

    count = -(-len(samples) // batch_size) * batch_size if full else len(samples)
    batches = _batches(tf.data.Dataset.range(count), load, contract, batch_size, 1)
    if full:
        weights = tf.data.Dataset.range(count).map(lambda k: tf.cast(k < len(samples), tf.float32)).batch(batch_size)
        batches = tf.data.Dataset.zip((batches, weights)).map(lambda pair, weight: (*pair, weight))
    return batches.cache()


def steps_per_epoch(drawn: int, batch_size: int) -> int:
    """Full batches in one epoch.

    Raises:
        HarnessError: an epoch has fewer pictures than a batch needs.
    """
    if drawn < batch_size:
        raise HarnessError(f"{drawn} training pictures do not fill one batch of {batch_size}; lower TRAIN.BATCH_SIZE")
    return drawn // batch_size


def _batches(source: tf.data.Dataset, load: Callable, contract: Contract, batch: int, masks: int) -> tf.data.Dataset:
    import tensorflow as tf

    cv2.setNumThreads(1)  # the pipeline's threads are the parallelism
    size = contract.input_height, contract.input_width

    def prepare(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        image, truth = load(step)
        return normalise(contract, image)[0], np.stack(truth, axis=-1).astype(np.float32, copy=False)

    def one(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, truth = tf.numpy_function(prepare, [step], (tf.float32, tf.float32), stateful=False)
        return tf.ensure_shape(image, (*size, 3)), tf.ensure_shape(truth, (*size, masks))

    return source.map(one, num_parallel_calls=2, deterministic=True).batch(batch).prefetch(2)
