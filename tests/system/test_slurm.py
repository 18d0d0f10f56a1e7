# SPDX-License-Identifier: Apache-2.0
"""``slurm/`` on a real cluster of two nodes: what is killed, requeued and resumed ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from models_src import runs
from tests.models_src.conftest import SMOKE, write_pairs
from tests.system import slurm
from tests.system.slurm import Cluster

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(bool(slurm.missing()), reason=f"not installed: {', '.join(slurm.missing())} (slurm-wlm, munge)"),
    pytest.mark.skipif(os.geteuid() != 0, reason="the cluster's daemons run as root"),
]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    folder = tmp_path_factory.mktemp("cluster")
    with slurm.cluster(folder) as found:
        found.environment["SEGMODEL_LOGS"] = str(folder / "logs")
        yield found


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    root = tmp_path_factory.mktemp("data")
    write_pairs(root / "train", 17, seed=1)
    write_pairs(root / "val", 5, seed=2)
    return {"DATA.TRAIN": str(root / "train"), "DATA.VAL": str(root / "val"), "OUTPUT": str(root / "runs")}


def weights(run: Path) -> list[np.ndarray]:
    import keras

    import models_src.losses
    import models_src.training_layers  # noqa: F401 - both register classes by their names

    model = keras.saving.load_model(run / "last.keras")
    return [np.asarray(v) for v in (*model.variables, *model.optimizer.variables)]


def log(cluster: Cluster, job: str) -> str:
    return (Path(cluster.environment["SEGMODEL_LOGS"]) / f"segmodel-{job}.log").read_text()


def test_a_training_that_is_stopped_is_requeued_and_ends_as_if_it_had_not_been(
    cluster: Cluster, settings: dict[str, object], tmp_path: Path
) -> None:
    """And as one that was queued from another folder: paths in settings are relative to the repository, where the job
    runs; only the file of the experiment is the caller's."""
    given = {key: os.path.relpath(str(path), ROOT) for key, path in settings.items()} | {"TRAIN.EPOCHS": "6"}
    pairs = [text for pair in given.items() for text in ("--set", *pair)]
    (tmp_path / "mine.yaml").write_text(SMOKE.read_text())
    enqueue = ("bash", "-c", 'cd "$0" && exec "$@"')
    jobs = [
        cluster.run(*enqueue, folder, ROOT / "slurm/enqueue.sh", "train", file, *pairs, "--", "--time=10")
        for folder, file in ((ROOT, SMOKE), (tmp_path, "mine.yaml"))
    ]
    run = Path(str(settings["OUTPUT"])) / "smoke" / f"slurm-{jobs[0]}"
    slurm.until(lambda: len(runs.epochs(run)) >= 1, "first epoch", timeout=120)

    cluster.run("scancel", "--batch", "--signal=USR1", jobs[0])

    for job in jobs:
        cluster.wait(job, "COMPLETED", timeout=240)
    text = log(cluster, jobs[0])
    assert "stopped by SIGUSR1" in text and "exit status 75" in text
    assert "start 1" in text and text.rstrip().endswith("exit status 0")
    assert "start 1" not in log(cluster, jobs[1])
    whole = run.with_name(f"slurm-{jobs[1]}")
    assert all(np.array_equal(a, b) for a, b in zip(weights(run), weights(whole), strict=True))
    assert len(runs.epochs(run)) == 6


def test_a_sweep_is_a_job_array_whose_results_are_a_table(
    cluster: Cluster, settings: dict[str, object], tmp_path: Path
) -> None:
    file = tmp_path / "rates.yaml"
    grid = {"TRAIN.LEARNING_RATE": [1e-5, 1e-3], "MODEL.OUTPUT": ["half", "subpixel"]}
    file.write_text(yaml.safe_dump({"base": str(SMOKE), "set": {**settings, "TRAIN.EPOCHS": 2}, "grid": grid}))

    job = cluster.run(ROOT / "slurm/enqueue.sh", "sweep", file, "--", "--time=10")
    states = cluster.wait(job, "COMPLETED", timeout=300)

    assert len(states) == 4
    report = subprocess.run(
        [ROOT / ".venv/bin/segmodel", "sweep", "report", file, "--json"], check=True, capture_output=True, text=True
    )
    rows = json.loads(report.stdout)
    assert sorted(row["number"] for row in rows) == [0, 1, 2, 3]
    assert [row["val_iou"] for row in rows] == sorted((row["val_iou"] for row in rows), reverse=True)
    assert all(row["epochs"] == "2/2" for row in rows)


def test_what_is_wrong_is_told_before_anything_is_queued(
    cluster: Cluster, settings: dict[str, object], tmp_path: Path
) -> None:
    write_pairs(tmp_path / "val", 5, seed=2)  # relative to the caller, whose folder the job knows nothing of
    pairs = [str(text) for pair in settings.items() for text in ("--set", *pair)]
    for asked, told in ((["TRAIN.EPOCH", "3"], "TRAIN.EPOCH"), (["DATA.VAL", "val"], "val: no such file or folder")):
        done = subprocess.run(
            [ROOT / "slurm/enqueue.sh", "train", SMOKE, *pairs, "--set", *asked],
            check=False, capture_output=True, text=True, env=cluster.environment, cwd=tmp_path,
        )  # fmt: skip

        assert done.returncode == 2
        assert told in done.stderr and done.stdout == ""
