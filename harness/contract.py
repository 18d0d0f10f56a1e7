# SPDX-License-Identifier: Apache-2.0
"""The model contract: how pixels become the input tensor, and how the output tensor becomes a mask.

This module is the reference definition that every runtime is tested against. It imports nothing but
NumPy, so that a worker on a small device can carry it. All pixel arithmetic is exact (integers and one
rounding), so that x86-64, ARM64, C++ and Swift can give the same bits.

Arrays are ``(height, width, channels)``; 8-bit images are RGB in [0, 255].
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SCHEMA = "segmentation-contract/1"
METADATA_NAME = "segmentation_contract"
"""Name of the ``.tflite`` metadata entry that carries the contract's text."""

_CHOICES = {
    "channels": ("rgb", "bgr"),
    "fit": ("stretch", "letterbox"),
    "resize": ("area",),
    "output": ("probability", "logit", "softmax2"),
}
_MAX_SIDE = 16384


class ContractError(ValueError):
    """A contract that cannot be used; the message names the file, the key and what is allowed."""


@dataclass(frozen=True)
class Contract:
    """One model's contract, format ``segmentation-contract/1``.

    Attributes:
        input_height, input_width: size of the input tensor in pixels.
        channels: order of the colour planes in the input tensor, ``rgb`` or ``bgr``.
        fit: ``stretch`` or ``letterbox``.
        resize: ``area`` (area average when shrinking, half-pixel bilinear when enlarging, per axis).
        scale, offset: ``tensor = pixel * scale + offset``, one value per colour ``(r, g, b)``.
        output: what the network returns: ``probability``, ``logit`` or ``softmax2``.
        foreground: index of the person's channel in the output.
        threshold: a pixel is person where the probability is greater.
    """

    input_height: int
    input_width: int
    channels: str
    fit: str
    resize: str
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]
    output: str
    foreground: int
    threshold: float

    def to_toml(self) -> str:
        """The contract as text that :func:`parse` reads back to an equal object."""
        lines = [f'schema = "{SCHEMA}"']
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                same = len(set(value)) == 1
                value = repr(value[0]) if same else "[" + ", ".join(map(repr, value)) + "]"
            elif isinstance(value, str):
                value = f'"{value}"'
            lines.append(f"{field.name} = {value}")
        return "\n".join(lines) + "\n"


class Rect(NamedTuple):
    """A rectangle of pixels: rows ``top … top+height``, columns ``left … left+width``."""

    top: int
    left: int
    height: int
    width: int


# --- parsing -------------------------------------------------------------------------------------


def parse(text: str, where: str = "contract") -> Contract:
    """Read a contract from its TOML text.

    Args:
        text: flat ``key = value`` TOML.
        where: what to call the source in an error (a file name).

    Raises:
        ContractError: the text is no TOML, a key is missing, unknown, or has a value that is not allowed.
    """
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:  # the latter: brackets nested without end
        raise ContractError(f"{where}: not readable as TOML: {error}") from None
    schema = table.pop("schema", None)
    if schema != SCHEMA:
        raise ContractError(f'{where}: schema is {schema!r}, this version reads "{SCHEMA}"')
    names = [field.name for field in fields(Contract)]
    if missing := [name for name in names if name not in table]:
        raise ContractError(f"{where}: missing {', '.join(missing)}")
    if unknown := sorted(set(table) - set(names)):
        raise ContractError(f"{where}: unknown key {', '.join(unknown)}; known: {', '.join(names)}")
    for name, allowed in _CHOICES.items():
        if table[name] not in allowed:
            raise ContractError(f"{where}: {name} is {table[name]!r}, allowed: {', '.join(allowed)}")
    return Contract(
        input_height=_integer(table, "input_height", 1, _MAX_SIDE, where),
        input_width=_integer(table, "input_width", 1, _MAX_SIDE, where),
        channels=table["channels"],
        fit=table["fit"],
        resize=table["resize"],
        scale=_triple(table, "scale", where),
        offset=_triple(table, "offset", where),
        output=table["output"],
        foreground=_integer(table, "foreground", 0, 1 if table["output"] == "softmax2" else 255, where),
        threshold=_number(table["threshold"], "threshold", where, low=0.0, high=1.0),
    )


def read(path: str | Path) -> Contract:
    """Read ``contract.toml``; see :func:`parse`."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: cannot read the contract: {error}") from None
    return parse(text, str(path))


def _integer(table: dict[str, Any], name: str, low: int, high: int, where: str) -> int:
    value = table[name]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ContractError(f"{where}: {name} is {value!r}, expected a whole number from {low} to {high}")
    return value


def _number(value: Any, name: str, where: str, low: float = -1e30, high: float = 1e30) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ContractError(f"{where}: {name} is {value!r}, expected a number from {low:g} to {high:g}")
    return float(value)


def _triple(table: dict[str, Any], name: str, where: str) -> tuple[float, float, float]:
    value = table[name]
    values = value if isinstance(value, list) else [value] * 3
    if len(values) != 3:
        raise ContractError(f"{where}: {name} has {len(values)} values, expected one number or three: [r, g, b]")
    red, green, blue = (_number(v, name, where) for v in values)
    return red, green, blue


# --- pixels to input tensor ----------------------------------------------------------------------


class _Taps(NamedTuple):
    """Resampling of one axis: output ``i`` is ``sum_k weight[i, k] * input[source[i, k]] / denominator``."""

    source: np.ndarray
    weight: np.ndarray
    denominator: int


def _bilinear_taps(size_in: int, size_out: int) -> _Taps:
    # Output i has its centre at ((2i + 1) * size_in - size_out) / (2 * size_out) input pixels.
    position = (2 * np.arange(size_out, dtype=np.int64) + 1) * size_in - size_out
    low, fraction = np.divmod(position, 2 * size_out)
    source = np.clip(np.stack([low, low + 1], axis=1), 0, size_in - 1)
    return _Taps(source, np.stack([2 * size_out - fraction, fraction], axis=1), 2 * size_out)


def _area_taps(size_in: int, size_out: int) -> _Taps:
    # In units of 1/size_out of an input pixel, output i covers [i * size_in, (i + 1) * size_in).
    start = np.arange(size_out, dtype=np.int64) * size_in
    first = start // size_out
    source = first[:, None] + np.arange(-(-size_in // size_out) + 1)
    overlap = np.minimum(start[:, None] + size_in, (source + 1) * size_out) - np.maximum(
        start[:, None], source * size_out
    )
    return _Taps(np.minimum(source, size_in - 1), np.maximum(overlap, 0), size_in)


def _taps(size_in: int, size_out: int) -> _Taps:
    return _bilinear_taps(size_in, size_out) if size_out > size_in else _area_taps(size_in, size_out)


def _resample(array: np.ndarray, taps: _Taps, axis: int) -> np.ndarray:
    """Weighted sum along one axis, not yet divided by the denominator. Works tap by tap to stay small."""
    shape = [1] * array.ndim
    shape[axis] = len(taps.source)
    total: np.ndarray | None = None
    for k in range(taps.source.shape[1]):
        weight = taps.weight[:, k].astype(array.dtype)
        if weight.any():
            term = np.take(array, taps.source[:, k], axis=axis) * weight.reshape(shape)
            total = term if total is None else np.add(total, term, out=total)
    assert total is not None
    return total


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize 8-bit pixels with exact rational weights over both axes and one rounding, half up.

    Per axis: area average when shrinking, half-pixel bilinear when enlarging.

    Args:
        image: uint8 ``(H, W)`` or ``(H, W, C)``.
        height, width: size of the result.

    Returns:
        uint8 of shape ``(height, width)`` or ``(height, width, C)``.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(f"expected a non-empty 8-bit image, got {image.dtype} {image.shape}")
    if image.shape[:2] == (height, width):
        return image.copy()
    rows, columns = _taps(image.shape[0], height), _taps(image.shape[1], width)
    # 255 * denominator stays below 2**31 for one axis; both axes together need 64 bits.
    total = _resample(image.astype(np.int32), rows, axis=0).astype(np.int64)
    total = _resample(total, columns, axis=1)
    denominator = rows.denominator * columns.denominator
    return ((2 * total + denominator) // (2 * denominator)).astype(np.uint8)


def content_rect(contract: Contract, size: tuple[int, int], frame: tuple[int, int]) -> Rect:
    """Where a frame lies inside the model's input or output.

    Args:
        contract: only ``fit`` is used.
        size: ``(height, width)`` of the tensor: the input's, or the output's where that differs.
        frame: ``(height, width)`` of the picture.

    Returns:
        The whole tensor for ``stretch``; for ``letterbox`` the largest centred rectangle of the frame's
        aspect ratio, rounded to whole pixels, at least one pixel each way.
    """
    h, w = size
    H, W = frame
    if contract.fit == "stretch":
        return Rect(0, 0, h, w)
    if W * h >= H * w:
        width, height = w, max(1, (2 * H * w + W) // (2 * W))
    else:
        width, height = max(1, (2 * W * h + H) // (2 * H)), h
    return Rect((h - height) // 2, (w - width) // 2, height, width)


def fit_image(contract: Contract, image: np.ndarray) -> np.ndarray:
    """Resize an RGB image ``(H, W, 3)`` uint8 to the model's input size; letterbox borders are pixel 0."""
    size = contract.input_height, contract.input_width
    rect = content_rect(contract, size, (image.shape[0], image.shape[1]))
    content = resize(image, rect.height, rect.width)
    if (rect.height, rect.width) == size:
        return content
    canvas = np.zeros((*size, 3), np.uint8)
    canvas[rect.top : rect.top + rect.height, rect.left : rect.left + rect.width] = content
    return canvas


def normalisation_table(contract: Contract) -> np.ndarray:
    """``tensor = pixel * scale + offset`` for every pixel value: float32 ``(256, 3)``, columns r, g, b.

    Computed in binary64 (one multiplication, one addition) and rounded once to float32.
    """
    pixel = np.arange(256, dtype=np.float64)[:, None]
    return (pixel * np.array(contract.scale) + np.array(contract.offset)).astype(np.float32)


def normalise(contract: Contract, image: np.ndarray) -> np.ndarray:
    """Turn fitted RGB pixels ``(h, w, 3)`` uint8 into the input tensor ``(1, h, w, 3)`` float32."""
    table = normalisation_table(contract)
    tensor = np.empty((1, *image.shape), np.float32)
    for position, colour in enumerate((0, 1, 2) if contract.channels == "rgb" else (2, 1, 0)):
        tensor[0, ..., position] = table[:, colour][image[..., colour]]
    return tensor


def preprocess(contract: Contract, image: np.ndarray) -> np.ndarray:
    """The input tensor ``(1, h, w, 3)`` float32 of an RGB image ``(H, W, 3)`` uint8: fit, then normalise."""
    return normalise(contract, fit_image(contract, image))


# --- output tensor to mask -----------------------------------------------------------------------


def probability(contract: Contract, output: np.ndarray) -> np.ndarray:
    """The person's probability ``(h, w)`` float32 from the network's raw output.

    Args:
        output: float ``(1, h, w, C)``, ``(h, w, C)`` or ``(h, w)``.

    Raises:
        ContractError: the output has another shape, or no channel ``foreground``.
    """
    planes = output[0] if output.ndim == 4 and output.shape[0] == 1 else output
    planes = planes[..., None] if planes.ndim == 2 else planes
    needed = 2 if contract.output == "softmax2" else contract.foreground + 1
    if planes.ndim != 3 or planes.shape[2] < needed or (contract.output == "softmax2" and planes.shape[2] != 2):
        raise ContractError(
            f"the model's output has shape {tuple(output.shape)}; the contract's output "
            f'"{contract.output}" with foreground {contract.foreground} does not fit it'
        )
    plane = planes[..., contract.foreground]
    if contract.output == "probability":
        return np.ascontiguousarray(plane, np.float32)
    logit = plane.astype(np.float64)
    if contract.output == "softmax2":
        logit = logit - planes[..., 1 - contract.foreground]
    return _logistic(logit).astype(np.float32)


_LOG2_E = float.fromhex("0x1.71547652b82fep+0")
_LN2_HIGH = float.fromhex("0x1.62e42feep-1")  # 32 bits, so that a whole number times it is exact
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")  # log 2 is the sum of both


def _logistic(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e⁻ˣ) in binary64 by a fixed sequence of IEEE operations: libraries differ in their exponential.

    e⁻|ˣ| = 2ᵏ eʳ with a whole k and |r| ≤ log(2) / 2; eʳ by its Taylor series up to r¹², which leaves out less than
    one rounding. Below -120 the result is 0 in float32.
    """
    z = np.fmax(-np.abs(x), -120.0)
    k = np.rint(z * _LOG2_E)
    r = (z - k * _LN2_HIGH) - k * _LN2_LOW
    series = np.full_like(z, 1.0 / math.factorial(12))
    for n in range(11, -1, -1):
        series = series * r + 1.0 / math.factorial(n)
    e = np.ldexp(series, k.astype(np.int32))
    return np.where(np.isnan(x), x, np.where(x < 0, e, 1.0) / (1.0 + e))


def quantise(probability_map: np.ndarray) -> np.ndarray:
    """8-bit alpha ``⌊255·p + ½⌋``; p is clipped to [0, 1], and a value that is no number is background."""
    p = np.nan_to_num(probability_map.astype(np.float64), nan=0.0)
    return np.floor(255.0 * np.clip(p, 0.0, 1.0) + 0.5).astype(np.uint8)


def crop_to_content(contract: Contract, plane: np.ndarray, frame: tuple[int, int]) -> np.ndarray:
    """Cut a model-sized plane ``(h, w)`` back to the part that shows the frame ``(H, W)``."""
    rect = content_rect(contract, (plane.shape[0], plane.shape[1]), frame)
    return plane[rect.top : rect.top + rect.height, rect.left : rect.left + rect.width]


def frame_alpha(contract: Contract, probability_map: np.ndarray, frame: tuple[int, int]) -> np.ndarray:
    """8-bit alpha at the frame's size ``(H, W)``: quantised at the model's resolution, then resized exactly."""
    return resize(crop_to_content(contract, quantise(probability_map), frame), *frame)


def frame_probability(contract: Contract, probability_map: np.ndarray, frame: tuple[int, int]) -> np.ndarray:
    """Probability at the frame's size ``(H, W)``, float64, half-pixel bilinear: what ground truth is held against."""
    plane = crop_to_content(contract, probability_map, frame).astype(np.float64)
    for axis, size in enumerate(frame):
        taps = _bilinear_taps(plane.shape[axis], size)
        plane = _resample(plane, taps, axis) / taps.denominator
    return plane
