# SPDX-License-Identifier: Apache-2.0
"""The report's page in a real browser: quiet, whole, readable on a phone, in the dark and by keyboard."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness import comparison as comparisons
from harness import report
from tests.harness import recordings
from tests.harness.bundles import PHONE, phone_conditions
from tests.harness.report.made import SPEED_GATES, Runner, compared, make_suite, timed

from . import browser

pytestmark = pytest.mark.system

HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>" + "x" * 80
# Everything that the keyboard must reach: links, folds and scrollable regions that are not folded away.
REACHABLE = "[...document.querySelectorAll('a[href], summary, [tabindex]')].filter(e => e.checkVisibility())"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with all that can be on one: runs that agree, differ and broke off, and names that want to be markup."""
    folder = tmp_path_factory.mktemp("report")
    suite = make_suite(folder / "figures", [f"figure-{number}" for number in range(5)])
    runners = [
        Runner("keras"),
        *(Runner(f"tflite:variant-{n}", lambda p, number: p + np.float32(3e-5)) for n in range(5)),
        Runner("shifted", lambda p, number: np.roll(p, number, axis=1)),
        Runner("swift", facts={"device": PHONE, "conditions": phone_conditions(["nominal"] * 5 + ["fair"] * 15)}),
        Runner("core", error="the worker died of signal 11 (SIGSEGV)", frames=0),
    ]
    comparison = compared(folder, suite, runners, command="harness compare keras " + "tflite:variant " * 20)
    text = comparison.to_json().replace('"shifted"', json.dumps(HOSTILE)).replace('"figure-2"', json.dumps(HOSTILE))
    finding = comparisons.Finding(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    return report.write(dataclasses.replace(comparisons.from_json(text), findings=[finding] * 3), folder, suite)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Page]:
    program = browser.find()
    if program is None:
        pytest.skip("no chromium: apt-get install chromium")
    with browser.start(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def test_the_page_asks_for_nothing_but_itself_and_writes_nothing_to_the_console(
    page: browser.Page, written: Path
) -> None:
    page.open(written)

    assert [address for address in page.requests if not address.startswith("data:")] == [written.as_uri()]
    assert page.messages == []
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")


def test_the_policy_forbids_scripts_and_the_network(page: browser.Page, written: Path, tmp_path: Path) -> None:
    """The browser itself refuses what the page must never do, should an escape ever be forgotten."""
    intruded = tmp_path / "index.html"
    intrusion = "<script>document.title = 'taken'</script><img src='https://127.0.0.1/x.png'></body>"
    intruded.write_text(written.read_text(encoding="utf-8").replace("</body>", intrusion), encoding="utf-8")

    page.open(intruded)

    assert page.evaluate("document.title") != "taken"
    assert len(page.messages) == 2
    assert all("Content Security Policy" in message for message in page.messages)


def test_a_hostile_name_is_shown_as_text(page: browser.Page, written: Path) -> None:
    page.open(written)

    assert page.evaluate("document.title") == "INVALID · figures"
    assert page.evaluate("document.scripts.length") == 0
    assert page.evaluate("document.querySelectorAll('img[onerror]').length") == 0
    assert page.evaluate("document.body.innerText").count("<script>") >= 10


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_page_never_scrolls_sideways_its_tables_do(page: browser.Page, written: Path, width: int) -> None:
    page.open(written, width)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")

    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate("[...document.querySelectorAll('.scroll')].some(e => e.scrollWidth > e.clientWidth)")


def test_the_page_follows_the_readers_scheme(page: browser.Page, written: Path) -> None:
    brightness = {}
    for dark in (False, True):
        page.open(written, dark=dark)
        picture = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
        brightness[dark] = float(np.median(picture))

    assert brightness[False] > 230
    assert brightness[True] < 50


def test_tab_reaches_every_link_fold_and_scrollable_region_and_shows_where_it_is(
    page: browser.Page, written: Path
) -> None:
    page.open(written)
    page.evaluate(f"globalThis.expected = {REACHABLE}; globalThis.reached = []")
    for _ in range(page.evaluate("expected.length")):
        page.press_tab()
        page.evaluate(
            "reached.push([document.activeElement, getComputedStyle(document.activeElement).outlineStyle]), null"
        )

    assert page.evaluate("expected.length") > 30
    assert page.evaluate("reached[0][0].textContent") == "Skip to the verdict"
    assert (
        page.evaluate("expected.filter(e => !reached.some(r => r[0] === e)).map(e => e.outerHTML.slice(0, 80))") == []
    )
    assert page.evaluate("reached.every(r => r[1] === 'solid')")


def test_headings_form_an_outline_and_regions_have_names(page: browser.Page, written: Path) -> None:
    page.open(written)
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))")

    assert [n for n, level in enumerate(levels) if level == 1] == [0]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert page.evaluate("[...document.querySelectorAll('[role=region], section, nav')].every(e => "
                         "e.ariaLabel || e.getAttribute('aria-labelledby'))")  # fmt: skip
    assert page.evaluate("[...document.images].every(i => i.alt)")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_accessibility_violation(page: browser.Page, written: Path, dark: bool) -> None:
    page.open(written, dark=dark)

    assert browser.axe_violations(page) == []


def test_printing_unfolds_every_case(page: browser.Page, written: Path) -> None:
    page.open(written)
    folded = "[...document.querySelectorAll('details.case:not([open]) figure')].filter(e => e.checkVisibility()).length"
    assert page.evaluate(folded) == 0

    page.call("Emulation.setEmulatedMedia", media="print")

    assert page.evaluate(folded) > 0
    page.call("Emulation.setEmulatedMedia", media="")


# --- figures of speed ----------------------------------------------------------------------------

FIGURES = ("ratios", "accuracy", "stages", "distribution", "over-time", "starts", "paced", "sustained", "sizes")
# From a heading to the end of what belongs to it, in pixels of the page.
PLACE = """(name => {
  const head = document.getElementById(name);
  let last = head;
  while (last.nextElementSibling && last.nextElementSibling.tagName !== "H3") last = last.nextElementSibling;
  const [top, bottom] = [head.getBoundingClientRect().bottom, last.getBoundingClientRect().bottom];
  return [scrollY + top, bottom - top];
})"""


@pytest.fixture(scope="module")
def speed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of runs that were timed beside each other, with all that may be recorded of that."""
    folder = tmp_path_factory.mktemp("speed")
    suite = make_suite(folder / "figures", ["ada", "grace"])
    shift = {"change": lambda p, number: np.roll(p, 2, axis=1)}
    runners = [
        timed("tflite:fp32"),
        timed("tflite:int8@tflite-runtime==2.14.0", 0.9, seed=1, **shift),
        *(timed(f"core:variant-{n}", 0.4 + 0.8 * n, drift=0.2, seed=n + 2) for n in range(6)),
    ]
    return report.write(compared(folder, suite, runners, gates_text=SPEED_GATES), folder, suite)


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cameras")
    paths = [
        recordings.write(
            folder / f"{label}.run", recordings.recording(latency=25 + 20 * n, drops=0.2 * n, seed=n), label=label
        )
        for n, label in enumerate(("rtpy", "rtcpp"))
    ]
    return report.write(recordings.compared(*paths), folder / "report")


def drawn(page: browser.Page, name: str, width: int) -> set[tuple[int, ...]]:
    """The colours between a heading and the next, those of a few pixels (edges of letters) left out."""
    top, height = page.evaluate(f"{PLACE}({json.dumps(name)})")
    clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
    shot = page.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(shot["data"]), np.uint8), cv2.IMREAD_COLOR)
    colours, counts = np.unique(picture.reshape(-1, 3), axis=0, return_counts=True)
    return {tuple(map(int, colour)) for colour, count in zip(colours, counts, strict=True) if count >= 20}


def coloured(colours: set[tuple[int, ...]]) -> set[tuple[int, ...]]:
    """Those that are neither paper nor ink."""
    return {colour for colour in colours if max(colour) - min(colour) > 40}


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (400, False)])
def test_every_figure_of_speed_draws_something(page: browser.Page, speed: Path, width: int, dark: bool) -> None:
    page.open(speed, width, dark)

    assert page.messages == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    for name in FIGURES:
        colours = drawn(page, name, width)
        assert len(colours) > 2, name  # more than paper and ink
        assert coloured(colours), name


def test_each_run_has_a_colour_or_a_dash_of_its_own(page: browser.Page, speed: Path) -> None:
    page.open(speed)
    looks = page.evaluate(
        "[...document.querySelectorAll('#distribution ~ .plot .sample path')].slice(0, 8)"
        ".map(e => [getComputedStyle(e).stroke, getComputedStyle(e).strokeDasharray].join())"
    )

    assert len(looks) == len(set(looks)) == 8


def test_no_label_of_an_axis_lies_on_another_or_outside(page: browser.Page, speed: Path) -> None:
    for width in (400, 1280):
        page.open(speed, width)
        places = page.evaluate(
            "[...document.querySelectorAll('#speed .axis')].map(a => [...a.querySelectorAll('span')]"
            ".map(s => s.getBoundingClientRect()).map(r => [r.left, r.right]))"
        )

        assert len(places) > 10
        for axis in places:
            assert all(left[1] <= right[0] for left, right in itertools.pairwise(axis)), axis
            assert all(left >= 0 and right <= width for left, right in axis), axis


def test_cameras_beside_each_other_are_drawn_and_quiet(page: browser.Page, cameras: Path) -> None:
    for width, dark in ((1280, False), (400, True)):
        page.open(cameras, width, dark)

        assert page.messages == []
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert coloured(drawn(page, "ratios", width))
        assert page.evaluate(
            "[...document.querySelectorAll('.interval')].every(e => e.getBoundingClientRect().width > 0)"
        )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_accessibility_violation_in_figures_of_speed(
    page: browser.Page, speed: Path, cameras: Path, dark: bool
) -> None:
    for path in (speed, cameras):
        page.open(path, dark=dark)

        assert browser.axe_violations(page) == []
