# SPDX-License-Identifier: Apache-2.0
"""Comparison configurations (``configs/compare/*.yaml``): runtimes, suite, lanes and gates under one name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

_OPTIONS = {"model": str, "suite": str, "lane": str, "profile": str, "threads": int, "contract": str, "stages": bool}


@dataclass(frozen=True)
class CompareConfig:
    """What a configuration file says; everything is optional.

    Attributes:
        runs: the reference and what is compared with it.
        gates: gates file, relative to the configuration's folder in the file.
        options: defaults for the command's options of the same names.
    """

    runs: tuple[str, ...] = ()
    gates: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


def load(path: str | Path) -> CompareConfig:
    """Read a configuration.

    Raises:
        HarnessError: it cannot be read, or a key or value is not understood.
    """
    import yaml

    path = Path(path)
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise HarnessError(f"{path}: cannot read the configuration: {error}") from None
    known = {"runs": list, "gates": str, **_OPTIONS}
    if not isinstance(table, dict) or (unknown := sorted(map(str, set(table) - set(known)))):
        what = f"unknown key {', '.join(unknown)}" if isinstance(table, dict) else "not a table"
        raise HarnessError(f"{path}: {what}; known: {', '.join(known)}")
    for key, value in table.items():
        if type(value) is not known[key]:  # exactly: `true` is no number of threads
            raise HarnessError(f"{path}: {key} is {value!r}, expected a {known[key].__name__}")
    gates = table.get("gates")
    return CompareConfig(
        runs=tuple(map(str, table.get("runs", ()))),
        gates=str(path.parent / gates) if gates else None,
        options={name: table[name] for name in _OPTIONS if name in table},
    )
