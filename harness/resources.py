# SPDX-License-Identifier: Apache-2.0
"""Where the shipped data lies: models and configurations, in a checkout or in an installed wheel.

In a checkout the folders ``models`` and ``configs`` stand beside the package, where a person looks for them; the
wheel carries the same folders as ``harness/_data``.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_folder(name: str) -> Path:
    """The folder ``name`` (``models`` or ``configs``) of this installation."""
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


def suites_folder() -> Path:
    """The folder of the shipped suites."""
    return _PACKAGE / "suites"


def default_model() -> Path:
    """The shipped model's folder."""
    return data_folder("models") / "portrait"


def default_gates() -> Path:
    """The shipped gates file."""
    return data_folder("configs") / "gates.yaml"


def checkout() -> Path | None:
    """The root of the git checkout this package runs from, or None for an installed one."""
    root = _PACKAGE.parent
    return root if (root / ".git").exists() and (root / "pyproject.toml").exists() else None
