# SPDX-License-Identifier: Apache-2.0
"""The Keras engine: loads a ``.keras`` or legacy ``.h5`` model and runs it on one tensor at a time.

TensorFlow is imported when a model is loaded, not before.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np


class ModelLoadError(Exception):
    """The file is no Keras model that can be loaded safely; the message says why."""


class KerasEngine:
    """One loaded network, compiled for its own input shape at batch 1.

    Args:
        path: ``.keras`` or ``.h5`` file. Files that carry code of their own (lambdas) are refused.
        shape: ``(height, width)`` of the input.
        threads: threads of one operator; 0 leaves the choice to TensorFlow. Takes effect for the first engine of
            a process only, as TensorFlow fixes its thread pool when it is first used.

    Raises:
        ModelLoadError: the file cannot be loaded, or is no network from pictures of this size to one map.
    """

    def __init__(self, path: Path, shape: tuple[int, int], threads: int = 1) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import keras
        import tensorflow as tf

        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1 if threads else 0)
        except RuntimeError:
            pass  # the pool exists already; `threads` reports what holds
        self.threads = tf.config.threading.get_intra_op_parallelism_threads()
        try:
            self.model = keras.models.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises many kinds for damaged, foreign and unsafe files
            raise ModelLoadError(_explain(path, error)) from None
        expected = (1, *shape, 3)
        try:
            signature = tf.TensorSpec(expected, tf.float32)
            self._call = tf.function(lambda x: self.model(x, training=False), input_signature=[signature])
            self.output_shape = tuple(self._call.get_concrete_function().output_shapes)
        except (ValueError, TypeError) as error:
            raise ModelLoadError(f"{path}: the network does not take an input of shape {expected}: {error}") from None
        self._constant = tf.constant

    def __call__(self, tensor: np.ndarray) -> np.ndarray:
        """Input tensor ``(1, h, w, 3)`` float32 to the network's raw output."""
        return self._call(self._constant(tensor)).numpy()


def _explain(path: Path, error: Exception) -> str:
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if "safe_mode" in str(error) or "unsafe" in str(error).lower():
        return (
            f"{path}: refused: the file carries code of its own (a Lambda layer or a pickled function). "
            "Rebuild the network from layers and save it again"
        )
    return f"{path}: Keras cannot load it: {first}"
