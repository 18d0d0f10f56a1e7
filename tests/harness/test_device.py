# SPDX-License-Identifier: Apache-2.0
"""Facts about the machine: what it does not tell is left out, and never an error."""

from __future__ import annotations

import json
from types import SimpleNamespace

import psutil
import pytest

from harness import device


def test_the_device_is_described_and_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = device.describe()

    assert facts["cores"] >= 1
    assert facts["cpu"]
    assert facts["emulated"] is False
    assert json.loads(json.dumps([facts, device.tool(), device.conditions(), device.timer()]))


@pytest.mark.parametrize("sensor", ["cpu_freq", "sensors_temperatures", "sensors_battery"])
def test_a_sensor_without_its_files_is_left_out(monkeypatch: pytest.MonkeyPatch, sensor: str) -> None:
    def missing() -> None:
        raise FileNotFoundError("/sys/class/…")

    monkeypatch.setattr(psutil, sensor, missing, raising=False)

    assert "load" in device.conditions()


def test_what_the_sensors_tell_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_freq", lambda: SimpleNamespace(current=2450.4))
    hot = {"k10temp": [SimpleNamespace(current=61.5), SimpleNamespace(current=58.0)]}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: hot, raising=False)
    battery = SimpleNamespace(power_plugged=True, percent=80.4)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)

    facts = device.conditions()

    assert facts["frequency_mhz"] == 2450
    assert facts["temperature_c"] == 61.5
    assert facts["power"] == {"plugged": True, "battery_percent": 80}
