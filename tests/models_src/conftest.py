# SPDX-License-Identifier: Apache-2.0
"""Generated portraits, and one tiny network trained and exported on them for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from models_src import config
from models_src.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]
SMOKE = REPOSITORY / "configs" / "train" / "smoke.yaml"


def portrait(rng: np.random.Generator, height: int = 96, width: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """A bright head and shoulders before a dark, noisy background, and its mask."""
    mask = np.zeros((height, width), np.uint8)
    x, y = int(width * rng.uniform(0.35, 0.65)), int(height * rng.uniform(0.3, 0.45))
    cv2.ellipse(mask, (x, y), (width // 6, height // 5), 0, 0, 360, 255, -1)
    cv2.ellipse(mask, (x, height), (width // 3, height // 3), 0, 0, 360, 255, -1)
    background = rng.integers(0, 90, (height, width, 3))
    person = rng.integers(150, 256, 3) + rng.integers(-20, 21, (height, width, 3))
    return np.where(mask[..., None] > 0, np.clip(person, 0, 255), background).astype(np.uint8), mask


def write_pairs(folder: Path, count: int, seed: int, prefix: str = "p") -> Path:
    """A pair folder of generated portraits."""
    rng = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        image, mask = portrait(rng)
        cv2.imwrite(str(folder / "images" / f"{prefix}{i}.png"), image[..., ::-1])
        cv2.imwrite(str(folder / "masks" / f"{prefix}{i}.png"), mask)
    return folder


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Training and validation folder."""
    root = tmp_path_factory.mktemp("portraits")
    return write_pairs(root / "train", 17, seed=1), write_pairs(root / "val", 5, seed=2)


def settings(folders: tuple[Path, Path], output: Path, **overrides: object) -> list[str]:
    """Overrides of the smoke configuration: data, output, and more with ``__`` for the dot."""
    pairs = {"DATA.TRAIN": folders[0], "DATA.VAL": folders[1], "OUTPUT": output}
    pairs |= {key.replace("__", "."): value for key, value in overrides.items()}
    return [str(text) for pair in pairs.items() for text in pair]


@contextmanager
def untraced() -> Iterator[None]:
    """Run TensorFlow step by step: for a handful of steps, that takes a tenth of building the graph."""
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


@pytest.fixture(scope="session")
def trained(folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of the smoke configuration, trained without interruption."""
    from models_src import train

    output = tmp_path_factory.mktemp("runs")
    with untraced():
        return train.start(config.load(SMOKE, settings(folders, output)))


@pytest.fixture(scope="session")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder exported from it, calibrated on the run's own training set."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    result = segmodel("export", trained, "--out", folder)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == str(folder)
    return folder


def segmodel(*arguments: object) -> Result:
    """Call the command in this process."""
    return CliRunner().invoke(main, [str(a) for a in arguments])
