# SPDX-License-Identifier: Apache-2.0
"""What a training leaves behind, and that an interruption changes nothing."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness import contract as contracts
from harness.errors import HarnessError
from models_src import config
from tests.models_src.conftest import SMOKE, settings, untraced


def _rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _state(path: Path) -> list[np.ndarray]:
    """Weights and optimizer state of a checkpoint."""
    import keras

    import models_src.losses  # noqa: F401 - registers the loss by its name

    model = keras.saving.load_model(path)
    return [np.asarray(v) for v in (*model.variables, *model.optimizer.variables)]


def test_a_run_folder_holds_everything_about_the_run(trained: Path) -> None:
    rows = _rows(trained)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(0 <= float(row["val_iou"]) <= 1 and float(row["learning_rate"]) >= 0 for row in rows)
    assert config.load(trained / "config.yaml").EXPERIMENT == "smoke"
    assert contracts.read(trained / "contract.toml").output == "logit"
    assert "epoch 2" in (trained / "train.log").read_text(encoding="utf-8")
    assert list((trained / "tensorboard" / "validation").iterdir())
    assert {"best.keras", "last.keras"} <= {path.name for path in trained.iterdir()}
    assert not list(trained.glob(".*"))


def test_training_lowers_the_loss(trained: Path) -> None:
    first, last = _rows(trained)
    assert float(last["loss"]) < float(first["loss"])


@pytest.fixture(scope="module", autouse=True)
def _untraced() -> Iterator[None]:
    with untraced():
        yield


class _Killed(BaseException):
    """Stands for a signal."""


def test_a_run_killed_in_an_epoch_and_again_while_saving_resumes_bit_for_bit(
    folders: tuple[Path, Path], trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    from models_src import train

    class KillInSecondEpoch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            if int(self.model.optimizer.iterations) == 6:
                raise _Killed

    with pytest.raises(_Killed):
        train.start(config.load(SMOKE, settings(folders, tmp_path)), [KillInSecondEpoch()])
    (run,) = (tmp_path / "smoke").iterdir()

    replace = train.os.replace

    def kill_before_last(source: Path, target: Path) -> None:
        if Path(target).name == "last.keras":
            raise _Killed
        replace(source, target)

    monkeypatch.setattr(train.os, "replace", kill_before_last)
    with pytest.raises(_Killed):
        train.resume(run)
    monkeypatch.undo()
    assert len(_rows(run)) == 2
    train.resume(run)

    for name in ("last.keras", "best.keras"):
        pairs = zip(_state(run / name), _state(trained / name), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs), name
    assert [{**r, "seconds": ""} for r in _rows(run)] == [{**r, "seconds": ""} for r in _rows(trained)]


def test_resuming_a_finished_run_changes_nothing(trained: Path) -> None:
    from models_src import train

    before = [(trained / name).read_bytes() for name in ("metrics.csv", "last.keras", "best.keras")]
    assert train.resume(trained) == trained
    assert before == [(trained / name).read_bytes() for name in ("metrics.csv", "last.keras", "best.keras")]


def test_starting_twice_in_one_second_makes_two_folders(tmp_path: Path) -> None:
    from models_src import train

    assert train.new_folder(tmp_path) != train.new_folder(tmp_path)


def test_a_diverging_run_stops_and_keeps_its_last_good_epoch(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from models_src import train

    cfg = config.load(SMOKE, settings(folders, tmp_path, TRAIN__LEARNING_RATE=1e30))
    with pytest.raises(HarnessError, match=r"not finite in epoch 1; lower TRAIN\.LEARNING_RATE"):
        train.start(cfg)
    assert not list(tmp_path.glob("smoke/*/*.keras"))


@pytest.mark.parametrize("key", ["DATA__TRAIN", "DATA__VAL"])
def test_a_missing_data_folder_is_an_error_and_leaves_no_run(
    folders: tuple[Path, Path], tmp_path: Path, key: str
) -> None:
    from models_src import train

    for value in ("''", tmp_path / "nowhere"):
        with pytest.raises(HarnessError, match="images/"):
            train.start(config.load(SMOKE, settings(folders, tmp_path / "runs", **{key: value})))
    assert not (tmp_path / "runs").exists()


def test_resuming_something_else_is_an_error(tmp_path: Path) -> None:
    from models_src import train

    with pytest.raises(HarnessError, match="not a run folder"):
        train.resume(tmp_path)


def test_a_run_can_go_on_from_the_weights_of_another(folders: tuple[Path, Path], trained: Path, tmp_path: Path) -> None:
    import keras

    from models_src import train

    checkpoint = trained / "best.keras"
    cfg = config.load(SMOKE, settings(folders, tmp_path, TRAIN__INITIAL_WEIGHTS=str(checkpoint)))
    weights = train.compiled(cfg, steps=1).get_weights()
    expected = keras.saving.load_model(checkpoint, compile=False).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(weights, expected, strict=True))

    (tmp_path / "other.keras").write_bytes(b"no model")
    cfg = config.load(SMOKE, settings(folders, tmp_path, TRAIN__INITIAL_WEIGHTS=str(tmp_path / "other.keras")))
    with pytest.raises(HarnessError, match=r"INITIAL_WEIGHTS: .*other\.keras does not fit"):
        train.compiled(cfg, steps=1)
