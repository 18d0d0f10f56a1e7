# SPDX-License-Identifier: Apache-2.0
"""The report's page in a real browser: quiet, whole, readable on a phone, in the dark and by keyboard."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness import comparison as comparisons
from harness import report
from tests.harness.report.made import Runner, compared, make_suite

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
    pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    page.open(written, dark=dark)
    page.evaluate(resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8") + ";null")

    found = page.evaluate(
        "axe.run().then(r => r.violations.map(v => [v.id, v.help, v.nodes.slice(0, 3).map(n => n.html.slice(0, 120))]))"
    )

    assert found == []


def test_printing_unfolds_every_case(page: browser.Page, written: Path) -> None:
    page.open(written)
    folded = "[...document.querySelectorAll('details.case:not([open]) figure')].filter(e => e.checkVisibility()).length"
    assert page.evaluate(folded) == 0

    page.call("Emulation.setEmulatedMedia", media="print")

    assert page.evaluate(folded) > 0
    page.call("Emulation.setEmulatedMedia", media="")
