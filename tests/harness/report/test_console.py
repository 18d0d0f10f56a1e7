# SPDX-License-Identifier: Apache-2.0
"""The table on the terminal: calm, aligned, and plain where it is no terminal."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from harness.report.console import print_table

from .made import Runner, compared, make_suite

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


def printed(comparison: object, **options: object) -> str:
    console = Console(file=io.StringIO(), width=100, **options)  # type: ignore[arg-type]
    print_table(comparison, console, Path("reports/figures/index.html"))  # type: ignore[arg-type]
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_pipe_gets_aligned_text_without_colour_or_lines(comparison: object) -> None:
    text = printed(comparison)

    assert "\x1b" not in text
    assert not set("─│┃━╭╰") & set(text)
    assert all(len(line) <= 100 for line in text.splitlines())


def test_the_table_gives_verdicts_and_figures_of_each_run(comparison: object) -> None:
    head, *rows = printed(comparison).splitlines()

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
