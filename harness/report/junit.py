# SPDX-License-Identifier: Apache-2.0
"""``junit.xml``: one test suite per run, one test case per gated figure over all cases and per case, for CI servers.

FAIL is a failure, INVALID an error, SKIP skipped; WARN passes and says why in ``system-out``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from harness.comparison import Comparison, Row, RunSummary
from harness.report import figures
from harness.report.overview import Index, case_of, figure_name, limit_text, metric_of, would_pass_text
from harness.verdict import Verdict

_TAGS = {Verdict.FAIL: "failure", Verdict.INVALID: "error", Verdict.SKIP: "skipped"}
# Characters that XML 1.0 cannot carry at all, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class _Test:
    group: str
    name: str
    verdict: Verdict
    message: str


def lines(comparison: Comparison, found: Index) -> Iterator[str]:
    """The file's text, one test suite at a time."""
    return document(comparison.name, [(run, found) for run in comparison.runs])


def document(name: str, runs: Sequence[tuple[RunSummary, Index]]) -> Iterator[str]:
    """The same for runs of several comparisons, each with its comparison's index."""
    tests = {run.label: list(_tests(run, found)) for run, found in runs}
    totals = _totals([test for suite in tests.values() for test in suite])
    yield '<?xml version="1.0" encoding="utf-8"?>\n'
    yield _tag("testsuites", {"name": name, **totals})
    for label, suite in tests.items():
        yield _tag("testsuite", {"name": label, **_totals(suite)})
        yield from map(_test, suite)
        yield "</testsuite>\n"
    yield "</testsuites>\n"


def _tests(run: RunSummary, found: Index) -> Iterator[_Test]:
    if run.error:
        yield _Test(run.label, "run", Verdict.INVALID, run.error)
    for (label, lane), rows in found.gated.items():
        if label == run.label:
            group = f"{run.label}.{lane}"
            yield from (_Test(group, row.row, row.verdict, explain(row)) for row in rows if case_of(row) is None)
    for (label, lane), cases in found.cases.items():
        if label != run.label:
            continue
        for case in cases:
            rows = found.attention.get((run.label, lane, case.case), [])
            message = "; ".join([case.note] * bool(case.note) + [explain(row) for row in rows])
            yield _Test(f"{run.label}.{lane}", f"case/{case.case}", case.verdict, message)


def explain(row: Row) -> str:
    """A figure beside its limit and the smallest tolerance that would pass, in one line."""
    text = f"{figure_name(row)} {figures.metric(metric_of(row), row.value)}"
    text += f", limit {limit_text(row)}" if row.limit else ""
    text += f", would pass with {would_pass_text(row)}" if row.would_pass is not None else ""
    return text + (f" ({row.note})" if row.note else "")


def _totals(tests: list[_Test]) -> dict[str, str]:
    seen = Counter(test.verdict for test in tests)
    counts = {"tests": len(tests), "failures": seen[Verdict.FAIL], "errors": seen[Verdict.INVALID]}
    return {name: str(n) for name, n in {**counts, "skipped": seen[Verdict.SKIP]}.items()}


def _test(test: _Test) -> str:
    attributes = {"classname": test.group, "name": test.name}
    tag = _TAGS.get(test.verdict)
    if test.verdict is Verdict.WARN:  # passes, and a server shows what it printed
        said = escape(_clean(f"WARN: {test.message}"))
        return _tag("testcase", attributes) + f"<system-out>{said}</system-out>\n</testcase>\n"
    if tag is None:
        return _tag("testcase", attributes, "/>")
    about = (
        {"message": test.message}
        if test.verdict is Verdict.SKIP
        else {"message": test.message, "type": str(test.verdict)}
    )
    return _tag("testcase", attributes) + _tag(tag, about, "/>") + "</testcase>\n"


def _tag(name: str, attributes: dict[str, str], end: str = ">") -> str:
    texts = {key: quoteattr(_clean(text)) for key, text in attributes.items()}
    return f"<{' '.join([name, *(f'{key}={text}' for key, text in texts.items())])}{end}\n"


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
