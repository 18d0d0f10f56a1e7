# SPDX-License-Identifier: Apache-2.0
"""The page of ten thousand runs in a real browser: soon there, filtered, looked into, zoomed, by mouse and keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness import history
from harness.report import history as report
from tests import scripts

from . import browser

pytestmark = pytest.mark.system

RUNS = 10_000
INTERACTIVE = 5000  # milliseconds from asking for the page to charts that are drawn and listen
FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
READY = """new Promise(done => { const look = () =>
  document.documentElement.dataset.ready ? done() : setTimeout(look, 20); look(); })"""
SHOWN = "Number(document.getElementById('count').textContent.split(' of ')[0].replace(',', ''))"
PIXELS = """[...document.querySelectorAll('#charts canvas')].map(c => {
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;
  for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; })"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    benchmark = scripts.load("benchmarks/history.py")
    benchmark.make(folder, RUNS)
    entries = history.index(folder)
    assert len(entries) == RUNS
    report.write(entries, folder, folder / "history.html")
    return folder / "history.html"


@pytest.fixture(scope="module")
def program() -> str:
    found = browser.find()
    if found is None:
        pytest.skip("no chromium: apt-get install chromium")
    return found


@pytest.fixture(scope="module")
def tab(program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Page]:
    with browser.start(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def page(tab: browser.Page, written: Path) -> browser.Page:
    """The page, loaded and ready."""
    tab.open(written)
    tab.evaluate(READY)
    return tab


def mouse(page: browser.Page, kind: str, x: float, y: float, **more: object) -> None:
    page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)


def chart(page: browser.Page) -> tuple[float, float, float, float]:
    """Left, top, width and height of the first chart, in the window."""
    page.evaluate("document.querySelector('#charts canvas').scrollIntoView({block: 'center', behavior: 'instant'})")
    box = "(b => [b.left, b.top, b.width, b.height])(document.querySelector('#charts canvas').getBoundingClientRect())"
    left, top, width, height = page.evaluate(box)
    return left, top, width, height


def drag(page: browser.Page, start: float, end: float) -> None:
    """Across the first chart, from and to these shares of its width."""
    left, top, width, height = chart(page)
    y = top + height / 2
    mouse(page, "mousePressed", left + start * width, y, button="left", buttons=1, clickCount=1)
    for share in np.linspace(start, end, 5):
        mouse(page, "mouseMoved", left + share * width, y, button="left", buttons=1)
    mouse(page, "mouseReleased", left + end * width, y, button="left", clickCount=1)
    page.evaluate(FRAMES)


def press(page: browser.Page, key: str) -> None:
    text = {"text": key} if len(key) == 1 else {}
    page.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
    page.call("Input.dispatchKeyEvent", type="keyUp", key=key)
    page.evaluate(FRAMES)


def test_ten_thousand_runs_are_drawn_soon_and_fit_in_a_mail(page: browser.Page, written: Path) -> None:
    assert page.evaluate("Number(document.documentElement.dataset.ready)") < INTERACTIVE
    assert written.stat().st_size < 3e6
    assert page.evaluate("document.querySelectorAll('*').length") < 10_000
    assert all(count > 1000 for count in page.evaluate(PIXELS))
    assert page.messages == []
    assert [address for address in page.requests if not address.startswith("data:")] == [written.as_uri()]


def test_filters_leave_what_they_say(page: browser.Page) -> None:
    choose = "(e => { e.value = %r; e.dispatchEvent(new Event('change')) })(document.forms[0].elements.machine)"
    page.evaluate(choose % "-1")
    assert page.evaluate(SHOWN) == RUNS
    page.evaluate("document.querySelectorAll('#targets input')[0].click()")
    without = page.evaluate(SHOWN)
    assert RUNS * 0.75 < without < RUNS * 0.85

    page.evaluate("document.querySelectorAll('#targets input')[0].click()")
    page.evaluate(choose % "0")
    machine = page.evaluate("document.forms[0].elements.machine.selectedOptions[0].text")
    assert machine.endswith(f"({page.evaluate(SHOWN)})")

    page.evaluate(
        "(e => { e.value = 'tflite int8'; e.dispatchEvent(new Event('input')) })(document.forms[0].elements.words)"
    )
    page.evaluate("new Promise(done => setTimeout(done, 300))")
    labels = page.evaluate("[...document.querySelectorAll('#rows th')].map(e => e.textContent)")
    assert set(labels) == {"tflite:int8"}
    assert len(labels) == 100
    page.evaluate("document.getElementById('more').click()")
    assert page.evaluate("document.querySelectorAll('#rows tr').length") == 300


def test_the_mouse_tells_of_a_run_keeps_it_and_looks_closer(page: browser.Page) -> None:
    left, top, width, height = chart(page)
    tip = "[...document.querySelectorAll('.tip')].filter(e => !e.hidden).map(e => e.innerText).join()"
    told = ""
    for y in np.linspace(top + 10, top + height - 30, 12):
        mouse(page, "mouseMoved", left + width / 2, float(y))
        told = page.evaluate(tip)
        if told:
            mouse(page, "mousePressed", left + width / 2, float(y), button="left", clickCount=1)
            mouse(page, "mouseReleased", left + width / 2, float(y), button="left", clickCount=1)
            break
    label = told.split(":")[0]
    assert label in ("core", "keras", "tflite")
    kept = page.evaluate("document.getElementById('kept').textContent")
    assert kept.startswith(label) and "Latency, p50 (ms)" in kept
    link = page.evaluate("document.querySelector('#kept a[href$=\".run\"]').href")
    assert Path(link.removeprefix("file://")).is_dir()

    before = page.evaluate(SHOWN)
    drag(page, 0.4, 0.6)
    closer = page.evaluate(SHOWN)
    assert 0.1 < closer / before < 0.35
    drag(page, 0.4, 0.6)
    assert page.evaluate(SHOWN) < closer / 2
    page.evaluate("document.getElementById('whole').click()")
    assert page.evaluate(SHOWN) == before


def test_the_keyboard_does_all_of_it(page: browser.Page) -> None:
    page.evaluate("document.querySelector('#charts canvas').focus()")
    before = page.evaluate(SHOWN)
    tip = "document.querySelector('.tip').hidden ? '' : document.querySelector('.tip').innerText"
    press(page, "End")
    last = page.evaluate(tip)
    press(page, "ArrowLeft")
    assert page.evaluate(tip) not in ("", last)
    press(page, "ArrowRight")
    assert page.evaluate(tip) == last

    press(page, "Enter")
    assert page.evaluate("document.querySelectorAll('#kept a').length") == 2
    press(page, "+")
    assert page.evaluate(SHOWN) < before
    press(page, "Escape")
    assert page.evaluate(SHOWN) == before


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_never_scrolls_sideways(page: browser.Page, width: int) -> None:
    page.resize(width)
    page.evaluate(FRAMES)

    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.resize(1280)


def test_the_page_follows_the_readers_scheme(tab: browser.Page, written: Path) -> None:
    brightness = {}
    for dark in (False, True):
        tab.open(written, dark=dark)
        tab.evaluate(FRAMES)
        picture = cv2.imdecode(np.frombuffer(tab.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
        brightness[dark] = float(np.median(picture))

    assert brightness[False] > 230
    assert brightness[True] < 50


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_accessibility_violation(tab: browser.Page, written: Path, dark: bool) -> None:
    tab.open(written, dark=dark)

    assert browser.axe_violations(tab) == []


def test_without_a_script_the_newest_runs_and_the_trouble_are_there(tab: browser.Page, written: Path) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(written)
        text = tab.evaluate("document.body.innerText")
        trouble = tab.evaluate("document.getElementById('trouble').textContent")
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)

    assert "need JavaScript" in text
    assert "core:int8" in text
    assert "the worker died of signal 11" in trouble
    assert "Zoom in" not in text
