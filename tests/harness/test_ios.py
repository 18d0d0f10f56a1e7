# SPDX-License-Identifier: Apache-2.0
"""Benchmarks on an iPhone, with a stand-in for Xcode's commands that is written from their documentation.

No Apple device was at hand: see ``apple/xcrun`` for what each answer was taken from.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import resources
from harness.errors import ExitCode, HarnessError
from harness.ios import benchmark, devices, tools
from harness.ios.benchmark import Plan
from harness.ios.tools import ToolError
from tests.harness import commands
from tests.harness.bundles import write
from tests.harness.test_importing import sent

APPLE = Path(__file__).parent / "apple"
UDID, OTHER = "00008130-000A1B2C3D4E001C", "00008110-000F1E2D3C4B001C"
SIMULATOR = "5C2B9A4E-0000-4000-8000-00000000A001"
OUTPUTS = {"a": np.full((4, 3), 0.5, np.float32)}


def device(name: str, udid: str, model: str = "iPhone15,2", **changes: Any) -> dict[str, Any]:
    """A device as ``devicectl list devices`` describes it, shortened to what is read and a few beside it."""
    return {
        "identifier": "A0B1C2D3-0000-4000-8000-000000000001",
        "connectionProperties": {
            "pairingState": "paired", "transportType": "wired", "tunnelState": "disconnected",
            **changes.get("connection", {}),
        },
        "deviceProperties": {"name": name, "osVersionNumber": "17.5", "developerModeStatus": "enabled"}
        | changes.get("properties", {}),
        "hardwareProperties": {
            "platform": "iOS", "deviceType": "iPhone", "productType": model, "reality": "physical", "udid": udid,
            **changes.get("hardware", {}),
        },
        "visibilityClass": "default",
    }  # fmt: skip


class Mac:
    """What the stand-in finds connected, and what it was asked."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.connect(device("My iPhone", UDID))
        self.simulate({"com.apple.CoreSimulator.SimRuntime.iOS-17-5": [self.simulator()]})
        (place / "xcodebuild.json").write_text(json.dumps({"build": 0, "test": 0}))
        (place / "calls.jsonl").touch()

    def connect(self, *told: dict[str, Any]) -> None:
        (self.place / "devices.json").write_text(json.dumps(told))

    def simulate(self, told: dict[str, Any]) -> None:
        (self.place / "simulators.json").write_text(json.dumps({"devices": told}))

    def simulator(self, name: str = "iPhone 15", udid: str = SIMULATOR, state: str = "Booted") -> dict[str, Any]:
        return {"name": name, "udid": udid, "state": state, "isAvailable": True}

    def runs_of(self, udid: str, application: str = tools.APPLICATION) -> Path:
        """Where the application on this device keeps its bundles."""
        folder = self.place / "containers" / udid / application / tools.RUNS
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def attach(self, bundle: Path) -> None:
        """Let the tests attach this bundle."""
        packed = sent(bundle)
        (self.place / "attached").mkdir(exist_ok=True)
        packed.rename(self.place / "attached" / packed.name)

    def calls(self) -> list[tuple[str, list[str], dict[str, str]]]:
        return [tuple(json.loads(line)) for line in (self.place / "calls.jsonl").read_text().splitlines()]


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mac:
    place = tmp_path / "mac"
    place.mkdir()
    monkeypatch.setenv("STAND_IN", str(place))
    monkeypatch.setenv("PATH", f"{APPLE}{os.pathsep}{os.environ['PATH']}")
    return Mac(place)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write(tmp_path / "made" / "phone-image.run", OUTPUTS, run_id="phone-image", label="swift")


# --- which device is meant -----------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["My iPhone", "my iphone", UDID, UDID.lower(), None])
def test_a_device_is_found_by_name_or_udid_or_because_it_is_the_only_one(mac: Mac, wanted: str | None) -> None:
    found = benchmark.find(wanted)

    assert (found.name, found.udid, found.model) == ("My iPhone", UDID, "iPhone15,2")
    assert found.destination == f"platform=iOS,id={UDID}"


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"connection": {"pairingState": "unpaired"}}, "not paired: connect it by cable"),
        ({"connection": {"tunnelState": "unavailable"}}, "out of reach: connect it by cable"),
        ({"properties": {"developerModeStatus": "disabled"}}, "developer mode is off"),
    ],
)
def test_a_device_that_is_not_ready_is_an_error_with_the_remedy(mac: Mac, changes: dict, remedy: str) -> None:
    mac.connect(device("My iPhone", UDID, **changes))

    with pytest.raises(HarnessError, match=f"My iPhone cannot be used: .*{remedy}"):
        benchmark.find("My iPhone")


def test_an_unknown_name_lists_the_known_ones(mac: Mac) -> None:
    mac.connect(device("My iPhone", UDID), device("Lab iPad", OTHER, "iPad13,1"))

    with pytest.raises(HarnessError, match=rf"no device 'Bob'; known: .*{UDID}.*Lab iPad \(iPad13,1, {OTHER}\)"):
        benchmark.find("Bob")


def test_two_devices_of_one_name_are_told_apart_by_their_udid(mac: Mac) -> None:
    mac.connect(device("iPhone", UDID), device("iPhone", OTHER))

    with pytest.raises(HarnessError, match=rf"Name one by its UDID: .*{UDID}.*{OTHER}"):
        benchmark.find("iPhone")
    assert benchmark.find(OTHER).udid == OTHER


def test_without_a_name_the_only_one_that_is_ready_is_taken(mac: Mac) -> None:
    away = {"connection": {"tunnelState": "unavailable"}}
    mac.connect(device("Away", OTHER, **away), device("Here", UDID))

    assert benchmark.find().name == "Here"


def test_watches_macs_and_simulated_devices_are_no_phones(mac: Mac) -> None:
    mac.connect(
        device("Watch", "1", hardware={"platform": "watchOS"}), device("Sim", "2", hardware={"reality": "simulated"})
    )

    with pytest.raises(HarnessError, match="no device; connect one by cable"):
        benchmark.find()


def test_a_simulator_must_be_running_and_be_meant(mac: Mac) -> None:
    twin = "5C2B9A4E-0000-4000-8000-00000000A002"
    mac.simulate(
        {
            "com.apple.CoreSimulator.SimRuntime.iOS-17-5": [mac.simulator(), mac.simulator("Old", "X", "Shutdown")],
            "com.apple.CoreSimulator.SimRuntime.iOS-18-2": [mac.simulator(udid=twin)],
            "com.apple.CoreSimulator.SimRuntime.watchOS-11-2": [mac.simulator("Watch", "W")],
        }
    )

    assert benchmark.find(simulator=twin).destination == f"platform=iOS Simulator,id={twin}"
    with pytest.raises(HarnessError, match="Name one by its UDID"):
        benchmark.find(simulator="iPhone 15")
    with pytest.raises(HarnessError, match="xcrun simctl boot X"):
        benchmark.find(simulator="Old")
    with pytest.raises(HarnessError, match="no device 'Watch'"):
        benchmark.find(simulator="Watch")


def test_a_locked_device_is_an_error_with_the_remedy(mac: Mac, tmp_path: Path) -> None:
    said = {"NSLocalizedDescription": {"string": "The device is locked."}}
    error = {"code": 4000, "domain": "com.apple.dt.CoreDeviceError", "userInfo": said}
    (mac.place / "refusal.json").write_text(json.dumps(error))

    with pytest.raises(ToolError, match=r"device is locked\. .*CoreDeviceError 4000.*unlock the device"):
        tools.copy_runs(UDID, tools.APPLICATION, tmp_path / "runs")


def test_an_answer_of_another_form_is_an_error_and_names_the_command(mac: Mac) -> None:
    (mac.place / "simulators.json").write_text("iPhone 15 (Booted)")
    (mac.place / "devices.json").write_text("null")

    with pytest.raises(ToolError, match="simctl list devices wrote no JSON"):
        benchmark.find(simulator="iPhone 15")
    with pytest.raises(ToolError, match="devicectl list devices: its JSON has no 'devices'"):
        benchmark.find()


def test_a_device_of_which_little_is_told_is_none_that_can_be_used() -> None:
    assert devices.physical([{}, {"hardwareProperties": {"platform": "iOS"}}])[0].obstacle


# --- running the tests ---------------------------------------------------------------------------


def test_the_tests_are_built_for_release_and_run_with_what_was_chosen(mac: Mac, tmp_path: Path, bundle: Path) -> None:
    mac.attach(bundle)
    project = tmp_path / "RTIOS.xcodeproj"
    log = tmp_path / "log"

    built = tools.build(project, "RTIOS", f"platform=iOS,id={UDID}", tmp_path / "build", ["DEVELOPMENT_TEAM=A1"], log)
    phone = devices.Device("My iPhone", UDID, "iPhone15,2")
    result, problem = benchmark.run(phone, Plan({"HARNESS_PROFILE": "quick"}, built), tmp_path / "out", lambda _: None)

    (_, build, _), (_, run, variables) = mac.calls()
    assert build[:1] + build[-1:] == ["build-for-testing", "DEVELOPMENT_TEAM=A1"]
    assert build[build.index("-configuration") + 1] == "Release"
    assert run[0] == "test-without-building" and "-only-testing:RTIOSBenchmarks" in run
    assert run[run.index("-xctestrun") + 1] == str(built)
    assert run[run.index("-destination") + 1] == f"platform=iOS,id={UDID}"
    assert variables == {"TEST_RUNNER_HARNESS_PROFILE": "quick"}
    assert (result.suffix, problem) == (".xcresult", "")


def test_without_tests_that_were_built_before_those_of_the_checkout_are_built(
    mac: Mac, tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "checkout", lambda: tmp_path)
    phone, told = devices.Device("My iPhone", UDID, "iPhone15,2"), list[str]()
    with pytest.raises(HarnessError, match="no RTIOS.xcodeproj below ios/.*--xctestrun"):
        benchmark.run(phone, Plan(), tmp_path / "out", told.append)
    project = tmp_path / "ios" / "RTIOS.xcodeproj"
    project.mkdir(parents=True)
    mac.attach(bundle)

    benchmark.run(phone, Plan(team="A1"), tmp_path / "out", told.append)

    build = mac.calls()[0][1]
    assert build[build.index("-project") + 1] == str(project)
    assert "DEVELOPMENT_TEAM=A1" in build
    assert told == ["building", "building", "running the tests"]


def test_the_application_and_its_tests_are_called_what_the_harness_calls_them() -> None:
    ios = Path(__file__).resolve().parents[2] / "ios"
    agreed = {
        "RTIOSKit/BenchmarkPlan.swift": [f'"HARNESS_{name}"' for name in ("MODELS", "SUITES", "PROFILE", "THREADS")],
        "RTIOS.xcodeproj/project.pbxproj": [f"name = {benchmark.TARGET};"],
        f"RTIOS.xcodeproj/xcshareddata/xcschemes/{benchmark.SCHEME}.xcscheme": [benchmark.TARGET],
        "RTIOS.xcconfig": [f"APP_IDENTIFIER = {tools.APPLICATION}\n"],
        "RTIOSKit/Places.swift": [f'appendingPathComponent("{Path(tools.RUNS).name}")'],
    }
    for file, names in agreed.items():
        text = (ios / file).read_text(encoding="utf-8")
        assert [name for name in names if name not in text] == [], file


def test_what_cannot_be_built_shows_the_end_of_what_xcodebuild_said(mac: Mac, tmp_path: Path) -> None:
    (mac.place / "xcodebuild.json").write_text(json.dumps({"build": 65, "test": 0}))

    with pytest.raises(ToolError, match="ended with 65.*lines for people.*all of it: .*log"):
        tools.build(tmp_path / "x", "RTIOS", "id=1", tmp_path / "build", [], tmp_path / "log")


def test_only_attachments_that_are_bundles_are_taken(mac: Mac, tmp_path: Path, bundle: Path) -> None:
    mac.attach(bundle)
    (mac.place / "attached" / "screen.png").write_bytes(b"\x89PNG")

    with benchmark.attached(mac.place) as found:
        assert [path.suffix for path in found] == [".zip"]


# --- the commands --------------------------------------------------------------------------------


def test_bundles_are_fetched_from_a_device_and_checked_as_any_others(mac: Mac, tmp_path: Path, bundle: Path) -> None:
    runs, out = mac.runs_of(UDID), tmp_path / "out"
    bundle.rename(runs / bundle.name)
    damaged = write(runs / "damaged.run", OUTPUTS, run_id="damaged")
    (damaged / "tensors" / "a.npy").write_bytes(b"x")

    done = commands.run("ios", "collect", "--device", "My iPhone", "--out", out, "--json")

    assert {one["verdict"] for one in json.loads(done.stdout)} == {"imported", "refused"}
    assert (done.returncode, os.listdir(out)) == (ExitCode.INVALID, ["phone-image.run"])
    assert "My iPhone: copying its bundles" in done.stderr


def test_bundles_are_fetched_from_a_simulator(mac: Mac, tmp_path: Path, bundle: Path) -> None:
    bundle.rename(mac.runs_of(SIMULATOR) / bundle.name)

    done = commands.run("ios", "collect", "--simulator", "iPhone 15", "--out", tmp_path / "out")

    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path / "out") == ["phone-image.run"]


@pytest.mark.parametrize(("place", "udid"), [(["--device", UDID], UDID), (["--simulator", SIMULATOR], SIMULATOR)])
def test_bundles_are_fetched_from_the_application_of_another_identifier(
    mac: Mac, tmp_path: Path, bundle: Path, place: list[str], udid: str
) -> None:
    mac.runs_of(udid)
    bundle.rename(mac.runs_of(udid, "com.example.rtios") / bundle.name)

    done = commands.run("ios", "collect", *place, "--application", "com.example.rtios", "--out", tmp_path / "out")

    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path / "out") == ["phone-image.run"]


def test_a_run_leaves_the_bundles_that_the_tests_attached(mac: Mac, tmp_path: Path, bundle: Path) -> None:
    mac.attach(bundle)
    built = tmp_path / "RTIOS.xctestrun"
    built.touch()
    chosen = ["--model", "portrait", "--model", "mine", "--suite", "portraits", "--profile", "normal"]

    done = commands.run("ios", "run", "--xctestrun", built, *chosen, "--out", tmp_path / "out")

    assert done.returncode == 0, done.stderr
    assert "imported  swift" in done.stdout
    assert mac.calls()[1][2] == {
        "TEST_RUNNER_HARNESS_MODELS": "portrait,mine",
        "TEST_RUNNER_HARNESS_SUITES": "portraits",
        "TEST_RUNNER_HARNESS_PROFILE": "normal",
    }


def test_a_test_that_failed_is_told_and_what_others_attached_is_kept(mac: Mac, tmp_path: Path, bundle: Path) -> None:
    mac.attach(bundle)
    said = "a test said \x1b[2Jgone"
    (mac.place / "xcodebuild.json").write_text(json.dumps({"build": 0, "test": 65, "said": said}))
    built = tmp_path / "RTIOS.xctestrun"
    built.touch()

    done = commands.run("ios", "run", "--xctestrun", built, "--out", tmp_path / "out")

    assert done.returncode == ExitCode.INVALID
    assert "not every test passed" in done.stderr
    assert "a test said \\x1b[2Jgone" in done.stderr and "\x1b" not in done.stderr
    assert (tmp_path / "out" / "phone-image.run").is_dir()


def test_without_a_mac_the_error_says_what_to_do_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    done = commands.run("ios", "collect", "--out", tmp_path / "out")

    assert done.returncode == ExitCode.INVALID
    assert done.stderr.strip().endswith("use: harness import FILE.run.zip")
    assert "a Mac with Xcode" in done.stderr and "Traceback" not in done.stderr


def test_two_places_at_once_are_refused(mac: Mac, tmp_path: Path) -> None:
    done = commands.run("ios", "collect", "--device", "a", "--simulator", "b", "--out", tmp_path / "out")

    assert (done.returncode, mac.calls()) == (ExitCode.USAGE, [])


def test_nothing_to_fetch_is_said(mac: Mac, tmp_path: Path) -> None:
    mac.runs_of(UDID)

    done = commands.run("ios", "collect", "--out", tmp_path / "out")

    assert (done.returncode, "no bundles on My iPhone" in done.stderr) == (ExitCode.USAGE, True)
