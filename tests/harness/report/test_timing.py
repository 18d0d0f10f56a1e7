# SPDX-License-Identifier: Apache-2.0
"""What every output says of speed: figures of the page, summary, tests for a CI server, lines of the CSV."""

from __future__ import annotations

import csv
import dataclasses
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from harness import comparison as comparisons
from harness import report
from harness.comparison import Comparison
from harness.errors import HarnessError
from harness.verdict import Verdict
from tests.harness import commands

from .made import SPEED_GATES, Runner, compared, make_suite, timed
from .test_report import markdown_tables, text_of

FIGURES = ("ratios", "accuracy", "stages", "distribution", "over-time", "starts", "paced", "sustained", "sizes")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, Path]:
    """A reference, a run that is faster, one that is slower and drifts, one that just holds the gate; their report."""
    folder = tmp_path_factory.mktemp("timed")
    suite = make_suite(folder / "figures", ["ada", "grace"])
    runners = [
        timed("tflite"),
        timed("fast", 0.5, seed=1),
        timed("slow", 1.2, drift=0.3, seed=2, change=lambda p, number: np.roll(p, 2, axis=1)),
        timed("close", 1.02, seed=3),
    ]
    comparison = compared(folder, suite, runners, gates_text=SPEED_GATES)
    report.write(comparison, folder, suite)
    return comparison, folder


@pytest.fixture(scope="module")
def page(judged: tuple[Comparison, Path]) -> str:
    return (judged[1] / "index.html").read_text(encoding="utf-8")


def section(page: str, name: str) -> str:
    """The page from one heading to the next."""
    start = page.index(f'<h3 id="{name}"')
    return page[start : min(page.find(end, start + 1) % (len(page) + 1) for end in ("<h3", "</section>"))]


def test_the_comparison_reads_back_with_starts_rates_and_the_long_phase(judged: tuple[Comparison, Path]) -> None:
    comparison, folder = judged
    latency = comparison.runs[0].latency

    assert latency is not None
    assert (len(latency.starts), len(latency.paced), latency.sustained is not None) == (5, 1, True)
    assert comparisons.read(folder / "comparison.json") == comparison


# --- page ----------------------------------------------------------------------------------------


def test_every_figure_has_a_heading_a_sentence_and_words_for_those_who_do_not_see_it(page: str) -> None:
    assert re.findall(r'<h3 id="([a-z-]+)"', page) == list(FIGURES)
    for name in FIGURES:
        part = section(page, name)
        assert re.search(r'<p class="caption">[A-Z][^<]{40,}', part), name
        drawn = re.findall(r"<svg(?![^>]*aria-hidden)[^>]*>", part)
        assert all('role="img"' in tag and re.search(r'aria-label="[^"]{10,}"', tag) for tag in drawn), name
        assert drawn or "<table>" in part or 'class="stack"' in part, name


def test_the_ratios_are_drawn_with_interval_gate_and_verdict(page: str, judged: tuple[Comparison, Path]) -> None:
    part = section(page, "ratios")
    rows = [row for row in judged[0].rows if row.of_performance]

    assert part.count('class="interval"') == len(rows) == 3 * 4 + 1
    assert part.count('class="gate"') == 3 * 4
    seen = text_of(part)
    for row in rows:
        low, high = row.interval or (0.0, 0.0)
        assert f"{row.value:.3f} ({low:.3f} – {high:.3f})" in seen
    assert "FAIL, 1.3" in seen
    assert re.search(r"beside itself, (0\.99|1\.00)\d", seen)


def test_a_faster_run_that_is_as_accurate_pushes_the_others_off_the_front(page: str) -> None:
    labels = re.findall(r"<li>([^<]*IoU[^<]*)</li>", section(page, "accuracy"))

    assert [label.split(":")[0] for label in labels if label.endswith("on the front")] == ["fast"]
    assert len(labels) == 4


def test_without_two_runs_of_known_accuracy_there_is_no_plot_of_it(tmp_path: Path) -> None:
    suite = make_suite(tmp_path / "figures", ["ada"])
    comparison = compared(tmp_path, suite, [timed("tflite"), timed("fast", 0.5)], truth=False, gates_text=SPEED_GATES)

    assert 'id="accuracy"' not in report.write(comparison, tmp_path).read_text(encoding="utf-8")


def test_drift_and_outliers_are_named_and_marked(page: str) -> None:
    part = section(page, "over-time")

    assert len(re.findall(r"start [1-5] drifts \+1\d\.\d %", text_of(part))) >= 5
    assert part.count('class="trend"') >= 5
    assert part.count('class="dots far"') == 4
    assert part.count('class="span"') == 4 * 3  # every other of five starts


def test_what_of_a_frame_is_not_invoke_is_told_stage_by_stage(page: str) -> None:
    seen = text_of(section(page, "stages"))

    assert "50.0 % is not invoke" in seen
    assert re.search(r"preprocess 2\.5\d ms, 25\.0 % .*between them 1\.2\d ms, 12\.5 %", seen)


def test_starts_rates_and_the_long_phase_are_told_in_figures(page: str) -> None:
    starts, paced, sustained = (text_of(section(page, name)) for name in ("starts", "paced", "sustained"))

    assert "tflite 320 ms (300 – 340)" in starts
    assert re.search(r"tflite 30\.0 \d+ \d+ ", paced)
    assert re.search(r"slow \d+ 1000 .* \+1\d\.\d % ", sustained)
    assert "not beyond chance" in sustained


def test_the_conditions_before_during_and_after_are_a_table(page: str) -> None:
    seen = text_of(page[page.index("The machine before") :])

    assert "Before 0.5 0.4 0.3 2800" in seen
    assert "Start 5 0.5 0.4 0.3 2800 0.02" in seen
    assert "After 0.5 0.4 0.3 2800" in seen


def test_ten_thousand_frames_take_no_more_room_than_a_thousand(tmp_path: Path) -> None:
    suite = make_suite(tmp_path / "figures", ["ada"])
    sizes = []
    for count in (1000, 10_000):
        rows = timed("tflite").samples[:2] * 1
        at = 10**12 + 2 * 10**7 * np.arange(count)
        total = np.exp(np.random.default_rng(0).normal(16, 0.1, count)).astype(int)
        made = [{**rows[1], "start_ns": int(a), "total_ns": int(t)} for a, t in zip(at, total, strict=True)]
        folder = tmp_path / str(count)
        comparison = compared(folder, suite, [Runner("tflite", samples=made, frames=64)], truth=False)
        sizes.append(len(report.write(comparison, folder).read_bytes()))

    assert sizes[1] < 1.1 * sizes[0]


# --- Markdown ------------------------------------------------------------------------------------


def test_the_summary_begins_with_the_verdict_the_runs_and_what_did_not_pass(judged: tuple[Comparison, Path]) -> None:
    comparison, folder = judged
    text = (folder / "report.md").read_text(encoding="utf-8")
    open_part = re.sub(r"(?s)<details>.*?</details>", "", text)
    runs, failed = markdown_tables(open_part)

    assert text.startswith(f"# figures: {comparison.verdict}\n")
    assert [row["run"] for row in runs] == ["tflite", "fast", "slow", "close"]
    assert re.fullmatch(r"1\.\d{3} \(1\.\d{3} – 1\.\d{3}\)", runs[2]["times as long (95 %)"])
    assert runs[0]["p50 ms"].startswith("10.")
    assert float(runs[0]["IoU, ground truth"]) > 0.8
    assert [row["verdict"] for row in failed] == sorted((row["verdict"] for row in failed), key=["FAIL", "WARN"].index)
    assert {row["run"] for row in failed} <= {"slow", "close"}
    assert text.count("<details>") == text.count("</details>") == 4


def test_the_summary_fits_into_a_comment_however_much_fails(judged: tuple[Comparison, Path]) -> None:
    comparison, folder = judged
    many = dataclasses.replace(comparison, rows=comparison.rows * 200)

    report.export(many, {"markdown": folder / "many.md"})

    assert len((folder / "many.md").read_text(encoding="utf-8")) < 65_536


# --- JUnit and CSV -------------------------------------------------------------------------------

_JUNIT = {
    "testsuites": ({"name", "tests", "failures", "errors", "skipped"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped"}, {"testcase"}),
    "testcase": ({"classname", "name"}, {"failure", "error", "skipped", "system-out"}),
    "failure": ({"message", "type"}, set()),
    "error": ({"message", "type"}, set()),
    "skipped": ({"message"}, set()),
    "system-out": (set(), set()),
}
"""Elements of the JUnit format as CI servers read it: their attributes, all of them present, and their children."""


def test_junit_has_the_structure_that_ci_servers_read(judged: tuple[Comparison, Path]) -> None:
    root = ET.parse(judged[1] / "junit.xml").getroot()

    assert root.tag == "testsuites"
    for element in root.iter():
        attributes, children = _JUNIT[element.tag]
        assert set(element.keys()) == attributes
        assert {child.tag for child in element} <= children
        assert element.tag != "testcase" or len(element) <= 1


def test_junit_has_a_test_for_each_row_with_a_verdict(judged: tuple[Comparison, Path]) -> None:
    comparison, folder = judged
    tests = {
        (test.get("classname"), test.get("name")): next((child.tag for child in test), None)
        for test in ET.parse(folder / "junit.xml").iter("testcase")
    }

    tags = {Verdict.PASS: None, Verdict.WARN: "system-out", Verdict.FAIL: "failure"}
    rows = [row for row in comparison.rows if row.limit and not row.row.startswith("case/")]
    assert {row.verdict for row in rows} == set(tags)
    for row in rows:
        assert tests[f"{row.run}.{row.lane}", row.row] == tags[row.verdict]
    names = [name for _, name in tests if not str(name).startswith("case/")]
    assert len(names) == len(rows)


def test_times_that_mean_nothing_are_skipped_tests(tmp_path: Path) -> None:
    suite = make_suite(tmp_path / "figures", ["ada"])
    emulated = {"kind": "desktop", "cpu": "cpu", "cores": 2, "os": "os", "arch": "arm64", "emulated": True}
    arm = timed("arm64")
    arm = dataclasses.replace(arm, facts={**arm.facts, "device": emulated})
    comparison = compared(tmp_path, suite, [timed("tflite"), arm], gates_text=SPEED_GATES)

    report.export(comparison, {"junit": tmp_path / "tests.xml"})

    skipped = ET.parse(tmp_path / "tests.xml").find(".//testcase[@classname='arm64.timing']/skipped")
    assert skipped is not None
    assert "emulated" in skipped.get("message", "")


def test_the_csv_has_the_intervals(judged: tuple[Comparison, Path]) -> None:
    comparison, folder = judged
    with (folder / "comparison.csv").open(newline="", encoding="utf-8") as file:
        lines = {(line["run"], line["row"]): line for line in csv.DictReader(file) if line["lane"] == "timing"}

    for row in comparison.rows:
        if row.of_performance:
            line = lines[row.run, row.row]
            assert (float(line["value"]), (float(line["low"]), float(line["high"]))) == (row.value, row.interval)


@pytest.mark.parametrize(
    ("name", "file"), [("markdown", "report.md"), ("junit", "junit.xml"), ("csv", "comparison.csv")]
)
def test_an_export_is_the_reports_own_file_elsewhere(
    judged: tuple[Comparison, Path], tmp_path: Path, name: str, file: str
) -> None:
    comparison, folder = judged

    report.export(comparison, {name: tmp_path / "exported"})

    assert (tmp_path / "exported").read_bytes() == (folder / file).read_bytes()


def test_an_export_that_cannot_be_written_is_one_clear_error(judged: tuple[Comparison, Path], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(HarnessError, match=r"taken.*choose another file with --junit"):
        report.export(judged[0], {"junit": tmp_path / "taken" / "junit.xml"})


# --- the commands --------------------------------------------------------------------------------


def test_the_commands_write_the_exports_beside_the_report(judged: tuple[Comparison, Path], tmp_path: Path) -> None:
    _, folder = judged
    files = {"markdown": tmp_path / "summary.md", "junit": tmp_path / "tests.xml", "csv": tmp_path / "figures.csv"}
    exports = [part for name, path in files.items() for part in (f"--{name}", path)]
    bundles = [folder / f"{n}-image.run" for n in (0, 1)]

    for command in ("compare", "report"):
        out = tmp_path / command
        done = commands.run(command, *bundles, "--gates", folder / "gates.yaml", "--out", out, *exports)

        assert done.returncode == 0, done.stderr
        for name, own in (("markdown", "report.md"), ("junit", "junit.xml"), ("csv", "comparison.csv")):
            assert files[name].read_bytes() == (out / own).read_bytes()
            files[name].unlink()


@pytest.mark.parametrize("command", ["compare", "bench", "report"])
def test_an_export_into_no_folder_is_refused_before_anything_runs(command: str, tmp_path: Path) -> None:
    done = commands.run(command, "tflite", "--out", tmp_path / "out", "--junit", tmp_path / "no" / "tests.xml")

    assert done.returncode == 2
    assert "there is no folder" in done.stderr
    assert not (tmp_path / "out").exists()
