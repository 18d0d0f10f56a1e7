# SPDX-License-Identifier: Apache-2.0
"""Which device is meant, and whether it is ready. Starts no command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError


@dataclass(frozen=True)
class Device:
    """A phone, a tablet, or a simulator.

    Attributes:
        udid: what ``xcodebuild`` and ``devicectl`` know it by.
        model: such as ``iPhone15,2``; of a simulator, its runtime.
        obstacle: why it cannot be used, with the remedy; empty where it can.
    """

    name: str
    udid: str
    model: str
    obstacle: str = ""
    simulator: bool = False

    @property
    def destination(self) -> str:
        """For ``xcodebuild -destination``."""
        return f"platform=iOS{' Simulator' * self.simulator},id={self.udid}"


def physical(told: Sequence[Mapping[str, Any]]) -> list[Device]:
    """The iPhones and iPads among what ``devicectl list devices`` told."""
    found = []
    for each in told:
        hardware, properties, connection = (
            each.get(f"{part}Properties") or {} for part in ("hardware", "device", "connection")
        )
        if hardware.get("platform") != "iOS" or hardware.get("reality", "physical") != "physical":
            continue
        name, model = str(properties.get("name", "")), str(hardware.get("productType", ""))
        udid = str(hardware.get("udid") or each.get("identifier", ""))
        found.append(Device(name, udid, model, _obstacle(properties, connection)))
    return found


def simulated(told: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Device]:
    """The iOS simulators among what ``simctl list devices`` told."""
    return [
        Device(
            str(each.get("name", "")),
            str(each.get("udid", "")),
            runtime.rpartition(".")[2],
            "" if each.get("state") == "Booted" else f"it is not running: xcrun simctl boot {each.get('udid')}",
            simulator=True,
        )
        for runtime, devices in told.items()
        if ".iOS-" in runtime
        for each in devices
        if each.get("isAvailable", True)
    ]


def choose(devices: Sequence[Device], wanted: str | None) -> Device:
    """The device of this name or UDID; without one, the only one that is ready.

    Raises:
        HarnessError: there is none, there are several, or it is not ready.
    """
    if wanted is None:
        matching = [device for device in devices if not device.obstacle] or list(devices)
    else:
        matching = [device for device in devices if wanted.lower() in (device.name.lower(), device.udid.lower())]
    what = f"no device {wanted!r}" if wanted else "no device"
    if not matching:
        raise HarnessError(
            f"{what}; {'known: ' + _listed(devices) if devices else 'connect one by cable and trust this Mac'}"
        )
    if len(matching) > 1:
        raise HarnessError(f"which of them? Name one by its UDID: {_listed(matching)}")
    if matching[0].obstacle:
        raise HarnessError(f"{matching[0].name} cannot be used: {matching[0].obstacle}")
    return matching[0]


def _listed(devices: Sequence[Device]) -> str:
    return ", ".join(f"{device.name} ({device.model}, {device.udid})" for device in devices)


def _obstacle(properties: Mapping[str, Any], connection: Mapping[str, Any]) -> str:
    if connection.get("pairingState") != "paired":
        return "it is not paired: connect it by cable, unlock it, and trust this Mac on it"
    if connection.get("tunnelState") == "unavailable":
        return "it is out of reach: connect it by cable, or bring it into this Mac's network"
    if properties.get("developerModeStatus") == "disabled":
        return "developer mode is off: Settings, Privacy & Security, Developer Mode"
    return ""
