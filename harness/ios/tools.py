# SPDX-License-Identifier: Apache-2.0
"""Every command of Xcode's that the harness calls, one function each. No other module starts one.

Only what is documented for programs is read: the JSON that ``devicectl`` writes into a file (its help: standard output
"is not guaranteed to be stable"), that of ``simctl list --json``, and the ``manifest.json`` of exported attachments
(`man xcresulttool`). Nothing is scraped from logs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import InvalidError

APPLICATION = "org.mobileunetharness.RTIOS"
"""The application's bundle identifier, where nobody has chosen another for signing."""
RUNS = "Documents/runs"
"""Where the application leaves its bundles, in its container."""
_LIST_SECONDS = 30
_COPY_SECONDS = 1800


class ToolError(InvalidError):
    """A command of Xcode's that is missing, failed, or answered something else than documented."""


def list_devices() -> list[dict[str, Any]]:
    """The devices that this Mac knows, as ``devicectl`` describes them."""
    return list(_part(_devicectl(_LIST_SECONDS, "list", "devices"), "devices", "devicectl list devices"))


def copy_runs(device: str, application: str, folder: Path) -> None:
    """Copy an application's bundles from a device into a new folder, below it at any depth."""
    _devicectl(
        _COPY_SECONDS, "device", "copy", "from", "--device", device, "--domain-type", "appDataContainer",
        "--domain-identifier", application, "--source", RUNS, "--destination", str(folder),
    )  # fmt: skip


def list_simulators() -> dict[str, list[dict[str, Any]]]:
    """The simulators by their runtime, as ``simctl`` describes them."""
    what = "simctl list devices"
    return dict(_part(_parse(_output("simctl", "list", "devices", "--json"), what), "devices", what))


def container(simulator: str, application: str) -> Path:
    """The folder of an application's data on this Mac."""
    return Path(_output("simctl", "get_app_container", simulator, application, "data").strip())


def build(project: Path, scheme: str, destination: str, products: Path, settings: Sequence[str], log: Path) -> Path:
    """Build the application and its tests for release; the ``.xctestrun`` file that tells how to run them.

    Args:
        settings: build settings, ``NAME=value``.
        log: where the command's output goes.
    """
    done = _xcodebuild(
        log, {}, "build-for-testing", "-project", str(project), "-scheme", scheme, "-configuration", "Release",
        "-destination", destination, "-derivedDataPath", str(products), "-allowProvisioningUpdates", *settings,
    )  # fmt: skip
    if done:
        raise ToolError(f"the application could not be built (xcodebuild ended with {done}): {log_end(log)}")
    found = sorted((products / "Build" / "Products").glob("*.xctestrun"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise ToolError(f"xcodebuild left no .xctestrun file in {products}/Build/Products; its output is in {log}")
    return found[-1]


def test(xctestrun: Path, target: str, destination: str, result: Path, variables: Mapping[str, str], log: Path) -> int:
    """Run a test target that was built before; xcodebuild's exit status, 0 where every test passed.

    Args:
        variables: what the tests find in their environment; xcodebuild hands on what begins with ``TEST_RUNNER_``,
            without it.
        result: the result bundle to make.
    """
    environment = {f"TEST_RUNNER_{name}": value for name, value in variables.items()}
    return _xcodebuild(
        log, environment, "test-without-building", "-xctestrun", str(xctestrun), "-destination", destination,
        f"-only-testing:{target}", "-resultBundlePath", str(result),
    )  # fmt: skip


def attachments(result: Path, folder: Path) -> list[tuple[str, Path]]:
    """Take what tests attached out of a result bundle: the name each attachment was given, and its file."""
    _output("xcresulttool", "export", "attachments", "--path", str(result), "--output-path", str(folder))
    try:
        tests = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        named = [
            (str(one["suggestedHumanReadableName"]), folder / Path(one["exportedFileName"]).name)
            for test in tests
            for one in test["attachments"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ToolError(f"{result}: xcresulttool left no manifest.json of the documented form: {error!r}") from None
    return named


def log_end(log: Path) -> str:
    """The last lines of a command's output, for a person to read."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " | ".join(line.strip() for line in lines[-5:]) + f" (all of it: {log})"


def _devicectl(seconds: int, *arguments: str) -> dict[str, Any]:
    """The ``result`` of a command of ``devicectl``."""
    what = f"devicectl {' '.join(arguments[:3])}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "output.json"
        done = _run("devicectl", *arguments, "--timeout", str(seconds), "--quiet", "--json-output", str(file))
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
    if done.returncode != 0:
        raise ToolError(_why(what, text, done.stderr))
    return dict(_part(_parse(text, what), "result", what))


def _why(what: str, text: str, printed: str) -> str:
    """What a failed command said, with the remedy where there is a known one."""
    try:
        error = json.loads(text)["error"]
        said = f"{error['userInfo']['NSLocalizedDescription']['string']} ({error['domain']} {error['code']})"
    except (ValueError, KeyError, TypeError):
        text, said = printed, printed.strip() or "it did not say why"
    if "locked" in text.lower():
        said += "; unlock the device, keep it unlocked, and try again"
    return f"{what} failed: {said}"


def _xcodebuild(log: Path, variables: Mapping[str, str], *arguments: str) -> int:
    program = _find("xcodebuild")
    with log.open("ab") as file:
        command = [program, *arguments]
        ended = subprocess.run(command, env={**os.environ, **variables}, stdout=file, stderr=file, check=False)
    return ended.returncode


def _output(*arguments: str) -> str:
    done = _run(*arguments)
    if done.returncode != 0:
        said = done.stderr.strip() or f"status {done.returncode}"
        raise ToolError(f"xcrun {' '.join(arguments[:3])} failed: {said}")
    return done.stdout


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [_find("xcrun"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def _find(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise ToolError(
            f"{program} is missing: harness ios needs a Mac with Xcode 16 or newer (xcode-select -p names the one in "
            "use). Elsewhere, send bundles from the application's share sheet and use: harness import FILE.run.zip"
        )
    return path


def _parse(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ToolError(f"{what} wrote no JSON") from None


def _part(told: Any, name: str, what: str) -> Any:
    if not isinstance(told, dict) or not isinstance(told.get(name), (dict, list)):
        raise ToolError(
            f"{what}: its JSON has no {name!r}, as documented; this Xcode is another than the harness knows"
        )
    return told[name]
