# SPDX-License-Identifier: Apache-2.0
"""Conversion of a Keras network to TFLite bytes, and the contract inside them. Knows no files and no data sets."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract import METADATA_NAME, Contract
from harness.errors import HarnessError
from harness.model_file import VARIANTS

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def convert(model: keras.Model, contract: Contract, calibration: Sequence[np.ndarray]) -> Iterator[tuple[str, bytes]]:
    """Every variant of a network as TFLite flatbuffer, with its batch fixed to 1 and the contract inside.

    ``fp32``; ``fp16`` (weights in half precision); ``dyn8`` (weights 8-bit per channel, activations quantised while
    it runs); ``int8`` (weights and activations 8-bit, input and output float).

    Args:
        model: takes ``(batch, input_height, input_width, 3)``.
        contract: its contract.
        calibration: input tensors ``(1, h, w, 3)`` float32 whose activations set the ranges of ``int8``.

    Yields:
        Name and bytes, in the order of ``harness.model_file.VARIANTS``.

    Raises:
        HarnessError: the network has an operation that a variant cannot express.
    """
    import tensorflow as tf

    size = (1, contract.input_height, contract.input_width, 3)
    with tempfile.TemporaryDirectory() as folder:
        _save_with_fixed_batch(_with_depth_to_space(model), size, folder)
        for variant in VARIANTS:
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            _choose(converter, variant, calibration)
            try:
                data = converter.convert()
            except Exception as error:  # the converter has no error type of its own
                raise HarnessError(f"{variant}: TensorFlow cannot convert the network: {_first_line(error)}") from None
            yield variant, embed(data, METADATA_NAME, contract.to_toml())


def _save_with_fixed_batch(model: keras.Model, size: tuple[int, ...], folder: str) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    module.serve = tf.function(
        lambda image: {"output": model(image, training=False)},
        input_signature=[tf.TensorSpec(size, tf.float32, name="input")],
    )
    tf.saved_model.save(module, folder, signatures={"serving_default": module.serve})


def _with_depth_to_space(model: keras.Model) -> keras.Model:
    """The same network, its transposed convolutions to one channel whose applications do not overlap expressed as a
    1×1 convolution and a rearrangement.

    XNNPACK computes such a transposed convolution for a whole register of channels: of the portrait network it took
    12 % of the time, in ``int8`` 20 %; as expressed here at most 2 %.
    """
    import keras

    def applies(layer: keras.Layer) -> bool:
        return (
            isinstance(layer, keras.layers.Conv2DTranspose)
            and layer.filters == 1
            and layer.kernel_size == layer.strides
            and layer.strides[0] == layer.strides[1]
            and layer.data_format == "channels_last"
        )

    class DepthToSpace(keras.layers.Layer):
        """A transposed convolution that does not overlap, as what it is."""

        def __init__(self, layer: keras.layers.Conv2DTranspose) -> None:
            super().__init__(name=layer.name)
            self.block = layer.strides[0]
            self.convolution = keras.layers.Conv2D(self.block**2, 1, use_bias=layer.use_bias)
            self.activation = layer.activation

        def call(self, x: Any) -> Any:
            import tensorflow as tf

            return self.activation(tf.nn.depth_to_space(self.convolution(x), self.block))

        def take(self, layer: keras.layers.Conv2DTranspose) -> None:
            """Take a layer's weights: its kernel ``(k, k, 1, c)`` is one of ``(1, 1, c, k·k)``."""
            kernel, *bias = layer.get_weights()
            kernel = kernel.reshape(self.block**2, -1).T[None, None]
            self.convolution.set_weights([kernel, *(np.repeat(b, self.block**2) for b in bias)])

    def clone(layer: keras.Layer) -> keras.Layer:
        return DepthToSpace(layer) if applies(layer) else layer.__class__.from_config(layer.get_config())

    if not any(applies(layer) for layer in model.layers):
        return model
    try:
        same = keras.models.clone_model(model, clone_function=clone)
    except ValueError:  # of a subclassed model the layers do not tell how they are connected
        return model
    for source, target in zip(model.layers, same.layers, strict=True):
        target.take(source) if isinstance(target, DepthToSpace) else target.set_weights(source.get_weights())
    return same


def _choose(converter: tf.lite.TFLiteConverter, variant: str, calibration: Sequence[np.ndarray]) -> None:
    import tensorflow as tf

    if variant != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if variant == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if variant == "int8":
        converter.representative_dataset = lambda: ([tensor] for tensor in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


def embed(data: bytes, name: str, text: str) -> bytes:
    """A TFLite flatbuffer with metadata entry ``name`` holding ``text`` (UTF-8); an entry of that name is replaced."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(data, 0)
    model.metadata = [entry for entry in model.metadata or [] if entry.name.decode() != name]
    entry, buffer = schema.MetadataT(), schema.BufferT()
    entry.name, entry.buffer = name, len(model.buffers)
    buffer.data = np.frombuffer(text.encode("utf-8"), np.uint8)
    model.buffers.append(buffer)
    model.metadata.append(entry)
    builder = flatbuffers.Builder(len(data) + len(text) + 1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__
