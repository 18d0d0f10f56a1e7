# SPDX-License-Identifier: Apache-2.0
"""The core's pixels, held bit for bit against ``harness.contract`` and ``harness.frames``, at every vector level."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import contract as contracts
from harness import frames, resources
from harness.contract import Contract

segcore = pytest.importorskip("segcore", reason="the core is not built: it needs a C++17 compiler")

MODEL = resources.default_model() / "model.fp32.tflite"
CONTRACT = contracts.read(resources.default_model() / "contract.toml")

same_level_throughout = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
orientations = st.tuples(st.sampled_from(frames.ROTATIONS), st.booleans())
numbers = st.floats(-1e30, 1e30)


LEVELS = [level for level in segcore.SimdLevel if level.value <= segcore.simd_level().value]


@pytest.fixture(params=LEVELS, ids=lambda level: level.name)
def level(request: pytest.FixtureRequest) -> Iterator[None]:
    before = segcore.simd_level()
    segcore.set_simd_level(request.param)
    yield
    segcore.set_simd_level(before)


@pytest.fixture(scope="module")
def segmenters() -> dict[str, segcore.Segmenter]:
    """The shipped model, with its own contract and with others it was not made for."""
    others = {
        "own": CONTRACT,
        "letterbox": dataclasses.replace(CONTRACT, fit="letterbox"),
        "logit": dataclasses.replace(CONTRACT, output="logit"),
    }
    return {
        name: segcore.Segmenter.from_file(str(MODEL), contract=contract.to_toml()) for name, contract in others.items()
    }


# --- frames of every format, size and stride -----------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Shot:
    """A frame as the core reads it, and the RGB picture that it stands for."""

    frame: segcore.Frame
    rgb: np.ndarray


def laid_out(pixels: np.ndarray, gap: int, upwards: bool) -> np.ndarray:
    """The same pixels in rows that lie ``gap`` pixels apart, the last one first if ``upwards``."""
    height, width = pixels.shape[:2]
    memory = np.full((height, width + gap, *pixels.shape[2:]), 99, np.uint8)
    view = memory[::-1, :width] if upwards else memory[:, :width]
    view[:] = pixels
    return view


def shot(pixel_format: str, height: int, width: int, seed: int, gap: int = 0, upwards: bool = False) -> Shot:
    """Noise with black and white in it."""
    rng = np.random.default_rng(seed)

    def noise(*shape: int) -> np.ndarray:
        return np.clip(rng.integers(-80, 336, shape), 0, 255).astype(np.uint8)

    if pixel_format in frames.YUV_MATRICES:
        luma = laid_out(noise(height, width), gap, upwards)
        chroma = laid_out(noise((height + 1) // 2, (width + 1) // 2, 2), gap, upwards)
        matrix = getattr(segcore.YuvMatrix, pixel_format.upper().replace("-", "_"))
        return Shot(segcore.Frame.nv12(luma, chroma, matrix), frames.nv12_to_rgb(luma, chroma, pixel_format))
    pixels = laid_out(noise(height, width, len(pixel_format)), gap, upwards)
    frame = segcore.Frame(pixels, getattr(segcore.PixelFormat, pixel_format.upper()))
    return Shot(frame, frames.packed_to_rgb(pixels, pixel_format))


formats = st.sampled_from([*frames.PACKED_FORMATS, *frames.YUV_MATRICES])
sides = st.integers(1, 40) | st.integers(1, 300)
shots = st.builds(shot, formats, sides, sides, st.integers(0, 99), st.integers(0, 9), st.booleans())


@st.composite
def any_contract(draw: st.DrawFn) -> Contract:
    return dataclasses.replace(
        CONTRACT,
        input_height=draw(st.integers(1, 70)),
        input_width=draw(st.integers(1, 70)),
        channels=draw(st.sampled_from(["rgb", "bgr"])),
        fit=draw(st.sampled_from(["stretch", "letterbox"])),
        scale=draw(st.tuples(numbers, numbers, numbers)),
        offset=draw(st.tuples(numbers, numbers, numbers)),
    )


# --- frame to input tensor -----------------------------------------------------------------------


def expect_exact(contract: Contract, given_shot: Shot, orientation: tuple[int, bool]) -> None:
    preprocessor = segcore.Preprocessor(contract.to_toml())

    picture, tensor = preprocessor.run(given_shot.frame, segcore.Orientation(*orientation))

    fitted = contracts.fit_image(contract, frames.turn_upright(given_shot.rgb, *orientation))
    np.testing.assert_array_equal(picture, fitted)
    assert tensor.tobytes() == contracts.normalise(contract, fitted).tobytes()


@pytest.mark.usefixtures("level")
@same_level_throughout
@given(any_contract(), shots, orientations)
def test_a_frame_becomes_the_tensor_of_the_definition(
    contract: Contract, any_shot: Shot, orientation: tuple[int, bool]
) -> None:
    expect_exact(contract, any_shot, orientation)


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
@pytest.mark.parametrize("size", [(480, 640), (720, 1280), (719, 1279), (1080, 1920)], ids=str)
def test_frames_of_camera_sizes_are_exact(size: tuple[int, int], fit: str) -> None:
    contract = dataclasses.replace(CONTRACT, fit=fit)

    expect_exact(contract, shot("bgr", *size, seed=1), (0, False))
    expect_exact(contract, shot("bt709-limited", *size, seed=2), (90, True))


# --- output tensor to mask -----------------------------------------------------------------------


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("name", ["own", "logit"])
def test_probability_and_alpha_are_those_of_the_definition(segmenters: dict[str, segcore.Segmenter], name: str) -> None:
    segmenter = segmenters[name]
    frame = shot("bgr", 90, 120, seed=3).frame

    mask = segmenter.run(frame)

    output = segmenter.invoke(segmenter.preprocess(frame))
    expected = contracts.probability(contracts.parse(segmenter.info.contract), output)
    assert mask.probability.tobytes() == expected.tobytes()
    np.testing.assert_array_equal(mask.alpha, contracts.quantise(expected))


# --- mask to frame -------------------------------------------------------------------------------


@pytest.mark.usefixtures("level")
@settings(same_level_throughout, max_examples=25)
@given(st.integers(1, 700), st.integers(1, 700), orientations, st.sampled_from(["own", "letterbox"]))
def test_alpha_of_the_frame_is_the_masks_cut_turned_back_and_resized(
    segmenters: dict[str, segcore.Segmenter], height: int, width: int, orientation: tuple[int, bool], name: str
) -> None:
    mask = segmenters[name].run(shot("rgb", height, width, seed=4).frame, segcore.Orientation(*orientation))

    alpha = segcore.AlphaResizer().run(mask)

    upright = (width, height) if orientation[0] % 180 else (height, width)
    contract = contracts.parse(segmenters[name].info.contract)
    content = contracts.crop_to_content(contract, mask.alpha, upright)
    np.testing.assert_array_equal(alpha, contracts.resize(frames.turn_back(content, *orientation), height, width))
