# SPDX-License-Identifier: Apache-2.0
"""The networks' shapes, and loss and metric against their definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import metrics
from harness.errors import HarnessError
from models_src import config
from tests.models_src.conftest import SMOKE


@pytest.mark.parametrize("decoder", ["light", "classic"])
@pytest.mark.parametrize("output", ["half", "bilinear", "subpixel"])
def test_logits_have_the_promised_size(decoder: str, output: str) -> None:
    from models_src import networks

    overrides = ["MODEL.DECODER", decoder, "MODEL.OUTPUT", output, "INPUT.WIDTH", "96"]
    model = networks.build(config.load(SMOKE, overrides))
    assert model.input_shape == (None, 64, 96, 3)
    assert model.output_shape == ((None, 32, 48, 1) if output == "half" else (None, 64, 96, 1))


@pytest.mark.parametrize("kind", ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"])
@pytest.mark.parametrize("filters", [[16, 16, 8, 8], [16, 8, 8]])
def test_every_encoder_carries_the_light_decoder(kind: str, filters: list[int]) -> None:
    """With three stages the decoder starts at stride 16, and what the encoder has below is left out."""
    from models_src import networks

    cfg = config.load(SMOKE, ["MODEL.ENCODER", kind, "MODEL.ALPHA", "0.5", "MODEL.DECODER_FILTERS", str(filters)])
    model = networks.build(cfg)

    assert model.output_shape == (None, 64, 64, 1)
    heights = {layer.output.shape[1] for layer in model.layers if len(layer.output.shape) == 4}
    assert min(heights - {1}) == (2 if len(filters) == 4 else 4)
    assert not [layer for layer in model.layers if "squeeze" in layer.name or "swish" in layer.name]


def test_the_seed_network_is_full_width_with_half_sized_output() -> None:
    from models_src import networks

    cfg = config.load(SMOKE.with_name("seed.yaml"), ["MODEL.ENCODER_WEIGHTS", "none"])
    model = networks.build(cfg)
    assert model.output_shape == (None, 112, 112, 1)
    assert model.get_layer("conv_pw_11").filters == 512


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_encoder_weights_are_loaded_and_foreign_ones_refused(tmp_path: Path) -> None:
    import keras

    from models_src import networks

    path = tmp_path / "mobilenet_0.25.weights.h5"
    source = keras.applications.MobileNet(input_shape=(32, 32, 3), alpha=0.25, include_top=False, weights=None)
    source.save_weights(path)
    model = networks.build(config.load(SMOKE, ["MODEL.ENCODER_WEIGHTS", str(path)]))
    assert np.array_equal(model.get_layer("conv_pw_9").kernel, source.get_layer("conv_pw_9").kernel)

    of_its_width = networks.build(config.load(SMOKE, ["MODEL.ENCODER_WEIGHTS", str(path).replace("0.25", "{alpha}")]))
    assert np.array_equal(of_its_width.get_layer("conv_pw_9").kernel, source.get_layer("conv_pw_9").kernel)

    with pytest.raises(HarnessError, match=r"does not fit mobilenet_v1 alpha 0\.5"):
        networks.build(config.load(SMOKE, ["MODEL.ENCODER_WEIGHTS", str(path), "MODEL.ALPHA", "0.5"]))
    with pytest.raises(HarnessError, match="no such file"):
        networks.build(config.load(SMOKE, ["MODEL.ENCODER_WEIGHTS", str(tmp_path / "none.h5")]))


MAPS = st.integers(0, 2**32).map(np.random.default_rng)


@settings(max_examples=30, deadline=None)
@given(rng=MAPS, share=st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_the_metric_is_the_harness_s_iou(rng: np.random.Generator, share: float) -> None:
    from models_src import losses

    truth = (rng.random((3, 6, 5, 1)) < share).astype(np.float32)
    logits = rng.normal(size=truth.shape).astype(np.float32) - (3 if share == 0 else 0)
    expected = [metrics.iou(z > 0, t > 0.5) for z, t in zip(logits[..., 0], truth[..., 0], strict=True)]
    assert np.allclose(losses.foreground_iou(truth, logits), expected, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(rng=MAPS, scale=st.sampled_from([0.1, 3.0, 200.0]))
def test_the_loss_is_cross_entropy_plus_soft_dice(rng: np.random.Generator, scale: float) -> None:
    from models_src import losses

    truth = rng.random((2, 4, 4, 1))
    logits = rng.normal(size=truth.shape) * scale
    p = 0.5 + 0.5 * np.tanh(logits / 2)
    cross_entropy = np.logaddexp(0, logits) - truth * logits
    dice = 1 - (2 * (p * truth).sum((1, 2, 3)) + 1) / ((p**2).sum((1, 2, 3)) + (truth**2).sum((1, 2, 3)) + 1)
    expected = 2 * cross_entropy.mean() + 3 * dice.mean()
    found = losses.BceDice(bce=2.0, dice=3.0)(truth.astype(np.float32), logits.astype(np.float32))
    assert np.isclose(float(found), expected, rtol=1e-4)


def test_pixels_at_an_edge_weigh_more_and_a_teacher_counts_as_much_as_it_is_told_to() -> None:
    from models_src import losses

    rng = np.random.default_rng(0)
    truth = np.zeros((1, 12, 12, 2), np.float32)
    truth[:, :, 6:, 0] = 1
    truth[..., 1] = rng.random((1, 12, 12))
    logits = rng.normal(size=(1, 12, 12, 1)).astype(np.float32)
    weight = np.ones((12, 12))
    weight[:, 4:8] += 3  # two pixels on each side of the edge

    def cross_entropy(target: np.ndarray) -> float:
        z = logits[0, ..., 0]
        return float((weight * (np.logaddexp(0, z) - target * z)).sum() / weight.sum())

    found = losses.BceDice(bce=1.0, dice=0.0, boundary=3.0, distill=0.5)(truth, logits)

    expected = cross_entropy(truth[0, ..., 0]) + 0.5 * cross_entropy(truth[0, ..., 1])
    assert np.isclose(float(found), expected, rtol=1e-5)
    alone = losses.BceDice(bce=1.0, dice=0.0, boundary=3.0, distill=0.5)(truth[..., :1], logits)
    assert np.isclose(float(alone), cross_entropy(truth[0, ..., 0]), rtol=1e-5)


def test_masks_are_averaged_to_the_size_of_smaller_logits() -> None:
    from models_src import losses

    masks = np.random.default_rng(0).random((1, 4, 6, 1)).astype(np.float32)
    expected = masks.reshape(1, 2, 2, 3, 2, 1).mean(axis=(2, 4))
    assert np.allclose(losses.at_size_of(masks, np.zeros((1, 2, 3, 1), np.float32)), expected)
