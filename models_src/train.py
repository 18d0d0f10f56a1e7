# SPDX-License-Identifier: Apache-2.0
"""Training: from a configuration to a run folder, resumable after every epoch.

A run folder ``<OUTPUT>/<EXPERIMENT>/<YYYYmmdd-HHMMSS>/`` holds ``config.yaml`` (resolved), ``contract.toml``,
``train.log``, ``metrics.csv``, ``tensorboard/``, ``best.keras`` (by validation IoU) and ``last.keras`` (with the
optimizer's state). The number of finished epochs is read from the optimizer's step counter in ``last.keras``, so that
weights and epoch cannot disagree.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from harness import files
from harness.errors import HarnessError
from models_src import augment, config, notify, pipeline, runs, teachers
from models_src.checkpoint import Board, Checkpoint, Progress, Stop
from models_src.compiling import compiled
from models_src.datasets import manifest
from models_src.interruption import Interruption

if TYPE_CHECKING:
    from yacs.config import CfgNode

_log = logging.getLogger("models_src")
_SHOWN = 8  # validation pictures of which TensorBoard shows the masks

Report = Callable[[str, str, float, float], None]


def start(
    cfg: CfgNode,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    report: Report | None = None,
    run: Path | None = None,
    interruption: Interruption | None = None,
) -> Path:
    """Train from the beginning in a new run folder, which is returned.

    Args:
        cfg: the configuration.
        callbacks: of Keras, besides its own.
        report: told of every batch.
        run: the folder; named after the time if None.
        interruption: asked after every batch whether to stop.

    Raises:
        HarnessError: the data, weights to begin with or settings cannot be used; no folder is left behind then.
        Interrupted: a signal came, of which ``interruption`` knows.
    """
    with notify.announced(cfg.EXPERIMENT) as announcer:
        session = _Session(_resolved(cfg), report, interruption)
        model = session.new_model()
        if run is None:
            run = runs.new_folder(Path(cfg.OUTPUT) / cfg.EXPERIMENT)
        else:
            runs.make(run)
        files.write_file(run / "contract.toml", session.contract.to_toml().encode())
        files.write_file(run / "config.yaml", session.cfg.dump().encode())  # from now on it is a run
        session.fit(model, run, callbacks, announcer)
    return run


def resume(
    run: str | Path,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    report: Report | None = None,
    interruption: Interruption | None = None,
) -> Path:
    """Continue an interrupted run from its last finished epoch, to the result it would have had.

    Args:
        run: the run's folder.
        callbacks, report, interruption: as of :func:`start`.

    Raises:
        HarnessError: the folder is no run, or its data cannot be used any more, or give another number of steps.
        Interrupted: a signal came, of which ``interruption`` knows.
    """
    run = Path(run)
    with notify.announced(run.name) as announcer:
        session = _Session(runs.settings(run), report, interruption)
        session.fit(session.model_of(run), run, callbacks, announcer)
    return run


def check(cfg: CfgNode, run: Path | None = None) -> Path:
    """Refuse what :func:`start` would, but for the number of devices: the machine that trains may have others.

    Args:
        cfg, run: as of :func:`start`.

    Returns:
        The run's folder; where it is named after the time, the one in which it will be.

    Raises:
        HarnessError: as of :func:`start`.
    """
    _Session(_on_one_device(_resolved(cfg))).new_model()
    if run is not None:
        runs.check_new(run)
        return run.resolve()
    experiment = Path(cfg.OUTPUT).resolve() / cfg.EXPERIMENT
    runs.check_writable(experiment)
    return experiment


def check_resume(run: str | Path) -> Path:
    """Refuse what :func:`resume` would, likewise; returns the run's folder."""
    run = Path(run)
    session = _Session(_on_one_device(runs.settings(run)))
    session.finished(session.model_of(run), run)
    return run.resolve()


def _resolved(cfg: CfgNode) -> CfgNode:
    """The configuration with the checkpoint that ``TRAIN.INITIAL_WEIGHTS`` means now: later there may be another.

    Raises:
        HarnessError: there is none, or a setting would change nothing for lack of another.
    """
    if cfg.AUGMENT.REPLACE_BACKGROUND and not cfg.AUGMENT.BACKGROUNDS:
        raise HarnessError("AUGMENT.REPLACE_BACKGROUND needs AUGMENT.BACKGROUNDS, folders of pictures; or set it to 0")
    if cfg.TEACHER and not cfg.LOSS.DISTILL:
        raise HarnessError("TEACHER needs LOSS.DISTILL above 0, or nothing is learnt from it; or set it to ''")
    if not cfg.TRAIN.INITIAL_WEIGHTS:
        return cfg
    cfg = cfg.clone()
    cfg.defrost()
    try:
        cfg.TRAIN.INITIAL_WEIGHTS = str(runs.checkpoint(Path(cfg.TRAIN.INITIAL_WEIGHTS)))
    except HarnessError as error:
        raise HarnessError(f"TRAIN.INITIAL_WEIGHTS: {error}") from None
    cfg.freeze()
    return cfg


def _on_one_device(cfg: CfgNode) -> CfgNode:
    cfg = cfg.clone()
    cfg.defrost()
    cfg.TRAIN.DEVICES = 1
    cfg.freeze()
    return cfg


class _Session:
    """What starting and resuming have in common: checked data, the network, and the call of ``fit``."""

    def __init__(self, cfg: CfgNode, report: Report | None = None, interruption: Interruption | None = None) -> None:
        self.cfg, self.report = cfg, report
        self.interruption = interruption or Interruption()
        self.contract = config.contract(cfg, "logit")
        if missing := [key for key in ("TRAIN", "VAL") if not cfg.DATA[key]]:
            raise HarnessError(
                f"DATA.{missing[0]} is empty; --set DATA.{missing[0]} PATH: a folder with images/ and masks/, …"
            )
        self.train, self.val = manifest.load(cfg.DATA.TRAIN), manifest.load(cfg.DATA.VAL).samples
        self.interruption.stop_if_told()  # reading all pictures may take a while
        self.steps = pipeline.steps_per_epoch(self.train.drawn, cfg.TRAIN.BATCH_SIZE)
        self.make_augment = partial(augment.from_config, cfg)
        self.make_teacher = partial(teachers.load, cfg.TEACHER, mirrored=False) if cfg.TEACHER else None
        # What is wrong with a transform or the teacher is reported here, not by a thread of the pipeline.
        self.make_augment()
        if self.make_teacher:
            self.make_teacher()
        self._strategy = _strategy(cfg.TRAIN.DEVICES, cfg.TRAIN.BATCH_SIZE)

    def new_model(self) -> keras.Model:
        """The network to begin with."""
        keras.utils.set_random_seed(self.cfg.SEED)
        with self._strategy.scope() if self._strategy else nullcontext():
            return compiled(self.cfg, self.steps)

    def model_of(self, run: Path) -> keras.Model:
        """The network that a run goes on with."""
        last = run / "last.keras"
        if not last.is_file():
            if (run / "best.keras").is_file() and not runs.epochs(run):  # beginning anew would replace it
                raise HarnessError(
                    f"{run}: an average, not a training; begin a new run with TRAIN.INITIAL_WEIGHTS {run}"
                )
            return self.new_model()
        keras.utils.set_random_seed(self.cfg.SEED)
        try:
            with self._strategy.scope() if self._strategy else nullcontext():
                return keras.saving.load_model(last)
        except (OSError, ValueError, KeyError) as error:
            raise HarnessError(f"{last}: cannot be loaded; train anew: {error}") from None

    def finished(self, model: keras.Model, run: Path) -> list[dict[str, Any]]:
        """See :func:`models_src.runs.finished`."""
        # On several devices the counter is a variable that int() does not take.
        return runs.finished(run, int(model.optimizer.iterations.value.numpy()), self.steps)

    def fit(
        self, model: keras.Model, run: Path, callbacks: Sequence[keras.callbacks.Callback], announcer: notify.Announcer
    ) -> None:
        cfg, batch = self.cfg, self.cfg.TRAIN.BATCH_SIZE
        self.interruption.run = run
        self.interruption.stop_if_told()
        rows = self.finished(model, run)
        runs.write_epochs(run, rows)
        checkpoint, done = Checkpoint(run, rows, self.steps, cfg.TRAIN.PATIENCE), len(rows)
        epochs = range(done, done if checkpoint.spent else cfg.TRAIN.EPOCHS)
        shown = [self.val[k] for k in np.linspace(0, len(self.val) - 1, min(_SHOWN, len(self.val))).astype(int)]
        announcer.begin(run, cfg)
        with _log_file(run):
            _log.info("%s: epoch %d of %d, %d training pictures an epoch, %d validation pictures, %d parameters", run,
                      done, cfg.TRAIN.EPOCHS, self.train.drawn, len(self.val), model.count_params())  # fmt: skip
            if epochs:
                model.fit(
                    pipeline.training_set(
                        self.train, self.contract, self.make_augment, batch, cfg.SEED, epochs, self.make_teacher
                    ),
                    steps_per_epoch=self.steps,
                    validation_data=pipeline.validation_set(self.val, self.contract, batch, self._strategy is not None),
                    initial_epoch=done,
                    epochs=cfg.TRAIN.EPOCHS,
                    callbacks=[
                        *([keras.callbacks.SwapEMAWeights()] if cfg.TRAIN.EMA else []),
                        keras.callbacks.TensorBoard(run / "tensorboard", write_graph=False),
                        keras.callbacks.TerminateOnNaN(),
                        checkpoint,
                        *([Progress(self.report, cfg.TRAIN.EPOCHS, self.steps)] if self.report else []),
                        Board(run / "tensorboard", self.contract, shown),
                        *announcer.callbacks(self.contract, shown),
                        Stop(self.interruption),
                        *callbacks,
                    ],
                    shuffle=False,  # the pipeline does it
                    verbose=0,
                )
            _log.info("%s: done", run)


def _strategy(devices: int, batch: int) -> Any:
    """What spreads a batch over so many devices of this machine, 0 for all; None for one.

    Raises:
        HarnessError: there are fewer, or the batch cannot be parted.
    """
    if devices == 1:
        return None
    import tensorflow as tf

    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if devices > len(found):
        raise HarnessError(f"TRAIN.DEVICES is {devices}, this machine has {len(found)}: {[d.name for d in found]}")
    chosen = [device.name for device in found[: devices or None]]
    if batch % len(chosen):
        raise HarnessError(f"TRAIN.BATCH_SIZE is {batch}: it must be a multiple of the {len(chosen)} devices")
    return tf.distribute.MirroredStrategy(chosen) if len(chosen) > 1 else None


@contextmanager
def _log_file(run: Path) -> Iterator[None]:
    handler = logging.FileHandler(run / "train.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    _log.setLevel(logging.INFO)
    _log.addHandler(handler)
    try:
        yield
    finally:
        _log.removeHandler(handler)
        handler.close()
