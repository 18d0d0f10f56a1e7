# SPDX-License-Identifier: Apache-2.0
"""The report's files, written from real run bundles: what they say, and that nothing breaks or hides them."""

from __future__ import annotations

import csv
import dataclasses
import html
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness import comparison as comparisons
from harness import report
from harness import suite as suites
from harness.comparison import Comparison, Finding, Limit, Row
from harness.errors import HarnessError
from harness.suite import Suite
from harness.verdict import Verdict

from .made import Runner, compared, make_suite

HOSTILE = "<script>alert('x')</script> & \"| `*_[link](javascript:x)\n\x08"


def shifted(probability: np.ndarray, number: int) -> np.ndarray:
    return np.roll(probability, 3, axis=1) if number == 1 else probability


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return make_suite(tmp_path_factory.mktemp("suite") / "figures", ["ada", "grace", "joan"])


@pytest.fixture(scope="module")
def mixed(cases: Suite, tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, Path]:
    """A reference, a run that agrees to rounding, one that differs on one case, one that crashed; and their report."""
    folder = tmp_path_factory.mktemp("report")
    runners = [
        Runner("keras"),
        Runner("tflite", lambda p, number: p + np.float32(2e-5)),
        Runner("shifted", shifted),
        Runner("core", error="the worker died of signal 11 (SIGSEGV)", frames=0),
    ]
    comparison = compared(folder, cases, runners)
    report.write(comparison, folder, cases)
    return comparison, folder


def page_of(comparison: Comparison, folder: Path, suite: Suite | None = None) -> str:
    return report.write(comparison, folder, suite).read_text(encoding="utf-8")


def text_of(page: str) -> str:
    """What a reader sees: without tags, entities resolved, white space collapsed."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


# --- files ---------------------------------------------------------------------------------------


def test_a_report_is_five_whole_files(mixed: tuple[Comparison, Path]) -> None:
    _, folder = mixed

    files = {path.name for path in folder.iterdir() if path.is_file()} - {"gates.yaml"}

    assert files == {"index.html", "report.md", "comparison.json", "comparison.csv", "junit.xml"}


def test_the_json_is_the_comparison(mixed: tuple[Comparison, Path]) -> None:
    comparison, folder = mixed

    assert comparisons.read(folder / "comparison.json") == comparison
    assert (folder / "comparison.json").read_text(encoding="utf-8") == comparison.to_json()


def test_the_csv_holds_every_row_to_the_last_digit(mixed: tuple[Comparison, Path]) -> None:
    comparison, folder = mixed
    with (folder / "comparison.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))

    def number(text: str) -> float | None:
        return float(text) if text else None

    def row(line: dict[str, str]) -> Row:
        limits = {name: number(line[name]) for name in ("min", "max", "warn", "floor_ms")}
        low, high = number(line["low"]), number(line["high"])
        return Row(
            line["run"],
            line["lane"],
            line["row"],
            number(line["value"]),
            Limit(**limits) if any(v is not None for v in limits.values()) else None,
            Verdict(line["verdict"]),
            number(line["would_pass"]),
            line["note"],
            None if low is None or high is None else (low, high),
        )

    assert [row(line) for line in lines] == comparison.rows


def test_a_folder_that_cannot_be_written_is_one_clear_error(mixed: tuple[Comparison, Path], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(HarnessError, match=r"taken.*choose another folder"):
        report.write(mixed[0], tmp_path / "taken")


# --- page ----------------------------------------------------------------------------------------


def test_the_page_answers_in_order_do_they_agree_where_not_how_fast(mixed: tuple[Comparison, Path]) -> None:
    page = (mixed[1] / "index.html").read_text(encoding="utf-8")

    assert re.findall(r'<section id="([a-z-]+)"', page) == [
        "verdict", "findings", "agreement", "speed", "cases", "all-cases", "gates", "environment", "reproduce",
    ]  # fmt: skip
    seen = text_of(page)
    assert "core could not be compared." in seen
    assert "shifted differs from keras on 1 of 3 cases." in seen
    assert "tflite agrees with keras on all 3 cases." in seen


def test_everything_in_agreement_is_said_in_one_sentence(cases: Suite, tmp_path: Path) -> None:
    page = page_of(compared(tmp_path, cases, [Runner("keras"), Runner("tflite")]), tmp_path, cases)

    assert '<h1 id="headline">tflite agrees with keras on all 3 cases.</h1>' in page


def test_the_page_shows_every_case_in_pictures_the_worst_first(mixed: tuple[Comparison, Path]) -> None:
    page = (mixed[1] / "index.html").read_text(encoding="utf-8")
    names = re.findall(r'class="name">([^<]*)<', page)

    assert names[0] == "grace"
    assert sorted(names) == ["ada", "grace", "joan"]
    assert page.count('alt="Picture of') == page.count('alt="Ground truth of') == 3
    # Three cases: the reference, two sound runs, and one mask of the run that broke off.
    assert page.count('alt="Mask of') == 3 * 3 + 1


def test_the_worst_pixels_name_place_and_both_values(mixed: tuple[Comparison, Path]) -> None:
    seen = text_of((mixed[1] / "index.html").read_text(encoding="utf-8"))

    # `shifted` moves the figure of the second case three columns to the right: its first columns go.
    assert "shifted 5 6 0.960000 0.000000 0.96" in seen


def test_the_tables_show_the_comparisons_figures(mixed: tuple[Comparison, Path]) -> None:
    comparison, folder = mixed
    seen = text_of((folder / "index.html").read_text(encoding="utf-8"))
    run = next(run for run in comparison.runs if run.label == "shifted")
    pooled, timed = run.pooled["tensor"], run.latency

    assert pooled["mask_iou"] is not None
    assert f"{pooled['mask_iou']:.4f}" in seen
    assert timed is not None
    assert timed.p50 is not None
    assert timed.fps is not None
    assert f"{timed.p50:.2f}" in seen
    assert f"{timed.fps:.1f}" in seen
    assert "45.0 1.23" in seen  # megabytes of memory and of the model
    assert "15.0 % is not invoke" in seen


def test_a_run_that_broke_off_is_shown_with_its_error_beside_whole_results(mixed: tuple[Comparison, Path]) -> None:
    page = (mixed[1] / "index.html").read_text(encoding="utf-8")

    assert "the worker died of signal 11 (SIGSEGV)" in page
    assert "no mask" in page
    assert 'alt="Difference of tflite from keras"' in page


def test_a_reference_that_broke_off_leaves_a_report_too(cases: Suite, tmp_path: Path) -> None:
    runners = [Runner("keras", error="out of memory", frames=0), Runner("tflite")]

    seen = text_of(page_of(compared(tmp_path, cases, runners), tmp_path, cases))

    assert "The reference keras gave no complete result." in seen
    assert "out of memory" in seen


def test_a_run_alone_is_reported_without_a_verdict_on_agreement(cases: Suite, tmp_path: Path) -> None:
    seen = text_of(page_of(compared(tmp_path, cases, [Runner("keras")]), tmp_path, cases))

    assert "keras was run alone" in seen


def test_nan_in_an_output_fails_and_is_pointed_at(cases: Suite, tmp_path: Path) -> None:
    def with_nan(probability: np.ndarray, number: int) -> np.ndarray:
        changed = probability.copy()
        changed[4, 9] = np.nan
        return changed

    seen = text_of(page_of(compared(tmp_path, cases, [Runner("keras"), Runner("nan", with_nan)]), tmp_path, cases))

    assert "nan differs from keras on 3 of 3 cases." in seen
    assert "NaN or infinity in 1 pixels" in seen
    assert "nan 9 4 0.000000 nan" in seen


def test_masks_of_another_size_are_shown_and_not_subtracted(cases: Suite, tmp_path: Path) -> None:
    comparison = compared(tmp_path, cases, [Runner("keras"), Runner("small", lambda p, number: p[::2, ::2])])

    page = page_of(comparison, tmp_path, cases)

    assert 'alt="Mask of small"' in page
    assert 'alt="Difference of small from keras"' not in page


def test_figures_that_do_not_exist_are_na_with_the_reason_at_hand(cases: Suite, tmp_path: Path) -> None:
    comparison = compared(tmp_path, cases, [Runner("keras", frames=12), Runner("tflite", frames=0)])

    page = page_of(comparison, tmp_path, cases)

    assert 'title="too few frames for a p90: 12">n/a<' in page
    assert "too few frames for a p90: 0" in page
    assert "None" not in text_of(page)
    assert "NaN" not in text_of(page)


def test_without_the_suite_the_page_shows_masks_alone_and_says_so(mixed: tuple[Comparison, Path], cases: Suite) -> None:
    comparison, folder = mixed
    other = make_suite(folder / "other", ["somebody"])

    absent = page_of(comparison, folder)
    wrong = page_of(comparison, folder, other)
    report.write(comparison, folder, cases)

    assert "is not at hand: masks are shown without pictures" in absent
    assert "is not the one that was run" in wrong
    for page in (absent, wrong):
        assert 'alt="Picture of' not in page
        assert 'alt="Mask of keras"' in page


def test_a_bundle_that_has_gone_leaves_the_figures(cases: Suite, tmp_path: Path) -> None:
    comparison = compared(tmp_path / "here", cases, [Runner("keras"), Runner("tflite")])

    seen = text_of(page_of(comparison, tmp_path / "elsewhere", cases))

    assert "tflite agrees with keras on all 3 cases." in seen
    assert "no such run bundle" in seen


def test_nothing_in_a_comparison_can_become_markup(mixed: tuple[Comparison, Path], tmp_path: Path) -> None:
    comparison = hostile(mixed[0])

    page = page_of(comparison, tmp_path)

    assert "<script" not in page
    assert text_of(page).count("<script>alert('x')</script>") > 10
    assert page.count("Content-Security-Policy") == 1


def test_the_page_asks_the_network_for_nothing(mixed: tuple[Comparison, Path]) -> None:
    page = (mixed[1] / "index.html").read_text(encoding="utf-8")

    assert "http:" not in page
    assert "https:" not in page
    assert "@import" not in page
    assert "url(" not in page
    assert all(source.startswith("data:image/webp;base64,") for source in re.findall(r'src="([^"]*)"', page))


def test_every_link_in_the_page_leads_somewhere(mixed: tuple[Comparison, Path]) -> None:
    page = (mixed[1] / "index.html").read_text(encoding="utf-8")
    ids = re.findall(r' id="([^"]*)"', page)

    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)
    assert len(ids) == len(set(ids))


def test_the_page_of_the_shipped_suite_with_six_runs_stays_below_three_megabytes(tmp_path: Path) -> None:
    shipped = suites.find(suites.DEFAULT)
    masks = [
        cv2.resize(case.read_mask() * np.float32(1), (224, 224), interpolation=cv2.INTER_AREA) for case in shipped.cases
    ]
    # Smooth noise: what quantisation leaves, and hard to compress.
    noise = cv2.GaussianBlur(np.random.default_rng(5).normal(0, 4, (224, 224)), (0, 0), 2)

    def noisy(strength: float) -> Callable[[np.ndarray, int], np.ndarray]:
        return lambda _, number: np.clip(masks[number] + strength * np.roll(noise, 9 * number, axis=0), 0, 1)

    runners = [Runner(f"run-{n}", noisy(strength)) for n, strength in enumerate((0.01, 1e-6, 1e-4, 0.02, 0.1, 0.3))]
    comparison = compared(tmp_path, shipped, runners, lanes=["tensor"], truth=False)

    page = page_of(comparison, tmp_path, shipped)

    assert page.count('alt="Difference of') == 5 * len(shipped.cases)
    print(len(page))
    assert len(page) < 3e6


def test_two_thousand_cases_are_all_in_the_table_and_the_worst_fifty_in_pictures(tmp_path: Path) -> None:
    suite = make_suite(tmp_path / "figures", [f"case-{number:04}" for number in range(80)])
    runners = [Runner("keras"), *(Runner(f"tflite:{n}", lambda p, number: p * (1 - number / 1e6)) for n in range(3))]
    comparison = compared(tmp_path / "report", suite, runners)
    # Cases beyond those in pictures need no tensors: these agree better than any of the real ones.
    extra = [
        dataclasses.replace(
            result,
            case=f"{result.case}-{copy:02}",
            verdict=Verdict.PASS,
            metrics={**result.metrics, "max_abs": 0.0},
        )
        for copy in range(24)
        for result in comparison.cases
    ]
    cases = [*comparison.cases, *extra]
    many = dataclasses.replace(comparison, cases=cases, suite={**comparison.suite, "cases": 2000})

    page = page_of(many, tmp_path / "report", suite)

    assert len(page) < 10e6
    assert page.count('alt="Picture of') == 50
    assert "The worst 50 of 2000 cases" in text_of(page)
    table = page[page.index('<table class="all">') : page.index("</table>", page.index('<table class="all">'))]
    assert table.count('<th scope="row">') == len({result.case for result in cases}) == 2000


# --- Markdown ------------------------------------------------------------------------------------


def test_the_markdown_tables_read_back_as_the_comparison(mixed: tuple[Comparison, Path]) -> None:
    comparison, folder = mixed
    tables = markdown_tables((folder / "report.md").read_text(encoding="utf-8"))

    runs, failed, agreement, speed, limits = tables
    assert [(row["run"], row["verdict"]) for row in runs] == [(r.label, str(r.verdict)) for r in comparison.runs]
    shifted_row = next(row for row in agreement if (row["run"], row["lane"]) == ("shifted", "tensor"))
    pooled = next(run for run in comparison.runs if run.label == "shifted").pooled["tensor"]
    assert float(shifted_row["max error"]) == pytest.approx(pooled["max_abs"], rel=0.05)
    assert float(shifted_row["mask IoU"]) == pytest.approx(pooled["mask_iou"], abs=1e-4)
    assert {row["verdict"] for row in failed} == {"INVALID", "FAIL", "WARN"}
    assert [row["run"] for row in speed] == [run.label for run in comparison.runs]
    gated = [row for row in comparison.rows if row.limit]
    listed = [row for row in gated if row.row.startswith("pooled/") or row.verdict is not Verdict.PASS]
    assert sorted((r["run"], r["lane"], r["figure"]) for r in limits) == sorted((r.run, r.lane, r.row) for r in listed)


def test_a_hostile_name_stays_inside_its_markdown_cell(mixed: tuple[Comparison, Path], tmp_path: Path) -> None:
    comparison = hostile(mixed[0])
    report.write(comparison, tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")

    # In the block of code, where a command stands, nothing is markup.
    assert "<script" not in re.sub(r"(?s)^(`{3,})sh\n.*?^\1$", "", text, flags=re.MULTILINE)
    name = " ".join(HOSTILE.split())
    assert [row["run"] for row in markdown_tables(text)[0]] == [
        name if run.label == HOSTILE else run.label for run in comparison.runs
    ]


def markdown_tables(text: str) -> list[list[dict[str, str]]]:
    """The tables of a Markdown text, escapes undone."""
    blocks = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    tables = []
    for block in blocks:
        head, _, *rows = [
            [html.unescape(re.sub(r"\\(.)", r"\1", cell.strip())) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in block.splitlines()
        ]
        tables.append([dict(zip(head, row, strict=True)) for row in rows])
    return tables


# --- JUnit ---------------------------------------------------------------------------------------


def test_junit_has_a_suite_per_run_and_counts_its_verdicts(mixed: tuple[Comparison, Path]) -> None:
    comparison, folder = mixed
    root = ET.parse(folder / "junit.xml").getroot()

    assert [suite.get("name") for suite in root] == [run.label for run in comparison.runs]
    for suite in root:
        inside = Counter(child.tag for test in suite for child in test)
        counts = len(suite), inside["failure"], inside["error"], inside["skipped"]
        assert counts == tuple(int(suite.get(key, "")) for key in ("tests", "failures", "errors", "skipped"))
    failures = {suite.get("name"): int(suite.get("failures", "")) for suite in root}
    # In each of two lanes: the shifted case, and the mask IoU over all cases.
    assert failures == {"keras": 0, "tflite": 0, "shifted": 4, "core": 0}
    # The run itself; in each lane, the two cases it never reached and the number of compared cases.
    assert int(root[3].get("errors", "")) == 1 + 2 * 3


def test_a_junit_failure_names_figure_limit_and_the_tolerance_that_would_pass(
    mixed: tuple[Comparison, Path],
) -> None:
    root = ET.parse(mixed[1] / "junit.xml").getroot()
    test = root.find(".//testcase[@classname='shifted.tensor'][@name='case/grace']/failure")

    assert test is not None
    assert test.get("message") == "max error 0.96, limit ≤ 0.0001 (warns at 1e-5), would pass with ≤ 0.96"


def test_junit_stays_xml_whatever_the_names_are(mixed: tuple[Comparison, Path], tmp_path: Path) -> None:
    report.write(hostile(mixed[0]), tmp_path)

    names = [test.get("name", "") for test in ET.parse(tmp_path / "junit.xml").iter("testcase")]

    assert f"case/{HOSTILE.replace(chr(8), chr(0xFFFD))}" in names


def hostile(comparison: Comparison) -> Comparison:
    """The comparison with one run, one case and all prose renamed to something nasty."""
    text = comparison.to_json()
    for name in ("shifted", "grace"):
        text = re.sub(rf'(?<=["/]){name}(?=["/])', lambda _: json.dumps(HOSTILE)[1:-1], text)
    finding = Finding(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    return dataclasses.replace(comparisons.from_json(text), name=HOSTILE, command=HOSTILE, findings=[finding])


# --- boundaries ----------------------------------------------------------------------------------


def test_the_report_loads_neither_runtimes_nor_what_judges_them() -> None:
    code = "import sys, harness.report, harness.report.console; print('\\n'.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    forbidden = ("compare", "gates", "parity", "runtimes", "session", "supervisor", "worker")
    assert [name for name in loaded if name in {f"harness.{module}" for module in forbidden}] == []
    assert not {"tensorflow", "keras", "ai_edge_litert", "pandas", "scipy"} & set(loaded)
