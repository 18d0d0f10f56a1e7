# SPDX-License-Identifier: Apache-2.0
"""The model contract, held against definitions in exact fractions that share nothing with the implementation."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import subprocess
import sys
import warnings
from fractions import Fraction
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness import contract as contracts
from harness.contract import Contract, ContractError, Rect

TEXT = """\
schema = "segmentation-contract/1"
input_height = 224          # pixels
input_width = 192
channels = "rgb"
fit = "stretch"
resize = "area"
scale = 0.00784313725
offset = -1.0
output = "probability"
foreground = 0
threshold = 0.5
"""
BASE = contracts.parse(TEXT)
HALF = Fraction(1, 2)

sides = st.integers(1, 13)
plain_sizes = st.tuples(sides, sides)
finite = st.floats(-1e30, 1e30)
numbers = st.tuples(finite, finite, finite) | finite.map(lambda value: (value,) * 3)


@st.composite
def any_contract(draw: st.DrawFn) -> Contract:
    output = draw(st.sampled_from(["probability", "logit", "softmax2"]))
    return Contract(
        input_height=draw(st.integers(1, 16384)),
        input_width=draw(st.integers(1, 16384)),
        channels=draw(st.sampled_from(["rgb", "bgr"])),
        fit=draw(st.sampled_from(["stretch", "letterbox"])),
        resize="area",
        scale=draw(numbers),
        offset=draw(numbers),
        output=output,
        foreground=draw(st.integers(0, 1 if output == "softmax2" else 255)),
        threshold=draw(st.floats(0, 1)),
    )


# --- the text ------------------------------------------------------------------------------------


def test_the_example_of_the_format_is_read() -> None:
    assert (BASE.input_height, BASE.input_width) == (224, 192)
    assert (BASE.channels, BASE.fit, BASE.resize, BASE.output) == ("rgb", "stretch", "area", "probability")
    assert BASE.scale == (0.00784313725,) * 3
    assert BASE.offset == (-1.0,) * 3
    assert (BASE.foreground, BASE.threshold) == (0, 0.5)


@given(any_contract())
def test_a_contract_survives_being_written_and_read(contract: Contract) -> None:
    assert contracts.parse(contract.to_toml()) == contract


def test_three_scales_belong_to_red_green_and_blue_in_this_order() -> None:
    contract = contracts.parse(TEXT.replace("scale = 0.00784313725", "scale = [1, 2.5, 3]"))

    assert contract.scale == (1.0, 2.5, 3.0)


@pytest.mark.parametrize("key", [field.name for field in dataclasses.fields(Contract)])
def test_a_missing_key_is_named_with_the_file(key: str) -> None:
    text = "".join(line for line in TEXT.splitlines(keepends=True) if not line.startswith(key))

    with pytest.raises(ContractError, match=rf"^some\.toml: missing {key}$"):
        contracts.parse(text, "some.toml")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", '"segmentation-contract/2"'),
        ("input_height", "0"),
        ("input_height", "224.0"),
        ("input_width", "true"),
        ("input_width", "16385"),
        ("channels", '"gbr"'),
        ("fit", '"crop"'),
        ("resize", '["area"]'),
        ("scale", '"1/255"'),
        ("scale", "[1.0, 2.0]"),
        ("scale", "[1.0, 2.0, nan]"),
        ("scale", "inf"),
        ("offset", "[]"),
        ("offset", "[[1.0], 2.0, 3.0]"),
        ("offset", "2024-01-01"),
        ("output", '"softmax"'),
        ("foreground", "-1"),
        ("foreground", "256"),
        ("threshold", "1.5"),
        ("threshold", "nan"),
        ("threshold", "false"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_key_and_file(key: str, value: str) -> None:
    lines = [f"{key} = {value}" if line.startswith(f"{key} ") else line for line in TEXT.splitlines()]

    with pytest.raises(ContractError, match=rf"^some\.toml: {key} "):
        contracts.parse("\n".join(lines), "some.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "schema"),
        ("schema", "not readable as TOML"),
        (TEXT + "threshold = 0.4\n", "not readable as TOML"),
        (TEXT + "scale = " + "[" * 100_000, "not readable as TOML"),
        (TEXT + "mean = 0.5\n", "unknown key mean"),
        (TEXT + "[quantisation]\nzero = 3\n", "unknown key quantisation"),
        (TEXT.replace('"probability"', '"softmax2"').replace("foreground = 0", "foreground = 2"), "foreground is 2"),
    ],
)
def test_an_unreadable_contract_is_refused_with_its_file(text: str, message: str) -> None:
    with pytest.raises(ContractError, match=rf"^some\.toml: .*{message}"):
        contracts.parse(text, "some.toml")


@pytest.mark.parametrize("content", [None, b"\xff\xfe", TEXT.replace("0.5", "5").encode()])
def test_a_contract_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "their.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ContractError, match=r"their\.toml"):
        contracts.read(path)


def test_a_contract_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "contract.toml").write_text(TEXT, encoding="utf-8")

    assert contracts.read(tmp_path / "contract.toml") == BASE


def test_the_module_needs_numpy_alone() -> None:
    # What a worker on a small device carries: NumPy, and before Python 3.11 a TOML reader.
    script = "import json, sys; from harness import contract; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)
    bare = "import json, sys; import numpy; print(json.dumps(sorted(sys.modules)))"
    before = json.loads(subprocess.run([sys.executable, "-c", bare], capture_output=True, check=True).stdout)

    added = {name.split(".")[0] for name in set(loaded) - set(before)}

    assert added - set(sys.stdlib_module_names) <= {"harness", "numpy", "tomli"}


# --- resize --------------------------------------------------------------------------------------


def exact_weights(size_in: int, size_out: int) -> list[dict[int, Fraction]]:
    """For each output pixel the share of each input pixel in it."""
    ratio = Fraction(size_in, size_out)
    weights: list[dict[int, Fraction]] = []
    for i in range(size_out):
        row: dict[int, Fraction] = {}
        if size_out > size_in:  # bilinear between the two nearest pixel centres, the outermost repeated
            position = (i + HALF) * ratio - HALF
            low = math.floor(position)
            for j, weight in ((low, low + 1 - position), (low + 1, position - low)):
                inside = min(max(j, 0), size_in - 1)
                row[inside] = row.get(inside, Fraction(0)) + weight
        else:  # the share of each input pixel's extent in the output pixel's
            for j in range(size_in):
                overlap = min((i + 1) * ratio, Fraction(j + 1)) - max(i * ratio, Fraction(j))
                if overlap > 0:
                    row[j] = overlap / ratio
        weights.append(row)
    return weights


def exact_resize(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """The contract's resize, word for word: rational weights over both axes, one rounding, half up."""
    result = np.zeros((height, width), np.uint8)
    rows, columns = exact_weights(plane.shape[0], height), exact_weights(plane.shape[1], width)
    for (y, row), (x, column) in itertools.product(enumerate(rows), enumerate(columns)):
        value = sum(a * b * int(plane[j, i]) for j, a in row.items() for i, b in column.items())
        result[y, x] = math.floor(value + HALF)
    return result


def planes(shape: st.SearchStrategy[tuple[int, int]] = plain_sizes) -> st.SearchStrategy[np.ndarray]:
    # Neighbouring values decide about rounding, extremes about overflow.
    values = st.integers(0, 255) | st.sampled_from([0, 1, 127, 128, 254, 255])
    return shape.flatmap(lambda s: arrays.arrays(np.uint8, s, elements=values))


@given(planes(), plain_sizes)
@example(np.array([[0, 1]], np.uint8), (1, 1))  # 0.5 goes up
@example(np.array([[0], [255]], np.uint8), (1, 3))  # one axis shrinks, the other grows
@example(np.array([[7]], np.uint8), (5, 4))
@example(np.arange(13, dtype=np.uint8)[None], (1, 12))
def test_resizing_is_exact(plane: np.ndarray, size: tuple[int, int]) -> None:
    np.testing.assert_array_equal(contracts.resize(plane, *size), exact_resize(plane, *size))


@given(planes(), plain_sizes)
def test_each_colour_is_resized_by_itself(plane: np.ndarray, size: tuple[int, int]) -> None:
    image = np.stack([plane, 255 - plane, plane[::-1]], axis=-1)

    resized = contracts.resize(image, *size)

    for channel in range(3):
        np.testing.assert_array_equal(resized[..., channel], contracts.resize(image[..., channel], *size))


def test_large_pictures_do_not_overflow() -> None:
    image = np.full((4001, 2999), 255, np.uint8)

    assert (contracts.resize(image, 223, 4001) == 255).all()


def test_resizing_to_the_same_size_gives_a_copy() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)

    resized = contracts.resize(image, 3, 4)

    np.testing.assert_array_equal(resized, image)
    assert not np.shares_memory(resized, image)


@pytest.mark.parametrize(
    "image", [np.zeros((3, 4), np.float32), np.zeros((0, 4), np.uint8), np.zeros(4, np.uint8)], ids=str
)
def test_only_8_bit_pictures_are_resized(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="8-bit"):
        contracts.resize(image, 2, 2)


# --- letterbox -----------------------------------------------------------------------------------


def round_half_up(value: Fraction) -> int:
    return math.floor(value + HALF)


@given(st.tuples(st.integers(1, 300), st.integers(1, 300)), st.tuples(st.integers(1, 5000), st.integers(1, 5000)))
@example((224, 224), (1, 5000))
@example((3, 4), (2, 5))
def test_a_letterbox_is_the_largest_centred_rectangle_of_the_frames_shape(
    size: tuple[int, int], frame: tuple[int, int]
) -> None:
    h, w = size
    H, W = frame
    if Fraction(W, H) >= Fraction(w, h):  # the frame is the wider one: full width, borders above and below
        width, height = w, max(1, round_half_up(Fraction(H * w, W)))
    else:
        width, height = max(1, round_half_up(Fraction(W * h, H))), h

    rect = contracts.content_rect(dataclasses.replace(BASE, fit="letterbox"), size, frame)

    assert rect == Rect(math.floor(Fraction(h - height, 2)), math.floor(Fraction(w - width, 2)), height, width)


@given(plain_sizes, plain_sizes)
def test_stretching_fills_the_input(size: tuple[int, int], frame: tuple[int, int]) -> None:
    assert contracts.content_rect(BASE, size, frame) == Rect(0, 0, *size)


def small(fit: str, size: tuple[int, int]) -> Contract:
    return dataclasses.replace(BASE, fit=fit, input_height=size[0], input_width=size[1])


@given(planes(), plain_sizes)
def test_a_letterbox_is_black_around_the_picture(plane: np.ndarray, size: tuple[int, int]) -> None:
    contract = small("letterbox", size)
    image = np.repeat(np.maximum(plane, 1)[..., None], 3, axis=2)
    top, left, height, width = contracts.content_rect(contract, size, plane.shape)

    fitted = contracts.fit_image(contract, image)

    assert fitted.shape == (*size, 3)
    inside = fitted[top : top + height, left : left + width]
    np.testing.assert_array_equal(inside[..., 0], exact_resize(image[..., 0], height, width))
    assert np.count_nonzero(fitted) == inside.size  # no picture pixel is 0, and every border pixel is


@given(planes(), plain_sizes)
def test_a_stretched_picture_fills_the_input(plane: np.ndarray, size: tuple[int, int]) -> None:
    fitted = contracts.fit_image(small("stretch", size), np.repeat(plane[..., None], 3, axis=2))

    np.testing.assert_array_equal(fitted[..., 1], exact_resize(plane, *size))


# --- normalise -----------------------------------------------------------------------------------


@given(numbers, numbers)
@example((0.00784313725,) * 3, (-1.0,) * 3)
@example((1 / 58.395, 1 / 57.12, 1 / 57.375), (-2.117904, -2.035714, -1.804444))
def test_the_table_is_computed_in_binary64_and_rounded_once(scale: tuple, offset: tuple) -> None:
    contract = dataclasses.replace(BASE, scale=scale, offset=offset)

    table = contracts.normalisation_table(contract)

    assert table.dtype == np.float32
    # Python's numbers are binary64: one multiplication, one addition, and then the only rounding to binary32.
    expected = [[np.float32(pixel * scale[c] + offset[c]) for c in range(3)] for pixel in range(256)]
    np.testing.assert_array_equal(table, np.array(expected, np.float32))


@pytest.mark.parametrize(("channels", "order"), [("rgb", (0, 1, 2)), ("bgr", (2, 1, 0))])
def test_each_colour_keeps_its_scale_whatever_the_order(channels: str, order: tuple[int, int, int]) -> None:
    contract = dataclasses.replace(BASE, channels=channels, scale=(1.0, 10.0, 100.0), offset=(0.1, 0.2, 0.3))
    image = np.array([[[1, 2, 3], [255, 0, 7]]], np.uint8)

    tensor = contracts.normalise(contract, image)

    assert tensor.shape == (1, 1, 2, 3)
    assert tensor.dtype == np.float32
    colours = np.array([[1.1, 20.2, 300.3], [255.1, 0.2, 700.3]], np.float32)
    np.testing.assert_array_equal(tensor[0, 0], colours[:, order])


def test_preprocessing_is_fitting_and_then_normalising() -> None:
    contract = dataclasses.replace(small("letterbox", (4, 6)), channels="bgr")
    image = np.arange(5 * 3 * 3, dtype=np.uint8).reshape(5, 3, 3)

    tensor = contracts.preprocess(contract, image)

    fitted = contracts.fit_image(contract, image)
    np.testing.assert_array_equal(tensor, contracts.normalise(contract, fitted))
    assert (tensor[0, :, 0] == -1).all()  # the border is pixel 0, and that is -1 in this contract


# --- activation ----------------------------------------------------------------------------------


def activate(contract: Contract, output: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings(), np.errstate(over="raise", invalid="raise", divide="raise"):
        warnings.simplefilter("error")
        return contracts.probability(contract, output)


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


LARGEST = float(np.finfo(np.float32).max)
float32s = st.floats(-LARGEST, LARGEST, width=32) | st.floats(-20, 20, width=32)


@given(st.lists(float32s, min_size=1, max_size=6))
@example([LARGEST, -LARGEST, 0.0])
def test_a_logit_becomes_its_logistic(logits: list[float]) -> None:
    contract = dataclasses.replace(BASE, output="logit")

    p = activate(contract, np.array(logits, np.float32).reshape(1, 1, -1, 1))

    assert p.dtype == np.float32
    assert p.shape == (1, len(logits))
    np.testing.assert_allclose(p[0], [logistic(x) for x in logits], rtol=0, atol=6e-8)


@given(st.lists(st.floats(-87, 87, width=32), min_size=1))
def test_a_small_probability_is_as_precise_as_a_large_one(logits: list[float]) -> None:
    contract = dataclasses.replace(BASE, output="logit")

    p = activate(contract, np.array(logits, np.float32).reshape(1, -1, 1))

    np.testing.assert_array_max_ulp(p[0], np.array([logistic(x) for x in logits], np.float32), maxulp=1)


@given(st.lists(st.tuples(float32s, float32s), min_size=1, max_size=6), st.integers(0, 1))
@example([(LARGEST, -LARGEST), (-LARGEST, LARGEST)], 0)
def test_two_logits_become_the_foregrounds_softmax(pairs: list[tuple[float, float]], foreground: int) -> None:
    contract = dataclasses.replace(BASE, output="softmax2", foreground=foreground)

    p = activate(contract, np.array(pairs, np.float32).reshape(1, 1, -1, 2))

    expected = [logistic(pair[foreground] - pair[1 - foreground]) for pair in pairs]
    np.testing.assert_allclose(p[0], expected, rtol=0, atol=6e-8)


@pytest.mark.parametrize("shape", [(1, 2, 3, 4), (2, 3, 4)])
def test_a_probability_is_the_foregrounds_channel_untouched(shape: tuple[int, ...]) -> None:
    contract = dataclasses.replace(BASE, foreground=2)
    output = np.random.default_rng(1).random(shape, np.float32)

    p = contracts.probability(contract, output)

    np.testing.assert_array_equal(p, output.reshape(2, 3, 4)[..., 2])
    assert p.flags.c_contiguous


def test_a_plane_without_channels_is_accepted() -> None:
    output = np.random.default_rng(2).random((2, 3), np.float32)

    np.testing.assert_array_equal(contracts.probability(BASE, output), output)


@pytest.mark.parametrize("output", ["probability", "logit", "softmax2"])
def test_what_is_no_number_stays_none(output: str) -> None:
    contract = dataclasses.replace(BASE, output=output)
    raw = np.array([[[[math.nan, 0.25], [0.25, math.nan]]]], np.float32)

    p = contracts.probability(contract, raw)

    assert math.isnan(p[0, 0])


@pytest.mark.parametrize(
    ("output", "foreground", "shape"),
    [
        ("probability", 1, (1, 4, 4, 1)),
        ("probability", 0, (2, 4, 4, 1)),
        ("probability", 0, (16,)),
        ("logit", 3, (4, 4, 3)),
        ("logit", 1, (4, 4)),
        ("softmax2", 0, (1, 4, 4, 1)),
        ("softmax2", 1, (1, 4, 4, 3)),
    ],
)
def test_an_output_of_another_shape_is_refused(output: str, foreground: int, shape: tuple[int, ...]) -> None:
    contract = dataclasses.replace(BASE, output=output, foreground=foreground)

    with pytest.raises(ContractError, match=str(shape).replace("(", r"\(").replace(")", r"\)")):
        contracts.probability(contract, np.zeros(shape, np.float32))


# --- alpha ---------------------------------------------------------------------------------------


def around(value: float) -> list[np.float32]:
    middle = np.float32(value)
    return [np.nextafter(middle, np.float32(-1)), middle, np.nextafter(middle, np.float32(2))]


def test_alpha_rounds_half_up_at_every_boundary() -> None:
    p = np.array([around((k + 0.5) / 255) for k in range(255)] + [around(k / 255) for k in range(256)], np.float32)

    alpha = contracts.quantise(p)

    exact = [min(max(math.floor(255 * Fraction(float(value)) + HALF), 0), 255) for value in p.ravel()]
    assert alpha.dtype == np.uint8
    assert alpha.ravel().tolist() == exact


@given(st.floats(0, 1, width=32))
def test_alpha_is_the_floor_of_255_p_and_a_half(p: float) -> None:
    assert contracts.quantise(np.array([p], np.float32))[0] == math.floor(255 * Fraction(p) + HALF)


def test_alpha_outside_of_0_to_1_is_clipped_and_no_number_is_background() -> None:
    p = np.array([-0.1, 1.2, -math.inf, math.inf, math.nan, 3e38], np.float32)

    assert contracts.quantise(p).tolist() == [0, 255, 0, 255, 0, 255]


maps = plain_sizes.flatmap(lambda s: arrays.arrays(np.float32, s, elements=st.floats(0, 1, width=32)))


@given(maps, plain_sizes, st.sampled_from(["stretch", "letterbox"]))
def test_the_frames_alpha_is_quantised_first_and_enlarged_exactly(p: np.ndarray, frame: tuple, fit: str) -> None:
    contract = dataclasses.replace(BASE, fit=fit)
    top, left, height, width = contracts.content_rect(contract, p.shape, frame)
    quantised = np.array([[math.floor(255 * Fraction(float(v)) + HALF) for v in row] for row in p], np.uint8)

    alpha = contracts.frame_alpha(contract, p, frame)

    content = quantised[top : top + height, left : left + width]
    np.testing.assert_array_equal(alpha, exact_resize(content, *frame))


def bilinear(plane: list[list[float]], height: int, width: int) -> np.ndarray:
    """Half-pixel bilinear, enlarging or not: each output pixel's centre between the four nearest input centres."""
    h, w = len(plane), len(plane[0])
    result = np.zeros((height, width))
    for y, x in itertools.product(range(height), range(width)):
        v, u = Fraction(2 * y + 1, 2 * height) * h - HALF, Fraction(2 * x + 1, 2 * width) * w - HALF
        total = Fraction(0)
        for j, i in itertools.product((0, 1), (0, 1)):
            row, column = math.floor(v) + j, math.floor(u) + i
            weight = (1 - abs(v - row)) * (1 - abs(u - column))
            total += weight * Fraction(plane[min(max(row, 0), h - 1)][min(max(column, 0), w - 1)])
        result[y, x] = float(total)
    return result


@given(maps, plain_sizes, st.sampled_from(["stretch", "letterbox"]))
def test_the_frames_probability_is_half_pixel_bilinear(p: np.ndarray, frame: tuple, fit: str) -> None:
    contract = dataclasses.replace(BASE, fit=fit)
    top, left, height, width = contracts.content_rect(contract, p.shape, frame)

    enlarged = contracts.frame_probability(contract, p, frame)

    content = p[top : top + height, left : left + width].tolist()
    assert enlarged.shape == frame
    np.testing.assert_allclose(enlarged, bilinear(content, *frame), rtol=1e-13, atol=1e-15)
