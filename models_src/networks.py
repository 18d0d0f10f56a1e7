# SPDX-License-Identifier: Apache-2.0
"""The segmentation networks: a MobileNet encoder and a U-Net decoder, Keras 3 functional.

Everything is convolution, batch normalisation and ReLU6 in this order, so that a converter folds the
normalisation into the convolution and the activations quantise well. Networks return logits; the logistic
function is appended at export.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    import keras
    from yacs.config import CfgNode

    Tensor = Any

_SKIPS = {2: "conv_pw_1_relu", 4: "conv_pw_3_relu", 8: "conv_pw_5_relu", 16: "conv_pw_11_relu", 32: "conv_pw_13_relu"}
"""Last layer of the encoder at each stride."""


def build(cfg: CfgNode) -> keras.Model:
    """The network of a configuration, weights initialised.

    Returns:
        ``(batch, HEIGHT, WIDTH, 3)`` in [-1, 1] to logits ``(batch, HEIGHT / s, WIDTH / s, 1)`` with
        ``s = MODEL.OUTPUT_STRIDE``.

    Raises:
        HarnessError: the encoder's weights cannot be read or are those of another network.
    """
    encoder = _mobilenet(cfg.INPUT.HEIGHT, cfg.INPUT.WIDTH, cfg.MODEL.ALPHA, cfg.MODEL.ENCODER_WEIGHTS)
    return mobilenet_unet(encoder, cfg.MODEL.DECODER, cfg.MODEL.DECODER_FILTERS, cfg.MODEL.OUTPUT_STRIDE)


def mobilenet_unet(
    encoder: keras.Model, decoder: str, filters: Sequence[int], output_stride: int, name: str = "mobilenet_unet"
) -> keras.Model:
    """A U-Net on a MobileNet v1 encoder.

    Decoders, both with bilinear upsampling:

    - ``light``: from stride 32; each stage projects by 1×1, enlarges, adds the 1×1-projected skip, and ends with a
      depthwise-separable 3×3 convolution (strides 16, 8, 4, 2);
    - ``classic``: full 3×3 convolutions on concatenated skips, from stride 16, where the first one works without a
      skip (strides 16, 8, 4, 2). The layout of ``mobilenet_unet`` in image-segmentation-keras by D. Gupta.

    Args:
        encoder: a ``keras.applications.MobileNet`` without top.
        decoder: ``light`` or ``classic``.
        filters: channels of the four stages.
        output_stride: 2 for logits at half the input's size, 1 to enlarge them in the graph.
    """
    import keras

    skip = {stride: encoder.get_layer(layer).output for stride, layer in _SKIPS.items()}
    if decoder == "light":
        x = skip[32]
        for stride, channels in zip((16, 8, 4, 2), filters, strict=True):
            x = _light_stage(x, skip[stride], channels, f"decoder_{stride}")
    else:
        x = _conv(skip[16], filters[0], 3, "decoder_16")
        for stride, channels in zip((8, 4, 2), filters[1:], strict=True):
            x = keras.layers.Concatenate(name=f"decoder_{stride}_skip")(
                [_enlarge(x, f"decoder_{stride}"), skip[stride]]
            )
            x = _conv(x, channels, 3, f"decoder_{stride}")
    x = keras.layers.Conv2D(1, 1 if decoder == "light" else 3, padding="same", name="logits")(x)
    if output_stride == 1:
        x = _enlarge(x, "output")
    return keras.Model(encoder.input, x, name=name)


def _mobilenet(height: int, width: int, alpha: float, weights: str) -> keras.Model:
    import keras

    named = weights if weights == "imagenet" else None
    if weights not in ("none", "imagenet") and not Path(weights).is_file():
        raise HarnessError(f"MODEL.ENCODER_WEIGHTS: no such file: {weights} (or: none, imagenet)")
    try:
        encoder = keras.applications.MobileNet(
            input_shape=(height, width, 3), alpha=alpha, include_top=False, weights=named
        )
        if weights not in ("none", "imagenet"):
            encoder.load_weights(weights)
    except (ValueError, OSError) as error:
        raise HarnessError(f"MODEL.ENCODER_WEIGHTS: {weights} does not fit MobileNet alpha {alpha}: {error}") from None
    return encoder


def _conv(x: Tensor, filters: int, size: int, name: str, activation: bool = True) -> Tensor:
    from keras import layers

    x = layers.Conv2D(filters, size, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if activation else x


def _light_stage(x: Tensor, skip: Tensor, filters: int, name: str) -> Tensor:
    from keras import layers

    # Projecting before enlarging costs a quarter; the linear bottlenecks keep the sum in one range.
    x = _enlarge(_conv(x, filters, 1, f"{name}_project", activation=False), name)
    x = layers.Add(name=f"{name}_add")([x, _conv(skip, filters, 1, f"{name}_skip", activation=False)])
    x = layers.ReLU(6.0, name=f"{name}_add_relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_dw_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_dw_bn")(x)
    x = layers.ReLU(6.0, name=f"{name}_dw_relu")(x)
    return _conv(x, filters, 1, f"{name}_pw")


def _enlarge(x: Tensor, name: str) -> Tensor:
    from keras import layers

    return layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_up")(x)
