# SPDX-License-Identifier: Apache-2.0
"""Programs of the repository that belong to no package, as modules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[1]


def load(path: str) -> ModuleType:
    """The module that a script of the repository is, such as ``benchmarks/trust.py``."""
    # By its path, and under a name of its own: packages of the same name exist.
    name = "script_" + Path(path).stem
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path}: no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module
