# SPDX-License-Identifier: Apache-2.0
"""``junit.xml``: one test suite per run, one test case per gated pooled figure and per case, for CI servers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from harness.comparison import Comparison, Row, RunSummary
from harness.report import figures
from harness.report.overview import Index, case_of, limit_text, metric_of, would_pass_text
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
    tests = {run.label: list(_tests(run, found)) for run in comparison.runs}
    totals = _totals([test for suite in tests.values() for test in suite])
    yield '<?xml version="1.0" encoding="utf-8"?>\n'
    yield _tag("testsuites", {"name": comparison.name, **totals})
    for run in comparison.runs:
        yield _tag("testsuite", {"name": run.label, **_totals(tests[run.label])})
        yield from map(_test, tests[run.label])
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
    name = metric_of(row)
    text = f"{figures.name(name)} {figures.metric(name, row.value)}"
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
    if tag is None:
        return _tag("testcase", attributes, "/>")
    return _tag("testcase", attributes) + _tag(tag, {"message": test.message}, "/>") + "</testcase>\n"


def _tag(name: str, attributes: dict[str, str], end: str = ">") -> str:
    texts = {key: quoteattr(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)) for key, text in attributes.items()}
    return f"<{' '.join([name, *(f'{key}={text}' for key, text in texts.items())])}{end}\n"
