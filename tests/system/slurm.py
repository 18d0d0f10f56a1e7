# SPDX-License-Identifier: Apache-2.0
"""A real SLURM cluster of two nodes on this machine: munged, slurmctld and two slurmd, in a folder of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")

_CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# Requeued jobs wait until their old credentials have expired, two minutes otherwise.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/d.%n.pid
SlurmdSpoolDir={folder}/spool.%n
SlurmctldLogFile={folder}/ctld.log
SlurmdLogFile={folder}/d.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobacctGatherType=jobacct_gather/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SlurmctldPort={ports[0]}
ReturnToService=2
KillWait=5
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports[1]}-{ports[2]}] CPUs=1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Cluster:
    """The commands of a running cluster."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def run(self, *command: str | Path) -> str:
        """Standard output of a command that must succeed."""
        done = subprocess.run(
            [str(part) for part in command],
            check=False,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=60,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def states(self, job: str) -> dict[str, str]:
        """State of a job, or of each of its tasks, by its number; those that are forgotten are left out."""
        text = subprocess.run(
            ["scontrol", "--oneliner", "show", "job", job],
            capture_output=True,
            text=True,
            env=self.environment,
            check=False,
        ).stdout
        found = {}
        for line in text.splitlines():
            facts = dict(part.split("=", 1) for part in line.split() if "=" in part)
            if "JobState" in facts:
                found[facts["JobId"]] = facts["JobState"]
        return found

    def wait(self, job: str, *states: str, timeout: float = 120) -> dict[str, str]:
        """Wait until a job and all its tasks are in one of these states."""
        deadline = time.monotonic() + timeout
        while True:
            found = self.states(job)
            if found and all(state in states for state in found.values()):
                return found
            assert time.monotonic() < deadline, f"job {job}: {found}, not {states}"
            time.sleep(0.2)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start a cluster, and end all its processes afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    host = socket.gethostname().split(".")[0]
    (folder / "state").mkdir()
    (folder / "slurm.conf").write_text(_CONFIGURATION.format(host=host, folder=folder, ports=_free_ports()))
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    processes = []

    def begin(*command: str) -> None:
        log = (folder / f"{command[0]}.{len(processes)}.out").open("w")
        processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))

    try:
        begin(
            "munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={key}",
            f"--log-file={folder}/munged.log", f"--pid-file={folder}/munged.pid", f"--seed-file={folder}/munged.seed",
        )  # fmt: skip
        until((folder / "munge.socket").exists, "munged")
        begin("slurmctld", "-D")
        for node in ("n1", "n2"):
            begin("slurmd", "-D", "-N", node)
        found = Cluster(environment)
        until(lambda: _idle(environment) == 2, "two idle nodes")
        yield found
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def missing() -> list[str]:
    """Which of the programs are not installed."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return [name for name in NEEDED if shutil.which(name, path=path) is None]


def _idle(environment: dict[str, str]) -> int:
    done = subprocess.run(
        ["sinfo", "-h", "-N", "-o", "%T"], capture_output=True, text=True, env=environment, check=False
    )
    return done.stdout.split().count("idle")


def until(true: object, what: str, timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.1)


def _free_ports() -> list[int]:
    """Three, of which the last two follow each other."""
    while True:
        with socket.socket() as first, socket.socket() as second, socket.socket() as third:
            first.bind(("127.0.0.1", 0))
            second.bind(("127.0.0.1", 0))
            try:
                third.bind(("127.0.0.1", second.getsockname()[1] + 1))
            except OSError:
                continue
            return [first.getsockname()[1], second.getsockname()[1], second.getsockname()[1] + 1]
