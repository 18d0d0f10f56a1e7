# SPDX-License-Identifier: Apache-2.0
"""Runs on phones, in a comparison and on its page.

No phone was at hand: its bundles are copies of one that a runtime has really left (``harness run tflite``), telling
another device, other conditions and another session of themselves, with checksums that vouch for it
(:func:`tests.harness.bundles.rewrite`).
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import bundle, compare, gates, report, resources
from harness.comparison import Comparison
from harness.files import write_tensor
from harness.report import devices, overview, plots
from harness.report.devices import Card
from harness.runs import open_runs
from harness.verdict import Verdict
from tests.harness import commands, recordings
from tests.harness.bundles import PHONE, phone_conditions, rewrite

from .made import make_suite

HOT = ["nominal"] * 3 + ["fair"] * 4 + ["serious"] * 2 + ["fair"]
TABLET = {**PHONE, "kind": "tablet", "model": "iPad13,1", "cpu": "Apple A14"}
LANES = ("tensor", "image")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What ``harness run tflite`` leaves on this machine, by lane."""
    folder = tmp_path_factory.mktemp("real")
    cases = make_suite(folder / "figures", ["ada", "bob"])
    done = commands.run("run", "tflite", "--suite", cases.root, "--profile", "quick", "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    return {lane: found.path for (_, lane), found in commands.bundles_in(folder / "out").items()}


def phone(real: dict[str, Path], folder: Path, name: str = "phone", **about: Any) -> list[Path]:
    """The same run as if it had been made on a phone, in a session of its own."""
    told = {
        "label": name,
        "device": PHONE,
        "conditions": phone_conditions(HOT),
        "build": {"configuration": "Release"},
        "session": {"id": f"session of {name}", "arm": "swift", "order": 0},
        **about,
    }
    paths = []
    for lane, path in real.items():
        protocol = bundle.open(path).facts["protocol"] | {
            "thermal_wait": {"limit_s": 300, "waited_s": 12.5, "reached": "nominal"}
        }
        paths.append(rewrite(path, folder / f"{name}-{lane}.run", **{"protocol": protocol, **told}))
    return paths


def compared(*paths: Path) -> Comparison:
    limits = gates.load(resources.default_gates())
    return compare.compare(open_runs(paths), limits, "devices", "harness compare")


def cards(comparison: Comparison) -> list[Card]:
    return devices.cards(comparison, overview.index(comparison))


def text_of(page: Path) -> str:
    """What a reader sees of a page, in one line."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8").split("<body>")[1])))


# --- what follows from a phone's bundle ----------------------------------------------------------


def test_a_phones_masks_are_judged_by_the_same_gates(real: dict[str, Path], tmp_path: Path) -> None:
    same = compared(*real.values(), *phone(real, tmp_path))
    assert same.verdict is Verdict.PASS
    assert {row.lane for row in same.rows if row.run == "phone" and row.limit} == set(LANES)

    other = phone(real, tmp_path, "bent")
    for path in other:
        opened = bundle.open(path)
        for case in opened.cases():
            write_tensor(path / "tensors" / f"{case['id']}.npy", 1 - opened.tensor(case["id"]))
        bundle.BundleWriter(path, opened.facts).finish("complete")

    bent = compared(*real.values(), *other)
    assert bent.verdict is Verdict.FAIL
    assert not bent.only_slow


@pytest.mark.parametrize("session", ["its own", "that of the reference"])
def test_no_verdict_follows_from_the_times_of_another_machine(
    real: dict[str, Path], tmp_path: Path, session: str
) -> None:
    """However much slower it is, and even if a bundle claims to be of the session of the reference."""
    about = {} if session == "its own" else {"session": bundle.open(real["image"]).facts["session"]}
    paths = phone(real, tmp_path, **about)
    for path in paths:
        samples = bundle.open(path).samples()
        for column in (name for name in samples.columns if name.endswith("_ns") and name != "start_ns"):
            samples[column] *= 20
        samples.to_csv(path / "samples.csv", index=False)
        bundle.BundleWriter(path, bundle.open(path).facts).finish("complete")

    result = compared(*real.values(), *paths)

    slow = next(run for run in result.runs if run.label == "phone")
    assert slow.latency is not None and result.reference.latency is not None
    assert (slow.latency.p50 or 0) > 10 * (result.reference.latency.p50 or 0)  # shown side by side
    assert result.verdict is Verdict.PASS
    judged = [row for row in result.rows if row.of_performance and row.run == "phone"]
    assert all(row.verdict is Verdict.SKIP and "another machine" in row.note for row in judged)
    assert len(judged) == (session != "its own")


def test_the_curve_of_accuracy_over_time_is_of_one_machine(real: dict[str, Path], tmp_path: Path) -> None:
    alone = compared(*real.values(), *phone(real, tmp_path))
    page = report.write(alone, tmp_path / "report")

    assert "Accuracy for its time" not in text_of(page)


# --- what is shown -------------------------------------------------------------------------------


def test_a_card_tells_how_the_device_fared(real: dict[str, Path], tmp_path: Path) -> None:
    (card,) = cards(compared(*phone(real, tmp_path)))

    assert (card.name, card.kind) == ("iPhone15,2", "phone")
    assert dict(card.facts) == {
        "system": "iOS 17.5",
        "processor": "Apple A16, arm64, 6 cores",
        "thermal state": "nominal to fair, at worst serious",
        "thermal wait": "12.5 s of at most 300 s, until nominal",
        "battery": "80 % to 78 %, not plugged in",
        "low power mode": "no",
        "memory pressure": "normal",
        "least memory left": "2991 MB",
        "quality of service": "user initiated",
        "in front": "yes",
        "debugger": "no",
    }
    assert [trace.label for trace in card.traces] == ["Thermal state", "Battery"]


def test_what_changed_during_the_run_is_told(real: dict[str, Path], tmp_path: Path) -> None:
    told = phone_conditions(HOT)
    told["during"][4] |= {"low_power_mode": True, "foreground": False, "memory_pressure": "warning"}
    told["during"][5]["power"] = {"plugged": True, "battery_percent": 79}

    facts = dict(cards(compared(*phone(real, tmp_path, conditions=told)))[0].facts)

    assert facts["low power mode"] == "at 1 of 12 moments"
    assert facts["in front"] == "at 11 of 12 moments"
    assert facts["memory pressure"] == "normal, at worst warning"
    assert facts["battery"] == "80 % to 78 %, plugged in for a part"


def test_a_device_that_tells_nothing_has_a_card_without_curves(real: dict[str, Path], tmp_path: Path) -> None:
    (card,) = cards(compared(*phone(real, tmp_path, conditions={})))

    assert card.traces == []
    assert [name for name, _ in card.facts] == ["system", "processor", "thermal wait"]


def test_one_desktop_has_no_card(real: dict[str, Path]) -> None:
    assert cards(compared(*real.values())) == []


def test_several_devices_are_a_gallery_and_each_has_its_masks_and_times(real: dict[str, Path], tmp_path: Path) -> None:
    paths = [*real.values(), *phone(real, tmp_path), *phone(real, tmp_path, "tablet", device=TABLET)]
    comparison = compared(*paths)

    found = cards(comparison)
    page = text_of(report.write(comparison, tmp_path / "report"))

    assert [card.kind for card in found] == ["desktop", "phone", "tablet"]
    assert found[0].runs[0].masks == []  # the reference
    assert found[1].runs[0].masks == [(lane, Verdict.PASS) for lane in LANES]
    assert found[1].runs[0].cells[0] == found[0].runs[0].cells[0] != "n/a"
    assert "iPad13,1 tablet" in page and "nothing follows from them" in page


def test_camera_applications_on_two_devices_are_a_gallery_too(tmp_path: Path) -> None:
    rows = recordings.steady(100, 33_000_000)
    paths = [
        recordings.write(tmp_path / "1.run", rows),
        recordings.write(tmp_path / "2.run", rows, label="RTIOS", device=PHONE, conditions=phone_conditions(HOT)),
    ]
    comparison = recordings.compared(*paths)

    _, card = cards(comparison)
    page = text_of(report.write(comparison, tmp_path / "report"))

    assert (card.runs[0].masks, card.runs[0].cells) == ([], ["20.0", "20.0", "30.4"])
    assert "Thermal state" in page and "no masks" in page


def test_a_phones_unfinished_bundle_is_finished_on_the_phone(real: dict[str, Path], tmp_path: Path) -> None:
    paths = phone(real, tmp_path)
    bundle.BundleWriter(paths[0], bundle.open(paths[0]).facts | {"status": "partial"})

    (run,) = compared(*paths).runs

    assert run.verdict is Verdict.INVALID
    assert "let the run finish on the device, and import it again" in run.error


def test_one_phone_is_in_the_section_on_the_environment(real: dict[str, Path], tmp_path: Path) -> None:
    page = report.write(compared(*phone(real, tmp_path)), tmp_path / "report")

    section = page.read_text(encoding="utf-8").split('<section id="environment"')[1].split("</section>")[0]
    assert "iPhone15,2" in section
    assert "Thermal state: nominal to fair, at worst serious over 10 blocks" in section
    assert 'id="devices"' not in page.read_text(encoding="utf-8")


def test_times_that_mean_nothing_say_so_on_page_in_markdown_and_terminal(real: dict[str, Path], tmp_path: Path) -> None:
    paths = phone(real, tmp_path, build={"configuration": "Debug"})

    done = commands.run("report", *real.values(), *paths, "--out", tmp_path / "report")

    said = "latency is INVALID: a Debug build: build it as Release"
    assert done.returncode == 0, done.stderr
    assert f"phone: {said}" in done.stdout
    assert text_of(tmp_path / "report" / "index.html").count(said) >= 2
    assert said in (tmp_path / "report" / "report.md").read_text(encoding="utf-8")


def test_a_run_that_fell_back_to_the_cpu_says_so_on_page_in_markdown_and_terminal(
    real: dict[str, Path], tmp_path: Path
) -> None:
    told = {
        "name": "swift",
        "version": "SegKit 0.1.0",
        "requested": {"delegate": "gpu", "threads": 1},
        "actual": {"delegate": "cpu", "threads": 1, "fell_back": True},
    }
    paths = phone(real, tmp_path, runtime=told)

    done = commands.run("report", *real.values(), *paths, "--out", tmp_path / "report")

    said = "ran on the CPU instead of the GPU"
    assert done.returncode == 0, done.stderr
    assert f"phone: {said}" in done.stdout and f"tflite: {said}" not in done.stdout
    assert text_of(tmp_path / "report" / "index.html").count(said) == 2, "beside its times, and with its device"
    assert (tmp_path / "report" / "report.md").read_text(encoding="utf-8").count(said) == 2


def test_a_camera_application_that_fell_back_says_so(tmp_path: Path) -> None:
    told = recordings.facts()["runtime"] | {
        "requested": {"delegate": "gpu", "threads": 1},
        "actual": {"delegate": "cpu", "threads": 1, "fell_back": True},
    }
    path = recordings.write(tmp_path / "1.run", recordings.steady(100, 33_000_000), runtime=told)

    page = text_of(report.write(recordings.compared(path), tmp_path / "report"))

    assert "ran on the CPU instead of the GPU" in page


def test_a_phones_words_cannot_be_markup(real: dict[str, Path], tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    device = {**PHONE, "model": hostile, "kind": hostile}
    told = phone_conditions([hostile, hostile])

    page = report.write(compared(*phone(real, tmp_path, device=device, conditions=told)), tmp_path / "report")

    assert hostile not in page.read_text(encoding="utf-8")


def test_a_start_after_an_interruption_has_the_number_that_its_blocks_have(
    real: dict[str, Path], tmp_path: Path
) -> None:
    told = phone_conditions(["nominal", "nominal"])
    block = told["during"][1]
    told["during"] += [{key: value for key, value in block.items() if key != "block"} | {"restart": 1}]
    told["during"] += [block | {"restart": 1, "block": 0}]

    page = text_of(report.write(compared(*phone(real, tmp_path, conditions=told)), tmp_path / "report"))

    assert [at.strip() for at in re.findall(r"Start \d+(?:, block \d+)? ", page)][-4:] == [
        *("Start 1, block 1", "Start 1, block 2", "Start 2", "Start 2, block 1")
    ]


@pytest.mark.parametrize("odd", [None, 7, "hot", [1], {"plugged": [1]}, {"battery_percent": "full"}])
def test_conditions_of_odd_kinds_are_shown_as_far_as_they_go(real: dict[str, Path], tmp_path: Path, odd: Any) -> None:
    told = {"before": {"thermal": odd}, "during": [{"thermal": odd, "power": odd, "available_memory_bytes": odd}] * 3}
    comparison = compared(*phone(real, tmp_path))
    run = comparison.runs[0]
    strange = dataclasses.replace(run, facts={**run.facts, "conditions": told})

    assert report.write(dataclasses.replace(comparison, runs=[strange]), tmp_path / "report").is_file()


# --- the curve's geometry ------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 100)), min_size=1, max_size=40))
def test_a_trace_keeps_each_value_until_the_next(told: list[tuple[float, float]]) -> None:
    told.sort(key=lambda each: each[0])
    x, places = (np.array([each[k] for each in told]) for k in (0, 1))

    drawn = plots.trace("t", "t", x, places, [], "seconds").points

    assert len(drawn) == 2 * len(told) - 1
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in itertools.pairwise(drawn))  # never slanted
    assert [corner[1] for corner in drawn[::2]] == pytest.approx([100 - place for place in places], abs=0.01)
    assert all(0 <= value <= 100 for corner in drawn for value in corner)
