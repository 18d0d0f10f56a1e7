# SPDX-License-Identifier: Apache-2.0
"""Facts about this machine and this installation: what goes into ``run.json`` beside the run itself."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import harness
from harness import resources


@functools.cache
def describe() -> dict[str, Any]:
    """The ``device`` part of ``run.json``."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "kind": "desktop",
        "model": _first_line("/sys/class/dmi/id/product_name"),
        "cpu": _cpu_name(),
        "arch": platform.machine(),
        "cores": cores,
        "os": _os_name(),
        "emulated": False,
    }


@functools.cache
def tool() -> dict[str, Any]:
    """The ``tool`` part of ``run.json``: version, and the commit where it runs from a checkout."""
    facts: dict[str, Any] = {
        "name": "mobile-unet-harness",
        "version": harness.__version__,
        "commit": None,
        "dirty": None,
    }
    root = resources.checkout()
    if root is not None:
        commit = _git(root, "rev-parse", "HEAD")
        # Reports are results, not sources.
        status = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!reports")
        facts.update(commit=commit or None, dirty=bool(status) if status is not None else None)
    return facts


def conditions() -> dict[str, Any]:
    """What may disturb a measurement right now; what the platform does not tell is absent."""
    import psutil

    facts: dict[str, Any] = {}
    if load := _told(os, "getloadavg"):
        facts["load"] = [round(x, 2) for x in load]
    if frequency := _told(psutil, "cpu_freq"):
        facts["frequency_mhz"] = round(frequency.current)
    if governor := _first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"):
        facts["governor"] = governor
    temperatures = _told(psutil, "sensors_temperatures") or {}
    hottest = [sensor.current for sensors in temperatures.values() for sensor in sensors if sensor.current]
    if hottest:
        facts["temperature_c"] = max(hottest)
    if battery := _told(psutil, "sensors_battery"):
        facts["power"] = {"plugged": battery.power_plugged, "battery_percent": round(battery.percent)}
    return facts


class OtherProcesses:
    """How much of the processors others use while a measurement runs.

    Args:
        own: ids of the processes whose work is the measurement's, their children included; this one counts with them.
    """

    def __init__(self, own: Iterable[int]) -> None:
        self._own = [os.getpid(), *own]
        self._began = time.monotonic()
        self._all, self._ours = _busy_seconds(), self._own_seconds()

    def share(self) -> float | None:
        """Processors that others kept busy on average since the beginning, 0 to the number of processors; None where
        the platform does not tell."""
        every, ours = _busy_seconds(), self._own_seconds()
        if every is None or self._all is None:
            return None
        elapsed = max(time.monotonic() - self._began, 1e-3)
        return round(max(0.0, (every - self._all) - (ours - self._ours)) / elapsed, 3)

    def _own_seconds(self) -> float:
        import psutil

        total = 0.0
        for pid in self._own:
            try:
                process = psutil.Process(pid)
                children = process.children(recursive=True) if pid != os.getpid() else []
                times = [one.cpu_times() for one in (process, *children)]
            except psutil.Error:
                continue  # it has ended; what it used is counted to others, which is on the safe side
            total += sum(used.user + used.system for used in times)
        return total


def _busy_seconds() -> float | None:
    """Time that all processors together have worked; stolen by other virtual machines counts as work."""
    import psutil

    times = _told(psutil, "cpu_times")
    if times is None:
        return None
    names = ("user", "nice", "system", "irq", "softirq", "steal")
    return float(sum(getattr(times, name, 0.0) for name in names))


def _told(module: Any, name: str) -> Any:
    """What a platform's sensor says; None where there is no such sensor, or no such file (a container's /sys)."""
    try:
        return getattr(module, name)()
    except (AttributeError, NotImplementedError, OSError, RuntimeError):
        return None


def timer() -> dict[str, Any]:
    """The clock that stamps the stages."""
    info = time.get_clock_info("perf_counter")
    return {"name": info.implementation, "resolution_ns": max(1, round(info.resolution * 1e9))}


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _os_name() -> str:
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']} (kernel {platform.release()})"
    except (OSError, KeyError, AttributeError):
        return platform.platform()


def _first_line(path: str) -> str | None:
    try:
        return Path(path).read_text().strip() or None
    except OSError:
        return None


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], check=False, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
