# SPDX-License-Identifier: Apache-2.0
"""Benchmarks on a device, and fetching what they left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import resources
from harness.errors import HarnessError
from harness.ios import devices, tools
from harness.ios.devices import Device
from harness.ios.tools import ToolError

SCHEME = "RTIOS"
TARGET = "RTIOSBenchmarks"
_ATTACHED = re.compile(r"\.run(_|\.zip|$)")
"""Attachments are named after their bundle; ``xcresulttool`` puts ``_<number>_<UUID>`` before the ending."""


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        variables: what the tests find in their environment.
        xctestrun: tests that were built before; None builds them from the checkout.
        team: id of the developer team that signs; empty for that of the project.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    xctestrun: Path | None = None
    team: str = ""


def find(device: str | None = None, simulator: str | None = None) -> Device:
    """The device or simulator of that name or UDID; with neither, the only device that is ready.

    Raises:
        HarnessError: it cannot be told which is meant, or it is not ready.
    """
    if simulator is not None:
        return devices.choose(devices.simulated(tools.list_simulators()), simulator)
    return devices.choose(devices.physical(tools.list_devices()), device)


def run(device: Device, plan: Plan, out: Path, tell: Callable[[str], None]) -> tuple[Path, str]:
    """Run the benchmark's tests on a device.

    Args:
        out: the result bundle, and what ``xcodebuild`` printed, are left here.
        tell: told what is being done.

    Returns:
        The result bundle, and what went wrong; empty where every test passed.
    """
    out.mkdir(parents=True, exist_ok=True)
    name = f"{datetime.now():%Y%m%d-%H%M%S}-{re.sub('[^A-Za-z0-9]+', '-', device.name).strip('-') or device.udid}"
    result, log = out / f"{name}.xcresult", out / f"{name}.log"
    xctestrun = plan.xctestrun
    if xctestrun is None:
        tell("building")
        settings = [f"DEVELOPMENT_TEAM={plan.team}"] if plan.team else []
        xctestrun = tools.build(_project(), SCHEME, device.destination, out / "build", settings, log)
    tell("running the tests")
    status = tools.test(xctestrun, TARGET, device.destination, result, plan.variables, log)
    if not result.exists():
        raise ToolError(f"the tests did not run on {device.name}: {tools.log_end(log)}")
    return result, f"not every test passed: {tools.log_end(log)}" if status else ""


@contextmanager
def attached(result: Path) -> Iterator[list[Path]]:
    """The bundles that tests attached to a result bundle, for the time of the context."""
    if not result.is_dir():
        raise HarnessError(f"{result}: no such result bundle (….xcresult)")
    with TemporaryDirectory() as folder:
        yield [path for name, path in tools.attachments(result, Path(folder)) if _ATTACHED.search(name)]


@contextmanager
def left_on(device: Device, application: str = tools.APPLICATION) -> Iterator[list[Path]]:
    """The bundles that the application of this bundle identifier has left on a device or simulator, for the time of the
    context."""
    with TemporaryDirectory() as folder:
        place = Path(folder) / "runs"
        if device.simulator:
            place = tools.container(device.udid, application) / tools.RUNS
        else:
            tools.copy_runs(device.udid, application, place)
        yield sorted(path for path in place.rglob("*.run") if path.is_dir())


def _project() -> Path:
    checkout = resources.checkout()
    found = sorted((checkout / "ios").glob("**/RTIOS.xcodeproj")) if checkout else []
    if not found:
        raise HarnessError(
            "there is no RTIOS.xcodeproj below ios/: run it in a checkout of the project, or name tests that were "
            "built before with --xctestrun FILE"
        )
    return found[0]
