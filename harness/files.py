# SPDX-License-Identifier: Apache-2.0
"""Writing whole files: under a temporary name, then renamed. What an interruption leaves is hidden and known by it."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np

from harness.errors import InvalidError


def cache_folder() -> Path:
    """Where what can be made again is kept for this user; it need not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mobile-unet-harness"


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file.

    Raises:
        InvalidError: it cannot be written; nothing of it is left.
    """
    temporary = path.with_name(f".{path.name}.tmp{os.getpid()}")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InvalidError(f"{path}: cannot write: {error.strerror}; choose another folder with --out") from None


def write_tensor(path: Path, array: np.ndarray) -> None:
    """Write an array as NPY (format 1.0, no pickles); see :func:`write_file`."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    write_file(path, buffer.getvalue())
