# SPDX-License-Identifier: Apache-2.0
"""Runs one file of a model, Keras or TFLite, to look at its masks. Knows no clocks: measuring is the harness's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness import contract as contracts
from harness.contract import Contract
from harness.errors import HarnessError
from harness.model_file import ModelFile

if TYPE_CHECKING:
    import keras

Network = Callable[[np.ndarray], np.ndarray]
"""Input tensor ``(1, h, w, 3)`` float32 to the raw output."""


def load(file: ModelFile) -> Network:
    """The network in a file.

    Raises:
        HarnessError: the file is damaged, carries code of its own, or takes another input than its contract says.
    """
    if file.format == "tflite":
        return tflite(file.path, file.contract)
    model = load_keras(file.path, file.contract)
    return keras_network(model, file.contract)


def load_keras(path: str | Path, contract: Contract) -> keras.Model:
    """The Keras model in a ``.keras`` or legacy ``.h5`` file, without its optimizer; errors as :func:`load`."""
    from models_src import training_layers  # noqa: F401  which registers the layers that a run's network is saved with
    from rt_apps.rtpy.engine import KerasEngine, ModelLoadError

    if not Path(path).is_file():
        raise HarnessError(f"{path}: no such file")
    try:
        return KerasEngine(Path(path), (contract.input_height, contract.input_width), threads=0).model
    except ModelLoadError as error:
        raise HarnessError(str(error)) from None


def keras_network(model: keras.Model, contract: Contract) -> Network:
    """A Keras model as a function of one tensor, compiled once."""
    import tensorflow as tf

    signature = tf.TensorSpec((1, contract.input_height, contract.input_width, 3), tf.float32)
    call = tf.function(lambda x: model(x, training=False), input_signature=[signature])
    return lambda tensor: call(tf.constant(tensor)).numpy()


def tflite(path: str | Path, contract: Contract) -> Network:
    """The network in a ``.tflite`` file; errors as :func:`load`."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=str(path), num_threads=2)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise HarnessError(f"{path}: cannot be run: {error}") from None
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    expected = [1, contract.input_height, contract.input_width, 3]
    if list(source["shape"]) != expected or source["dtype"] != np.float32:
        raise HarnessError(
            f"{path}: takes {source['dtype'].__name__} {list(source['shape'])}, its contract says float32 {expected}"
        )

    def run(tensor: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(source["index"], tensor)
        interpreter.invoke()
        return interpreter.get_tensor(target["index"])

    return run


def probability(network: Network, contract: Contract, image: np.ndarray) -> np.ndarray:
    """The person's probability ``(h, w)`` at the model's resolution for an RGB picture ``(H, W, 3)`` uint8."""
    return contracts.probability(contract, network(contracts.preprocess(contract, image)))
