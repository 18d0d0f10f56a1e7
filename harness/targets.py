# SPDX-License-Identifier: Apache-2.0
"""Where a runtime executes other than in this environment: another released package, in an environment of its own.

``tflite@tflite-runtime==2.14.0`` runs the ``tflite`` runtime on that package. The environment is made once by uv
and kept in the user's cache folder; it holds the package, NumPy and OpenCV, and takes the harness from here.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from harness.errors import HarnessError, InvalidError
from harness.files import cache_folder

_REQUIREMENT = re.compile(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.+-]+")
_COMMON = ("tomli>=2",)
# tflite-runtime was built before NumPy 2 and does not say so; mediapipe brings an OpenCV of its own.
_COMPANIONS = {"tflite-runtime": ("numpy<2", "opencv-python<4.12"), "mediapipe": ()}
_DEFAULT_COMPANIONS = ("numpy", "opencv-python")
_PYTHON = {"tflite-runtime": "3.11", "mediapipe": "3.11"}


def check(target: str | None) -> None:
    """Raise :class:`HarnessError` where a target is not of the form ``package==version``."""
    if target is not None and _REQUIREMENT.fullmatch(target) is None:
        raise HarnessError(f"@{target}: no such target; write @package==version, such as @tflite-runtime==2.14.0")


def python_for(target: str | None) -> str:
    """The Python interpreter of a target, whose environment is made if it does not exist yet.

    Raises:
        InvalidError: the environment cannot be made.
    """
    if target is None:
        return sys.executable
    folder = _cache() / target
    python = folder / "bin" / "python"
    if not python.exists():
        _make(folder, target)
    return str(python)


def link_packages(folder: Path) -> None:
    """Make the harness and the core importable from ``folder``, and nothing else of this environment: an environment's
    own packages must not be shadowed by those installed here."""
    for name in ("harness", "segcore"):
        spec = importlib.util.find_spec(name)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            target = folder / name
            target.mkdir(exist_ok=True)
            for entry in Path(place).iterdir():
                if entry.name != "__pycache__" and not (target / entry.name).exists():
                    (target / entry.name).symlink_to(entry)


def _cache() -> Path:
    return cache_folder() / "environments"


def _make(folder: Path, requirement: str) -> None:
    name = requirement.partition("==")[0]
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if uv is None:
        raise InvalidError(f"@{requirement} needs uv to make its environment: pip install uv")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    version = _PYTHON.get(name, f"{sys.version_info.major}.{sys.version_info.minor}")
    packages = [requirement, *_COMPANIONS.get(name, _DEFAULT_COMPANIONS), *_COMMON]
    try:
        _call([uv, "venv", "--quiet", "--relocatable", "--python", version, str(temporary)], requirement)
        _call([uv, "pip", "install", "--quiet", "--python", str(temporary), *packages], requirement)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _call(command: list[str], requirement: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        detail = done.stderr.strip().splitlines()[-1:] or ["uv failed"]
        raise InvalidError(f"@{requirement}: cannot make its environment: {detail[0]}")
