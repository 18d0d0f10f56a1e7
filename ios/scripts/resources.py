#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes what RTIOS carries: packed suites and models, in ``ios/Resources``, which git ignores.

    python ios/scripts/resources.py                                   # the shipped suite and model
    python ios/scripts/resources.py --suite my/suite --model my/model

Needs the harness (``make setup``). Given again it makes them anew; a build of RTIOS copies what is there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
MODEL_FILES = ("*.tflite", "contract.toml", "model.json")


def harness() -> str:
    """The command of the environment that runs this script."""
    found = shutil.which("harness", path=str(Path(sys.executable).parent))
    if found is None:
        raise SystemExit(
            f"resources: no command harness beside {sys.executable}; run `make setup`, then .venv/bin/python"
        )
    return found


def pack(suite: str, folder: Path) -> None:
    """Packs a suite, a name or a folder, into ``folder/<id>``."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        packed = Path(temporary) / "suite"
        command = [harness(), "suite", "pack", suite, "--out", str(packed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"resources: {done.stderr.strip() or done.stdout.strip()}")
        name = json.loads((packed / "suite.json").read_text(encoding="utf-8"))["id"]
        _put(packed, folder / name)


def copy(model: Path, folder: Path) -> None:
    """Copies what a phone needs of a model folder into ``folder/<name>``: no Keras file, no card."""
    files = [file for pattern in MODEL_FILES for file in sorted(model.glob(pattern))]
    if not any(file.suffix == ".tflite" for file in files):
        raise SystemExit(f"resources: {model}: no .tflite file in this folder; name a model folder")
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        made = Path(temporary) / "model"
        made.mkdir()
        for file in files:
            shutil.copyfile(file, made / file.name)
        _put(made, folder / model.resolve().name)


def _put(made: Path, target: Path) -> None:
    if target.exists():
        shutil.rmtree(target)
    made.rename(target)
    print(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--suite", action="append", help="name or folder of a suite; may be repeated (portraits)")
    parser.add_argument("--model", action="append", type=Path, help="model folder; may be repeated (models/portrait)")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "ios/Resources", help="default: %(default)s")
    options = parser.parse_args()
    for part in ("Suites", "Models"):
        (options.out / part).mkdir(parents=True, exist_ok=True)
    for suite in options.suite or ["portraits"]:
        pack(suite, options.out / "Suites")
    for model in options.model or [REPOSITORY / "models/portrait"]:
        copy(model, options.out / "Models")


if __name__ == "__main__":
    main()
