# SPDX-License-Identifier: Apache-2.0
"""The segmentation networks: a MobileNet encoder, v1 to v3, and a U-Net decoder, Keras 3 functional.

A convolution is followed by batch normalisation, which a converter folds into it, and that by ReLU6, whose fixed range
quantises well; by none in linear bottlenecks, and by ReLU in the encoders of v3. The convolutions of the light
decoder's gate and of the logits have a bias instead. Networks return logits; the logistic function is appended at
export.
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

ENCODERS = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large")
OUTPUTS = ("half", "bilinear", "subpixel")


def build(cfg: CfgNode) -> keras.Model:
    """The network of a configuration, weights initialised.

    Returns:
        ``(batch, HEIGHT, WIDTH, 3)`` in [-1, 1] to logits ``(batch, HEIGHT, WIDTH, 1)``, or of half that size where
        ``MODEL.OUTPUT`` is ``half``.

    Raises:
        HarnessError: the encoder's weights cannot be read or are those of another network.
    """
    model = cfg.MODEL
    backbone = encoder(model.ENCODER, cfg.INPUT.HEIGHT, cfg.INPUT.WIDTH, model.ALPHA, model.ENCODER_WEIGHTS)
    return mobilenet_unet(backbone, model.DECODER, model.DECODER_FILTERS, model.OUTPUT)


def mobilenet_unet(
    encoder: keras.Model, decoder: str, filters: Sequence[int], output: str, name: str = "mobilenet_unet"
) -> keras.Model:
    """A U-Net on a MobileNet.

    Decoders, both with bilinear upsampling, each ending at half the input's size:

    - ``light``: weighs the encoder's last channels by their means over the picture, as the head of MobileNetV3 does
      (A. Howard et al., ICCV 2019). Each stage projects by 1×1, enlarges, adds the 1×1-projected skip, and ends with a
      depthwise-separable 3×3 convolution; of the last one, which the logits follow, with the depthwise half. Four
      stages begin at stride 32, three at stride 16, where the encoder then ends;
    - ``classic``: full 3×3 convolutions on concatenated skips, from stride 16, where the first one works without a
      skip. The layout of ``mobilenet_unet`` in image-segmentation-keras by D. Gupta.

    Args:
        encoder: of :func:`encoder`.
        decoder: ``light`` or ``classic``.
        filters: channels of the stages, from the coarsest on.
        output: ``half`` for logits at half the input's size; ``bilinear`` to enlarge those in the graph; ``subpixel``
            for four logits of each position, put side by side (W. Shi et al., CVPR 2016, as a transposed convolution).
    """
    import keras

    skip = _last_of_each_stride(encoder)
    strides = (2, 4, 8, 16)[: len(filters)][::-1]
    if decoder == "light":
        x = _gated(skip[2 * strides[0]])
        for stride, channels in zip(strides, filters, strict=True):
            x = _light_stage(x, skip[stride], channels, f"decoder_{stride}", last=stride == strides[-1])
    else:
        x = _conv(skip[16], filters[0], 3, "decoder_16")
        for stride, channels in zip(strides[1:], filters[1:], strict=True):
            x = keras.layers.Concatenate(name=f"decoder_{stride}_skip")(
                [_enlarge(x, f"decoder_{stride}"), skip[stride]]
            )
            x = _conv(x, channels, 3, f"decoder_{stride}")
    if output == "subpixel":
        x = keras.layers.Conv2DTranspose(1, 2, strides=2, name="logits")(x)
    else:
        x = keras.layers.Conv2D(1, 1 if decoder == "light" else 3, padding="same", name="logits")(x)
    if output == "bilinear":
        x = _enlarge(x, "output")
    return keras.Model(encoder.input, x, name=name)


def encoder(kind: str, height: int, width: int, alpha: float, weights: str) -> keras.Model:
    """A MobileNet of ``keras.applications`` without top, for pictures in [-1, 1].

    v3 is the minimalistic one: 3×3 convolutions and ReLU, without squeeze-and-excite and hard swish.

    Args:
        kind: one of :data:`ENCODERS`.
        alpha: its width.
        weights: ``none``, ``imagenet``, or a weights file of that very network; ``{alpha}`` in its path stands for the
            width.

    Raises:
        HarnessError: the weights cannot be read, or there are none of that width.
    """
    import keras

    makers = {
        "mobilenet_v1": keras.applications.MobileNet,
        "mobilenet_v2": keras.applications.MobileNetV2,
        "mobilenet_v3_small": keras.applications.MobileNetV3Small,
        "mobilenet_v3_large": keras.applications.MobileNetV3Large,
    }
    named = weights if weights == "imagenet" else None
    weights = weights.replace("{alpha}", str(alpha))
    if weights not in ("none", "imagenet") and not Path(weights).is_file():
        raise HarnessError(f"MODEL.ENCODER_WEIGHTS: no such file: {weights} (or: none, imagenet)")
    own = {"minimalistic": True, "include_preprocessing": False} if kind.startswith("mobilenet_v3") else {}
    try:
        made = makers[kind](input_shape=(height, width, 3), alpha=alpha, include_top=False, weights=named, **own)
        if weights not in ("none", "imagenet"):
            made.load_weights(weights)
    except (ValueError, OSError) as error:
        raise HarnessError(f"MODEL.ENCODER_WEIGHTS: {weights} does not fit {kind} alpha {alpha}: {error}") from None
    return made


def _last_of_each_stride(encoder: keras.Model) -> dict[int, Tensor]:
    """The encoder's last output at stride 2, 4, …, 32: what a decoder adds to its own."""
    height = encoder.input.shape[1]
    found = {}
    for layer in encoder.layers:
        shape = layer.output.shape
        if len(shape) == 4 and shape[1] and height % shape[1] == 0:
            found[height // shape[1]] = layer.output
    return found


def _conv(x: Tensor, filters: int, size: int, name: str, activation: bool = True) -> Tensor:
    from keras import layers

    x = layers.Conv2D(filters, size, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if activation else x


def _light_stage(x: Tensor, skip: Tensor, filters: int, name: str, last: bool) -> Tensor:
    from keras import layers

    # Projecting before enlarging costs a quarter; the linear bottlenecks keep the sum in one range.
    x = _enlarge(_conv(x, filters, 1, f"{name}_project", activation=False), name)
    x = layers.Add(name=f"{name}_add")([x, _conv(skip, filters, 1, f"{name}_skip", activation=False)])
    x = layers.ReLU(6.0, name=f"{name}_add_relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_dw_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_dw_bn")(x)
    x = layers.ReLU(6.0, name=f"{name}_dw_relu")(x)
    return x if last else _conv(x, filters, 1, f"{name}_pw")


def _gated(x: Tensor) -> Tensor:
    """Channels weighed by what the whole picture shows: a scene is told from a close-up before anything is enlarged."""
    from keras import layers

    mean = layers.GlobalAveragePooling2D(keepdims=True, name="context_mean")(x)
    weight = layers.Conv2D(x.shape[-1], 1, activation="sigmoid", name="context_weight")(mean)
    return layers.Multiply(name="context")([x, weight])


def _enlarge(x: Tensor, name: str) -> Tensor:
    from keras import layers

    return layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_up")(x)
