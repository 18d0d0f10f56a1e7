# SPDX-License-Identifier: Apache-2.0
"""Many runs over time: what the index finds in a folder, and what is on the page of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import history
from harness.errors import HarnessError
from harness.history import Entry
from harness.report import history as page

from . import bundles
from .commands import run

OUTPUTS = {"a": np.full((16, 12), 0.5, np.float32)}
STEADY = {"frames": 600, "p50_ns": 20_000_000, "p90_ns": 25_000_000, "fps": 48.5}
TIMED = {"profile": "normal", "count": 128, "duration_s": 10, "timer": {}}


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def timed(folder: Path, day: int = 1, label: str = "tflite", **about: Any) -> Path:
    """A finished run of one lane, with its steady phase summed up."""
    facts = {"session": f"session-{day}", "started_at": f"2025-01-{day:02}T00:00:00+00:00", "protocol": TIMED}
    timing = {"load_ns": 1, "steady": STEADY}
    return bundles.write(folder, OUTPUTS, **{"label": label, "timing": timing, **facts, **about})


def judged(folder: Path, path: Path, iou: float, verdict: str = "PASS", day: int = 1, reference: bool = False) -> None:
    """A comparison beside the bundles, as ``harness compare`` writes one."""
    run = {
        "label": "tflite", "reference": reference, "verdict": verdict, "bundles": {"image": str(path)},
        "pooled": {"tensor": {"gt_iou": 0.1}, "image": {"gt_iou": iou}},
    }  # fmt: skip
    told = {"name": '"runs": [', "created_at": f"2025-02-{day:02}T00:00:00+00:00", "runs": [run], "rows": []}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "comparison.json").write_text(json.dumps(told, indent=1), encoding="utf-8")


# --- the index -----------------------------------------------------------------------------------


def test_an_entry_has_the_figures_of_its_bundle(tmp_path: Path) -> None:
    timed(tmp_path / "deep" / "below" / "x.run", label="tflite:int8", variant="int8")

    (entry,) = history.index(tmp_path)

    assert (entry.label, entry.model, entry.variant) == ("tflite:int8", "portrait", "int8")
    assert (entry.p50, entry.p90, entry.fps) == (20.0, 25.0, 48.5)
    assert (entry.memory_bytes, entry.model_bytes, entry.iou) == (1 << 20, 1, None)
    assert entry.bundles == ["deep/below/x.run"]
    assert (entry.machine, entry.suite, entry.problem) == ("any, 1 cores, Linux", "figures 00000000", "")


def test_the_lanes_of_a_run_are_one_entry_and_runs_come_in_the_order_of_time(tmp_path: Path) -> None:
    timed(tmp_path / "late.run", day=9)
    timed(tmp_path / "early.run", day=2)
    timed(tmp_path / "early-tensor.run", day=2, lane="tensor", timing={}, protocol={**TIMED, "count": 0})

    entries = history.index(tmp_path)

    assert [entry.bundles for entry in entries] == [["early.run", "early-tensor.run"], ["late.run"]]
    assert [entry.p50 for entry in entries] == [20.0, 20.0]


def test_a_zip_is_a_bundle_and_a_copy_of_a_run_is_no_second_run(tmp_path: Path) -> None:
    original = timed(tmp_path / "x.run")
    with zipfile.ZipFile(tmp_path / "y.run.zip", "w") as archive:
        for path in sorted(original.rglob("*.*")):
            archive.write(path, path.relative_to(original))
    (tmp_path / "archive").mkdir()
    shutil.copyfile(tmp_path / "y.run.zip", tmp_path / "archive" / "z.run.zip")

    (entry,) = history.index(tmp_path)

    assert sorted(entry.bundles) == ["archive/z.run.zip", "x.run", "y.run.zip"]
    assert (entry.problem, entry.p50) == ("", 20.0)


def test_accuracy_and_verdict_are_those_of_the_newest_comparison(tmp_path: Path) -> None:
    path = timed(tmp_path / "one" / "runs" / "x.run")
    judged(tmp_path / "one", Path("runs/x.run"), 0.8, "FAIL", day=1)
    judged(tmp_path / "two", path.resolve(), 0.9, "WARN", day=2)

    (entry,) = history.index(tmp_path)

    assert (entry.iou, entry.verdict, entry.page) == (0.9, "WARN", "two/index.html")


def test_that_a_reference_is_whole_is_no_verdict(tmp_path: Path) -> None:
    timed(tmp_path / "runs" / "x.run")
    judged(tmp_path, Path("runs/x.run"), 0.8, reference=True)

    (entry,) = history.index(tmp_path)

    assert (entry.iou, entry.verdict) == (0.8, "")


def test_a_bundle_of_another_writer_is_summed_up_from_its_samples_once(tmp_path: Path) -> None:
    about = {"phase": "steady", "restart": 0, "case": "a"}
    blocks = [
        {**about, "block": n // 10, "start_ns": 10**9 * (1 + n // 10) + n * 10**7, "total_ns": 10**7 + n}
        for n in range(100)
    ]
    path = bundles.write(tmp_path / "x.run", OUTPUTS, blocks, protocol=TIMED)

    (entry,) = history.index(tmp_path)

    assert (entry.p50, entry.p90) == ((10**7 + 49) / 1e6, (10**7 + 89) / 1e6)
    assert entry.fps == pytest.approx(100, rel=1e-3)
    (path / "samples.csv").touch()
    (path / "samples.csv").write_text((path / "samples.csv").read_text().replace("steady", "sustained"))
    assert history.index(tmp_path)[0].p50 is None  # other samples are read again
    assert history.index(tmp_path) == history.index(tmp_path)


def test_the_cache_spares_reading_samples_and_may_be_damaged_or_forbidden(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"phase": "steady", "start_ns": n * 10**7, "total_ns": 10**7, "case": "a"} for n in range(70)]
    bundles.write(tmp_path / "x.run", OUTPUTS, rows, protocol=TIMED)
    first = history.index(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("harness.bundle.Bundle.samples", lambda bundle: pytest.fail("the samples were read again"))
        assert history.index(tmp_path) == first

    (kept,) = cache.rglob("*.json")
    kept.write_text("[1")
    assert history.index(tmp_path) == first
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x.run" / "run.json"))
    assert history.index(tmp_path) == first


def test_what_is_unfinished_failed_or_incomplete_says_so_and_hides_nothing(tmp_path: Path) -> None:
    timed(tmp_path / "good.run", day=1)
    timed(tmp_path / "partial.run", day=2, status="partial")
    error = {"kind": "crash", "message": "the worker died of signal 11"}
    timed(tmp_path / "failed.run", day=3, status="failed", error=error)
    (timed(tmp_path / "open.run", day=4) / "checksums.txt").unlink()
    (tmp_path / "empty.run").mkdir()
    (tmp_path / "text.run.zip").write_text("no zip")
    (tmp_path / "number.run").mkdir()
    (tmp_path / "number.run" / "run.json").write_text("7")

    problems = {entry.bundles[0]: entry.problem for entry in history.index(tmp_path)}

    assert problems.pop("good.run") == ""
    assert problems.pop("partial.run").startswith("unfinished")
    assert problems.pop("failed.run") == "failed: the worker died of signal 11"
    assert problems.pop("open.run") == "incomplete: checksums.txt is missing"
    assert problems.keys() == {"empty.run", "text.run.zip", "number.run"}
    assert all(problem.startswith("damaged: ") for problem in problems.values())


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("beside")
    timed(folder / "good.run", day=1)
    timed(folder / "hurt.run", day=2)
    return folder


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_no_damage_stops_the_index_or_hides_the_others(beside: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Any key of ``run.json`` replaced by anything that JSON has, or its text cut anywhere."""
    hurt = beside / "hurt.run" / "run.json"
    facts = bundles.facts(session="session-2", protocol=TIMED, timing={"steady": STEADY}, status="complete")
    key = data.draw(st.sampled_from(sorted(facts)))
    anything = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.just([]), st.just({}), st.just([[1]]))
    text = json.dumps({**facts, key: data.draw(anything)})
    hurt.write_text(
        text[: data.draw(st.integers(0, len(text)))] if data.draw(st.booleans()) else text, encoding="utf-8"
    )

    entries = history.index(beside)

    assert sorted(path for entry in entries for path in entry.bundles) == ["good.run", "hurt.run"]
    assert any(not entry.problem and "good.run" in entry.bundles for entry in entries)
    page.write(entries, beside, tmp_path / "page.html")


def test_no_folder_and_no_bundles_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no such folder"):
        history.index(tmp_path / "nothing")
    assert history.index(tmp_path) == []


# --- the page ------------------------------------------------------------------------------------

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """Text of scripts, links, and the names of all elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href" and tag == "a"]
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script":
            self.scripts[-1] += data


def test_the_page_holds_every_run_and_the_policy_allows_its_own_script_alone(tmp_path: Path) -> None:
    entries = [
        Entry("tflite", f"2025-01-{day:02}T00:00:00+00:00", p50=day / 3, bundles=["x.run"]) for day in range(1, 29)
    ]

    page.write(entries, tmp_path, tmp_path / "page.html")

    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    data, script = Reader(text).scripts
    told = json.loads(data)
    assert told["columns"]["p50"] == [float(f"{day / 3:.6g}") for day in range(1, 29)]
    assert told["columns"]["label"] == [0] * 28
    allowed = re.search(r"script-src 'sha256-([^']+)'", text)
    assert allowed is not None
    assert base64.b64decode(allowed[1]) == hashlib.sha256(script.encode()).digest()


def test_names_are_text_wherever_they_stand(tmp_path: Path) -> None:
    about = {"model": HOSTILE, "suite": HOSTILE, "machine": HOSTILE, "verdict": "FAIL", "page": "a'\"<b>/i.html"}
    sound = Entry(HOSTILE, "2025-01-01T00:00:00+00:00", bundles=['"><b>.run'], **about)
    hurt = Entry(HOSTILE, bundles=["x.run"], problem=HOSTILE)

    page.write([sound, hurt], tmp_path, tmp_path / "page.html")

    read = Reader((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert len(read.scripts) == 2
    assert not {"img", "b"} & set(read.tags)
    assert json.loads(read.scripts[0])["words"]["label"] == [HOSTILE]


def test_the_newest_of_each_series_and_all_trouble_are_there_without_a_script(tmp_path: Path) -> None:
    place = tmp_path / "folder of runs"
    timed(place / "old.run", day=1)
    timed(place / "new.run", day=2)
    timed(place / "ümlaut #1.run", day=3, label="core")
    timed(place / "partial.run", day=4, status="partial")
    entries = history.index(place)

    page.write(entries, place, tmp_path / "elsewhere.html")

    text = (tmp_path / "elsewhere.html").read_text(encoding="utf-8")
    links = [link for link in Reader(text).links if not link.startswith("#")]
    assert [unquote(link) for link in links] == [
        "folder of runs/ümlaut #1.run", "folder of runs/new.run", "folder of runs/partial.run",
    ]  # fmt: skip
    assert all((tmp_path / unquote(link)).is_dir() for link in links)
    assert "1 of them is damaged, unfinished or failed" in text


# --- the command ---------------------------------------------------------------------------------


def test_the_command_writes_the_page_or_prints_the_index(tmp_path: Path) -> None:
    timed(tmp_path / "x.run")
    timed(tmp_path / "y.run", day=2, status="partial")

    written = run("history", tmp_path, "-o", tmp_path / "page.html")
    printed = run("history", tmp_path, "--json")
    nothing = run("history", tmp_path / "x.run" / "tensors")

    assert (written.returncode, printed.returncode, nothing.returncode) == (0, 0, 2)
    assert written.stdout == f"{tmp_path / 'page.html'}: 2 runs, 1 of them damaged, unfinished or failed\n"
    assert [entry["problem"][:10] for entry in json.loads(printed.stdout)] == ["", "unfinished"]
    assert "no run bundles below it" in nothing.stderr
