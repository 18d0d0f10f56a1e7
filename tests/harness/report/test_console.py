# SPDX-License-Identifier: Apache-2.0
"""The table on the terminal: calm, aligned, and plain where it is no terminal."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from harness.comparison import Comparison
from harness.report.console import print_table
from tests.harness import recordings

from .made import SPEED_GATES, Runner, compared, make_suite, timed

LONG = "tflite:int8@tflite-runtime==2.14.0"


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("console")
    suite = make_suite(folder / "figures", ["ada", "grace"])
    runners = [
        Runner("keras"),
        Runner(LONG, lambda p, number: np.roll(p, 3, axis=1)),
        Runner("core", error="the worker was killed; give it more memory with --memory", frames=0),
    ]
    return compared(folder / "report", suite, runners)


def printed(comparison: object, width: int = 140, **options: object) -> str:
    console = Console(file=io.StringIO(), width=width, **options)  # type: ignore[arg-type]
    print_table(comparison, console, Path("reports/figures/index.html"))  # type: ignore[arg-type]
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_pipe_gets_aligned_text_without_colour_or_lines(comparison: object) -> None:
    text = printed(comparison)

    assert "\x1b" not in text
    assert not set("─│┃━╭╰") & set(text)
    assert all(len(line) <= 140 for line in text.splitlines())


def test_the_table_gives_verdicts_and_figures_of_each_run(comparison: object) -> None:
    head, *rows = printed(comparison).splitlines()
    assert head.startswith("run ")

    columns = [
        "run",
        "tensor",
        "image",
        "max err",
        "mask IoU",
        "GT IoU",
        "p50 ms",
        "p90 ms",
        "FPS",
        "mem MB",
        "size MB",
    ]
    assert [name for name in columns if name in head] == columns
    assert rows[0].split()[:3] == ["keras", "ref", "ref"]
    assert any(row.split()[1:3] == ["FAIL", "FAIL"] for row in rows)
    assert any(row.split()[:3] == ["core", "INVALID", "INVALID"] and "n/a" in row for row in rows)


def test_a_long_name_is_folded_and_not_cut(comparison: object) -> None:
    first = "".join(line[:20].strip() if line[:1] != " " else "" for line in printed(comparison).splitlines()[1:6])

    assert LONG.replace("-", "") in first.replace("-", "").replace(" ", "") or LONG in printed(comparison)


def test_reasons_and_the_place_of_the_report_follow_the_table(comparison: object) -> None:
    text = printed(comparison)

    assert "core could not be compared." in text
    assert "give it more memory with --memory" in " ".join(text.split())
    assert text.splitlines()[-1] == "Report: reports/figures/index.html"


def test_a_terminal_gets_colour(comparison: object) -> None:
    assert "\x1b[" in printed(comparison, force_terminal=True, color_system="standard")


# --- narrow terminals ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def timings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Comparison]:
    """What ``compare``, ``bench`` and ``compare`` of camera applications end with."""
    folder = tmp_path_factory.mktemp("timings")
    suite = make_suite(folder / "figures", ["ada", "grace"])
    runners = [timed("tflite:fp32"), timed("tflite:int8", 0.95, seed=1), timed("core:int8", 1.3, seed=2)]
    both = compared(folder / "compare", suite, runners, gates_text=SPEED_GATES)
    alone = [replace(run, pooled={}) for run in both.runs]
    rows = [row for row in both.rows if row.of_performance]
    bench = replace(both, runs=alone, cases=[], rows=rows, findings=[])
    paths = [
        recordings.write(folder / f"{label}.run", recordings.recording(drops=0.3, aged=0.3, seed=n), label=label)
        for n, label in enumerate(("rtpy", "rtcpp"))
    ]
    return {"compare": both, "bench": bench, "live": recordings.compared(*paths)}


def tables(text: str, labels: list[str]) -> list[list[str]]:
    """The lines of each table: its heading, and a line for each run."""
    blocks = [block.splitlines() for block in text.split("\n\n")]
    return [block for block in blocks if [line.split(" ")[0] for line in block[-len(labels) :]] == labels]


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("command", ["compare", "bench", "live"])
def test_a_narrow_terminal_gets_whole_columns_below_each_other(
    timings: dict[str, Comparison], command: str, width: int
) -> None:
    comparison = replace(timings[command], findings=[])
    labels = [run.label for run in comparison.runs]
    text = printed(comparison, width)

    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    narrow, (wide,) = tables(text, labels), tables(printed(comparison, 400), labels)
    assert len(narrow) == 1 or len(narrow) == {"compare": 2, "bench": 2, "live": 2}[command]
    assert all(table[-len(labels) - 1].startswith("run ") for table in narrow)

    def figures(lines: list[str]) -> Counter[str]:
        return Counter(word for line in lines[-len(labels) :] for word in line.split()[1:])

    assert sum((figures(table) for table in narrow), Counter()) == figures(wide)
