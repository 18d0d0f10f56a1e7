# SPDX-License-Identifier: Apache-2.0
"""What a training leaves behind, and that an interruption changes nothing."""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness import contract as contracts
from harness.errors import HarnessError
from models_src import config, runs, sheet
from models_src.datasets import manifest
from tests.models_src.conftest import REPOSITORY, SMOKE, segmodel, settings, untraced, write_pairs


def _rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _asked(folders: tuple[Path, Path], output: Path, **values: object) -> list[object]:
    """The command that trains the smoke configuration with these settings."""
    texts = settings(folders, output, **values)
    pairs = [text for pair in zip(texts[::2], texts[1::2], strict=True) for text in ("--set", *pair)]
    return ["train", "--config", SMOKE, *pairs]


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


def test_tensorboard_shows_what_the_network_makes_of_validation_pictures_after_every_epoch(trained: Path) -> None:
    import keras
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(trained / "tensorboard" / "pictures"), size_guidance={"tensors": 0}).Reload()

    shown = events.Tensors("validation")
    assert [event.step for event in shown] == [0, 1]
    first, last = (
        cv2.imdecode(np.frombuffer(event.tensor_proto.string_val[2], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        for event in shown
    )
    samples = manifest.load(config.load(trained / "config.yaml").DATA.VAL).samples
    network, contract = keras.saving.load_model(trained / "last.keras"), contracts.read(trained / "contract.toml")
    assert np.array_equal(last, sheet.of_network(network, contract, samples))
    assert first.shape == last.shape and not np.array_equal(first, last)


def test_training_lowers_the_loss(trained: Path) -> None:
    first, last = _rows(trained)
    assert float(last["loss"]) < float(first["loss"])


@pytest.fixture(scope="module", autouse=True)
def _untraced() -> Iterator[None]:
    with untraced():
        yield


class _Killed(BaseException):
    """Stands for a signal."""


@pytest.mark.system  # several trainings
def test_a_run_killed_in_an_epoch_and_again_while_saving_resumes_bit_for_bit(
    folders: tuple[Path, Path], trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    from models_src import checkpoint, train

    class KillInSecondEpoch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            if int(self.model.optimizer.iterations) == 6:
                raise _Killed

    with pytest.raises(_Killed):
        train.start(config.load(SMOKE, settings(folders, tmp_path)), [KillInSecondEpoch()])
    (run,) = (tmp_path / "smoke").iterdir()

    replace = checkpoint.os.replace

    def kill_before_last(source: Path, target: Path) -> None:
        if Path(target).name == "last.keras":
            raise _Killed
        replace(source, target)

    monkeypatch.setattr(checkpoint.os, "replace", kill_before_last)
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


def test_other_training_data_than_a_run_began_with_are_refused(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    cfg = config.load(run / "config.yaml")
    changed = (run / "config.yaml").read_text().replace(cfg.DATA.TRAIN, str(write_pairs(tmp_path / "few", 9, seed=1)))
    (run / "config.yaml").write_text(changed.replace("EPOCHS: 2", "EPOCHS: 9"))

    result = segmodel("train", "--resume", run)

    assert result.exit_code == 2
    assert f"{run}: had 4 steps in an epoch, its training data now give 2" in result.stderr
    assert "put back the pictures of DATA.TRAIN" in result.stderr


@pytest.mark.parametrize("more", ["3,12,1.0,0.1,1.0,0.9,0.001,7.0\n", "3,12,1.0,0."])
def test_an_epoch_whose_network_was_not_kept_is_taken_out_of_the_table(
    trained: Path, tmp_path: Path, more: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    before = (run / "metrics.csv").read_text()
    (run / "metrics.csv").write_text(before + more)

    assert segmodel("train", "--resume", run).exit_code == 0

    assert (run / "metrics.csv").read_text() == before


def test_a_table_that_lacks_epochs_of_the_network_is_named(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    (run / "metrics.csv").write_text((run / "metrics.csv").read_text()[:-30])

    result = segmodel("train", "--resume", run)

    assert result.exit_code == 2
    assert "metrics.csv: has 1 of the 2 epochs that last.keras was trained for" in result.stderr


def test_starting_twice_in_one_second_makes_two_folders(tmp_path: Path) -> None:
    assert runs.new_folder(tmp_path) != runs.new_folder(tmp_path)


@pytest.mark.system  # several trainings
def test_a_named_run_folder_is_made_and_continued_when_it_is_there(folders: tuple[Path, Path], tmp_path: Path) -> None:
    asked = [*_asked(folders, tmp_path, TRAIN__EPOCHS=1), "--run", tmp_path / "here" / "run"]

    for _ in range(2):
        result = segmodel(*asked)
        assert result.exit_code == 0, result.output
        assert result.stdout.splitlines()[-1] == str(tmp_path / "here" / "run")
        assert len(_rows(tmp_path / "here" / "run")) == 1
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("")
    assert "holds letter.txt, but is no run" in segmodel(*asked[:-1], tmp_path / "other").stderr


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
        with pytest.raises(HarnessError, match=r"images/|no such file or folder"):
            train.start(config.load(SMOKE, settings(folders, tmp_path / "runs", **{key: value})))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"DATA__VAL": "nowhere"}, "nowhere: no such file or folder"),
        ({"TRAIN__INITIAL_WEIGHTS": "first"}, "TRAIN.INITIAL_WEIGHTS: first: no such file or run"),
        ({"TRAIN__INITIAL_WEIGHTS": str(REPOSITORY / "models/portrait/model.keras")}, "does not fit this network"),
        ({"MODEL__ENCODER_WEIGHTS": "weights.h5"}, "MODEL.ENCODER_WEIGHTS: no such file: weights.h5"),
        ({"TEACHER": "none.tflite", "LOSS__DISTILL": 1.0}, "none.tflite"),
        ({"TEACHER": str(REPOSITORY / "models/portrait")}, "TEACHER needs LOSS.DISTILL above 0"),
        ({"AUGMENT__REPLACE_BACKGROUND": 0.5}, "AUGMENT.REPLACE_BACKGROUND needs AUGMENT.BACKGROUNDS"),
        ({"AUGMENT__REPLACE_BACKGROUND": 0.5, "AUGMENT__BACKGROUNDS": "['rooms']"}, "rooms"),
        ({"AUGMENT__TRANSFORMS": "[{'name': 'Affine', 'rotaet': 3}]"}, "Affine has no argument rotaet"),
        ({"TRAIN__BATCH_SIZE": 64}, "17 training pictures do not fill one batch of 64"),
        ({"OUTPUT": str(SMOKE)}, "smoke.yaml/smoke"),
    ],
)
def test_a_check_refuses_what_the_training_would_refuse_at_its_start(
    folders: tuple[Path, Path], tmp_path: Path, values: dict[str, object], told: str
) -> None:
    asked = _asked(folders, tmp_path / "runs", **values)

    for more in (["--check"], []):
        result = segmodel(*asked, *more)
        assert result.exit_code == 2 and told in result.stderr, result.output
    assert not (tmp_path / "runs").exists()


def test_a_check_tells_where_the_run_will_be_and_makes_nothing(folders: tuple[Path, Path], tmp_path: Path) -> None:
    asked = _asked(folders, tmp_path / "runs", TRAIN__DEVICES=99)  # as many as the machine that trains has

    for more, where in (([], "runs/smoke"), (["--run", tmp_path / "here"], "here")):
        result = segmodel(*asked, "--check", *more)
        assert (result.exit_code, result.stdout) == (0, f"{tmp_path / where}\n"), result.output
        assert not (tmp_path / where).exists()
    (tmp_path / "letter.txt").touch()
    assert "holds letter.txt, but is no run" in segmodel(*asked, "--check", "--run", tmp_path).stderr


@pytest.mark.parametrize("named", ["--resume", "--run"])
def test_a_check_of_a_run_refuses_what_keeps_it_from_going_on(trained: Path, tmp_path: Path, named: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    asked = ["train", named, run, "--check", *(["--config", SMOKE] if named == "--run" else [])]
    before = (run / "train.log").read_bytes()

    result = segmodel(*asked)
    assert (result.exit_code, result.stdout) == (0, f"{run}\n"), result.output
    assert (run / "train.log").read_bytes() == before
    (run / "last.keras").write_bytes(b"no model")
    result = segmodel(*asked)
    assert result.exit_code == 2 and "last.keras: cannot be loaded" in result.stderr


@pytest.mark.parametrize("named", ["--resume", "--run"])
def test_a_run_goes_on_with_its_own_settings_and_others_are_refused(trained: Path, named: str) -> None:
    """At a requeue a job repeats the command that its first start had."""
    asked = ["train", named, trained, *(["--config", SMOKE] if named == "--run" else [])]

    same = segmodel(*asked, "--set", "TRAIN.BATCH_SIZE", 4, "--set", "OUTPUT", trained.parents[1])
    assert same.exit_code == 0 and same.stdout.splitlines()[-1] == str(trained), same.output
    other = segmodel(*asked, "--set", "TRAIN.BATCH_SIZE", 8, "--set", "TRAIN.EPOCHS", 2)
    assert other.exit_code == 2
    assert f"{trained}: has TRAIN.BATCH_SIZE 4, not 8; leave out --set, or begin a new run" in other.stderr


def test_resuming_something_else_is_an_error(tmp_path: Path) -> None:
    from models_src import train

    with pytest.raises(HarnessError, match="not a run folder"):
        train.resume(tmp_path)


def test_a_run_can_go_on_from_the_weights_of_another(folders: tuple[Path, Path], trained: Path, tmp_path: Path) -> None:
    import keras

    from models_src.compiling import compiled

    checkpoint = trained / "best.keras"
    cfg = config.load(SMOKE, settings(folders, tmp_path, TRAIN__INITIAL_WEIGHTS=str(checkpoint)))
    weights = compiled(cfg, steps=1).get_weights()
    expected = keras.saving.load_model(checkpoint, compile=False).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(weights, expected, strict=True))

    (tmp_path / "other.keras").write_bytes(b"no model")
    cfg = config.load(SMOKE, settings(folders, tmp_path, TRAIN__INITIAL_WEIGHTS=str(tmp_path / "other.keras")))
    with pytest.raises(HarnessError, match=r"INITIAL_WEIGHTS: .*other\.keras does not fit"):
        compiled(cfg, steps=1)


def test_the_shipped_network_can_be_gone_on_from() -> None:
    import keras

    from models_src.compiling import compiled

    shipped = str(REPOSITORY / "models/portrait/model.keras")
    cfg = config.load(REPOSITORY / "configs/train/portrait.yaml", ["TRAIN.INITIAL_WEIGHTS", shipped])
    expected = keras.saving.load_model(shipped, compile=False).get_weights()
    found = compiled(cfg, steps=1).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("named", ["20260101-000000/best.keras", "20260101-000000", "."])
def test_a_checkpoint_a_run_and_an_experiment_name_the_same_network(tmp_path: Path, named: str) -> None:
    for run in ("20250101-000000", "20260101-000000"):
        (tmp_path / run).mkdir()
        (tmp_path / run / "config.yaml").touch()
        (tmp_path / run / "best.keras").touch()
    assert runs.checkpoint(tmp_path / named) == tmp_path / "20260101-000000/best.keras"


def test_a_run_records_the_checkpoint_that_it_began_with(
    folders: tuple[Path, Path], trained: Path, tmp_path: Path
) -> None:
    from models_src import train

    cfg = config.load(SMOKE, settings(folders, tmp_path, TRAIN__EPOCHS=1, TRAIN__INITIAL_WEIGHTS=str(trained.parent)))
    recorded = config.load(train.start(cfg) / "config.yaml").TRAIN.INITIAL_WEIGHTS
    assert recorded == str(trained / "best.keras")


def test_an_experiment_that_has_not_been_trained_is_named(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from models_src import train

    cfg = config.load(SMOKE, settings(folders, tmp_path / "runs", TRAIN__INITIAL_WEIGHTS=str(tmp_path / "first")))
    with pytest.raises(HarnessError, match=r"INITIAL_WEIGHTS: .*first: no such file or run; train it first"):
        train.start(cfg)
    (tmp_path / "first/20260101-000000").mkdir(parents=True)
    with pytest.raises(HarnessError, match=r"INITIAL_WEIGHTS: .*first: no run of this experiment"):
        train.start(cfg)
    (tmp_path / "first/20260101-000000/config.yaml").touch()
    with pytest.raises(HarnessError, match=r"INITIAL_WEIGHTS: .*first/20260101-000000: no best\.keras"):
        train.start(cfg)
    assert not (tmp_path / "runs").exists()


# --- how it is trained ----------------------------------------------------------------------------


@pytest.mark.system  # several trainings
def test_where_a_mean_of_the_weights_is_kept_it_is_judged_and_exported_and_an_interruption_changes_nothing(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    import keras

    from models_src import train

    class KillInSecondEpoch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            if int(self.model.optimizer.iterations) == 6:
                raise _Killed

    cfg = config.load(SMOKE, settings(folders, tmp_path / "whole", TRAIN__EMA=0.9))
    whole = train.start(cfg)
    with pytest.raises(_Killed):
        train.start(config.load(SMOKE, settings(folders, tmp_path / "cut", TRAIN__EMA=0.9)), [KillInSecondEpoch()])
    (cut,) = (tmp_path / "cut" / "smoke").iterdir()
    train.resume(cut)

    assert all(
        np.array_equal(a, b) for a, b in zip(_state(whole / "last.keras"), _state(cut / "last.keras"), strict=True)
    )
    last = keras.saving.load_model(whole / "last.keras")
    best = keras.saving.load_model(whole / "best.keras")
    assert not np.array_equal(last.get_layer("logits").kernel, best.get_layer("logits").kernel)
    rows = _rows(whole)
    assert float(rows[-1]["val_iou"]) >= 0


@pytest.mark.system  # several trainings
def test_training_stops_when_validation_does_not_get_better(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """Validated on pictures of nobody, in all of which a network that learns nothing finds somebody."""
    from models_src import train

    nobody = tmp_path / "nobody.yaml"
    nobody.write_text(f"sources:\n  - {{data: {folders[1]}, format: nobody}}\n", encoding="utf-8")
    values = settings(
        folders, tmp_path, DATA__VAL=nobody, TRAIN__EPOCHS=9, TRAIN__PATIENCE=2, TRAIN__LEARNING_RATE=1e-12
    )
    run = train.start(config.load(SMOKE, values))

    rows = [float(row["val_iou"]) for row in _rows(run)]
    assert 3 <= len(rows) < 9
    assert max(rows[-2:]) <= max(rows[:-2])
    before = (run / "last.keras").read_bytes()
    assert train.resume(run) == run and (run / "last.keras").read_bytes() == before


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_the_learning_rate_warms_up_and_follows_its_schedule(schedule: str) -> None:
    from models_src import schedules

    cfg = config.load(SMOKE, ["TRAIN.SCHEDULE", schedule, "TRAIN.EPOCHS", "5", "TRAIN.WARMUP_EPOCHS", "1"])
    rate = schedules.of(cfg, steps=10)
    rates = [float(rate(step)) for step in range(50)]

    peak = cfg.TRAIN.LEARNING_RATE
    assert rates[0] < 0.2 * peak and np.all(np.diff(rates[:10]) > 0)
    assert max(rates) == pytest.approx(peak, rel=0.02)
    middle = {"cosine": 0.5, "linear": 0.5, "constant": 1.0}[schedule]
    assert rates[30] == pytest.approx(middle * peak, rel=0.05)
    assert rates[49] == pytest.approx(peak if schedule == "constant" else 0, abs=0.05 * peak)
    again = type(rate).from_config(rate.get_config())
    assert [float(again(step)) for step in range(50)] == rates


def test_a_network_is_distilled_from_a_teacher(folders: tuple[Path, Path], exported: Path, tmp_path: Path) -> None:
    from models_src import train

    values = settings(folders, tmp_path, TEACHER=exported / "model.fp32.tflite", LOSS__DISTILL=1.0, TRAIN__EPOCHS=1)
    (row,) = _rows(train.start(config.load(SMOKE, values)))

    assert float(row["loss"]) > float(row["val_loss"]) * 0.5  # its own term, and the teacher's
    missing = settings(folders, tmp_path, TEACHER=tmp_path / "none.tflite", LOSS__DISTILL=1.0)
    with pytest.raises(HarnessError, match=r"none\.tflite"):
        train.start(config.load(SMOKE, missing))


def test_a_network_that_rounds_as_int8_will_is_trained_and_exported(folders: tuple[Path, Path], tmp_path: Path) -> None:
    import keras

    from models_src import export, train, training_layers

    values = settings(folders, tmp_path, TRAIN__QUANTISATION_AWARE=True, TRAIN__EPOCHS=1, TRAIN__BATCH_SIZE=8)
    run = train.start(config.load(SMOKE, values))

    kept, exported = keras.saving.load_model(run / "last.keras"), export.from_run(run).model
    rounded = [layer.name for layer in kept.layers if isinstance(layer, training_layers.RoundedReLU6)]
    assert rounded and {type(exported.get_layer(name)) for name in rounded} == {keras.layers.ReLU}
    images = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    probability = 1 / (1 + np.exp(-np.asarray(kept(images, training=False))))
    assert np.allclose(exported(images), probability, atol=1e-6)


@pytest.mark.system  # several trainings
def test_mixed_precision_is_exported_as_float32(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from models_src import export, train

    values = settings(folders, tmp_path, TRAIN__PRECISION="mixed_bfloat16", TRAIN__EPOCHS=1)
    run = train.start(config.load(SMOKE, values))

    trained = export.from_run(run)
    assert {layer.dtype_policy.name for layer in trained.model.layers} == {"float32"}
    assert all(np.isfinite(w).all() for w in trained.model.get_weights())


@pytest.mark.system  # half a minute
@pytest.mark.parametrize("number", ["SIGTERM", "SIGUSR1"])
def test_a_signal_ends_a_training_with_the_status_to_requeue_and_it_can_go_on(
    number: str, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """A real process, as a batch scheduler would stop it."""
    command = [sys.executable, "-m", "models_src.cli", *map(str, _asked(folders, tmp_path, TRAIN__EPOCHS=500))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("smoke/*/last.keras")) and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        process.send_signal(getattr(signal, number))
        output, errors = process.communicate(timeout=60)

    assert process.returncode == 75, errors
    assert output == ""
    assert f"stopped by {number}; go on with: segmodel train --resume" in errors
    (run,) = (tmp_path / "smoke").iterdir()
    rows = _rows(run)
    assert 1 <= len(rows) < 500
    assert not list(run.glob(".*"))


@pytest.mark.system
def test_two_devices_train_as_one_does(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """Two logical processors: TensorFlow makes them at its start, so in a process of its own."""
    script = """
import sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from models_src import config, train
print(train.start(config.load(sys.argv[1], sys.argv[2:])))
"""
    ious = {}
    for devices in (1, 2):
        values = settings(folders, tmp_path / str(devices), TRAIN__DEVICES=devices, TRAIN__EPOCHS=3)
        done = subprocess.run(
            [sys.executable, "-c", script, str(SMOKE), *values],
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        ious[devices] = float(_rows(Path(done.stdout.strip()))[-1]["val_iou"])

    assert ious[1] == pytest.approx(ious[2], abs=0.003)


def test_more_devices_than_there_are_is_an_error(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from models_src import train

    with pytest.raises(HarnessError, match=r"TRAIN\.DEVICES is 99, this machine has"):
        train.start(config.load(SMOKE, settings(folders, tmp_path, TRAIN__DEVICES=99)))
