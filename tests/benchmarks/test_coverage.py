# SPDX-License-Identifier: Apache-2.0
"""The simulation of coverage: its table, and that it goes on where it was stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def simulate(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / "coverage.py"), "--quick", "--out", str(out), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    """The table of the quietest noise, and the lines that were kept."""
    out = tmp_path_factory.mktemp("coverage") / "folder" / "out.jsonl"
    done = simulate(out, "--runs", "20", "--only", "linear drift, quiet")
    assert done.returncode == 0, done.stderr
    return done.stdout, out.read_text(encoding="utf-8").splitlines(keepends=True)


def test_a_row_for_each_number_of_restarts(once: tuple[str, list[str]]) -> None:
    table, kept = once

    head, *rows = table.splitlines()
    assert "covered" in head and "FAIL at" in head and "printed" in head
    assert [row[:32].split("quiet")[1].split() for row in rows] == [["3", "×", "10"], ["6", "×", "10"]]
    assert [json.loads(line)["row"] for line in kept] == [["linear drift, quiet", n, 10, 0] for n in (3, 6)]


def test_it_goes_on_after_a_kill_in_the_middle_of_a_line(once: tuple[str, list[str]], tmp_path: Path) -> None:
    table, kept = once
    out = tmp_path / "out.jsonl"
    out.write_text(kept[0] + kept[1][:100], encoding="utf-8")

    done = simulate(out, "--runs", "20", "--only", "linear drift, quiet")

    assert done.stdout == table
    lines = out.read_text(encoding="utf-8").splitlines(keepends=True)
    assert [line for line in lines if line in kept] == kept  # the first as it was, the second anew


def test_what_is_finished_is_not_simulated_again(once: tuple[str, list[str]], tmp_path: Path) -> None:
    _, kept = once
    out = tmp_path / "out.jsonl"
    other = [json.loads(line) for line in kept]
    for record in other:
        record["runs"] = [[0.04, 0.06, 0.05, 0.04, 0.06]] * len(record["runs"])  # a machine that is never right
    out.write_text("".join(json.dumps(record) + "\n" for record in other), encoding="utf-8")

    done = simulate(out, "--runs", "20", "--only", "linear drift, quiet")

    assert done.returncode == 3
    assert "covered in less than 93%: linear drift, quiet, 6 × 10" in done.stdout


def test_another_definition_of_the_statistics_counts_for_nothing(once: tuple[str, list[str]], tmp_path: Path) -> None:
    table, kept = once
    out = tmp_path / "out.jsonl"
    out.write_text("".join(line.replace('"code": "', '"code": "x') for line in kept), encoding="utf-8")

    assert simulate(out, "--runs", "20", "--only", "linear drift, quiet").stdout == table
    assert len(out.read_text(encoding="utf-8").split()) > len("".join(kept).split())


@pytest.mark.parametrize("arguments", [("--only", "nothing"), ("--runs", "0"), ("--runs", "-3")])
def test_what_cannot_be_simulated_is_said(arguments: tuple[str, str], tmp_path: Path) -> None:
    done = simulate(tmp_path / "out.jsonl", *arguments)

    assert done.returncode == 2
    assert arguments[1] in done.stderr and "Traceback" not in done.stderr
