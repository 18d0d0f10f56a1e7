# SPDX-License-Identifier: Apache-2.0
"""Pixels to bytes and back: the two file formats of a suite's pictures, and their hash. Knows no suites."""

from __future__ import annotations

import hashlib
import io

import cv2
import numpy as np


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def decode(data: bytes, grey: bool) -> np.ndarray | None:
    """Upright pixels of an image file, 8-bit RGB, or grey of the file's own depth; None where it cannot be decoded."""
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH if grey else cv2.IMREAD_COLOR
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:
        return None
    return pixels if pixels is None or grey else np.ascontiguousarray(pixels[..., ::-1])


def encode_png(pixels: np.ndarray, compression: int) -> bytes:
    """A PNG file of uint8 RGB ``(H, W, 3)`` or grey ``(H, W)``, with zlib level ``compression``."""
    bgr = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., ::-1])
    return cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, compression])[1].tobytes()


def decode_npy(data: bytes) -> np.ndarray | None:
    """The array of an NPY file; None where it cannot be read (pickles are not)."""
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError):
        return None


def encode_npy(pixels: np.ndarray) -> bytes:
    """An NPY file, format 1.0."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(pixels), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()
