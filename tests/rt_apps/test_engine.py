# SPDX-License-Identifier: Apache-2.0
"""The Keras engine: what it loads, what it refuses, and that it computes what the network computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs Keras: pip install 'mobile-unet-harness[keras]'")

from rt_apps.rtpy.engine import KerasEngine, ModelLoadError  # noqa: E402

SIZE = (32, 48)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A small network from a picture to one map, with weights that do something."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((*SIZE, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(x))


@pytest.fixture
def tensor() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (1, *SIZE, 3)).astype(np.float32)


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_both_formats_give_what_the_network_gives(
    network: keras.Model, tensor: np.ndarray, tmp_path: Path, name: str
) -> None:
    network.save(tmp_path / name)

    engine = KerasEngine(tmp_path / name, SIZE)

    assert engine.output_shape == (1, *SIZE, 1)
    np.testing.assert_allclose(engine(tensor), network(tensor, training=False), atol=1e-6)


def test_a_network_of_any_size_takes_the_size_asked_for(tensor: np.ndarray, tmp_path: Path) -> None:
    inputs = keras.Input((None, None, 3))
    keras.Model(inputs, keras.layers.Conv2D(1, 3, padding="same")(inputs)).save(tmp_path / "any.keras")

    assert KerasEngine(tmp_path / "any.keras", SIZE)(tensor).shape == (1, *SIZE, 1)


def test_a_network_of_another_size_is_refused_with_both_the_file_and_the_shape(
    network: keras.Model, tmp_path: Path
) -> None:
    network.save(tmp_path / "model.keras")

    with pytest.raises(ModelLoadError, match=r"model\.keras.*\(1, 64, 64, 3\)"):
        KerasEngine(tmp_path / "model.keras", (64, 64))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x89HDF\r\n\x1a\n no data"])
@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_damaged_files_are_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ModelLoadError, match=name.replace(".", r"\.")):
        KerasEngine(tmp_path / name, SIZE)


@pytest.mark.parametrize("name", ["lambda.keras", "lambda.h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_code_inside_a_file_is_not_run(tmp_path: Path, name: str) -> None:
    inputs = keras.Input((*SIZE, 3))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x[..., :1])(inputs)).save(tmp_path / name)

    with pytest.raises(ModelLoadError, match="carries code of its own"):
        KerasEngine(tmp_path / name, SIZE)
