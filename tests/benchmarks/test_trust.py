# SPDX-License-Identifier: Apache-2.0
"""`benchmarks/trust.py` in short: five comparisons each, of seconds instead of half a minute.

What must hold on any machine: a runtime beside itself is never called slower, and one that is slower is measured as
such.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness import measure
from tests import scripts


@pytest.fixture(scope="module")
def trust() -> ModuleType:
    return scripts.load("benchmarks/trust.py")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> str:
    """A profile of a second per runtime."""
    monkeypatch.setitem(measure.PROFILES, "short", measure.Profile("short", 64, 1.0, 3))
    return "short"


def rows(trust: ModuleType, name: str, profile: str, folder: Path) -> list[dict[str, Any]]:
    experiment = trust.replace(trust.EXPERIMENTS[name], count=5, profile=profile)
    kept = folder / "kept.jsonl"
    trust.run(experiment, kept)
    return trust._kept(kept)


@pytest.mark.system
def test_a_runtime_is_never_called_slower_than_itself(
    trust: ModuleType, short: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = rows(trust, "same", short, tmp_path)

    assert len(found) == 5
    assert all(row["low"] <= row["estimate"] <= row["high"] for row in found)
    assert sum(row["verdict"] == "FAIL" for row in found) == 0
    assert "5 short comparisons" in capsys.readouterr().out


@pytest.mark.system
def test_the_intervals_hold_what_is_true_of_one_that_is_slower(trust: ModuleType, short: str, tmp_path: Path) -> None:
    """Each does in 95 of 100, so that fewer than three of five do not by chance in one run of a thousand."""
    found = rows(trust, "slowed", short, tmp_path)

    assert sum(row["low"] <= 1.05 <= row["high"] for row in found) >= 3


def test_finished_comparisons_are_not_made_again(trust: ModuleType, tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    made = {"verdict": "PASS", "estimate": 1.0, "low": 0.99, "high": 1.01, "detectable": 0.03, "others": 0.0}
    for _ in range(5):
        trust._keep(kept, made)
    with kept.open("a") as file:
        file.write('{"verdict": "FA')  # cut off in the middle

    experiment = trust.replace(trust.EXPERIMENTS["same"], count=5, profile="no such profile")

    assert trust.run(experiment, kept) == 0
