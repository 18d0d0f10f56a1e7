# SPDX-License-Identifier: Apache-2.0
"""What a comparison says at a glance: the sentence, the matrix and the figures that every output shows.

Shared by the page, the Markdown and the terminal, so that the three say the same. Verdicts are taken from the
comparison and summed up by ``verdict.worst``; none is computed here, and nothing is read from disk.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from harness.comparison import CaseResult, Comparison, Limit, Row, RunSummary
from harness.report import figures, live, speed
from harness.verdict import Verdict, worst

AGREES = (Verdict.PASS, Verdict.WARN)
ATTENTION = (Verdict.FAIL, Verdict.INVALID)
LANES = ("tensor", "image")


@dataclass(frozen=True)
class Cell:
    """One field of the verdict matrix: a verdict where the gates give one, and a few words."""

    verdict: Verdict | None
    text: str
    note: str = ""


@dataclass(frozen=True)
class MatrixRow:
    run: RunSummary
    cells: list[Cell]


@dataclass
class Index:
    """The comparison's cases and gated rows, found by run and lane."""

    cases: dict[tuple[str, str], list[CaseResult]] = field(default_factory=lambda: defaultdict(list))
    gated: dict[tuple[str, str], list[Row]] = field(default_factory=lambda: defaultdict(list))
    attention: dict[tuple[str, str, str], list[Row]] = field(default_factory=lambda: defaultdict(list))


def index(comparison: Comparison) -> Index:
    """Sort the comparison's cases and gated rows by run and lane, and the rows of a case that did not pass by case."""
    result = Index()
    for case in comparison.cases:
        result.cases[case.run, case.lane].append(case)
    for row in filter(is_gated, comparison.rows):
        result.gated[row.run, row.lane].append(row)
        name = case_of(row)
        if name is not None and row.verdict is not Verdict.PASS:
            result.attention[row.run, row.lane, name].append(row)
    return result


def is_gated(row: Row) -> bool:
    """Whether a row counts for a verdict. A NaN fails without a limit, times that mean nothing are skipped without."""
    return row.limit is not None or row.verdict in ATTENTION or (row.of_performance and row.verdict is Verdict.SKIP)


def metric_of(row: Row) -> str:
    return row.row.rsplit("/", 1)[-1]


def figure_name(row: Row) -> str:
    """What tables call the figure of a row."""
    return speed.name(row) or live.name(row) or figures.name(metric_of(row))


def case_of(row: Row) -> str | None:
    """The case a row speaks of; None for a pooled row. A case's name may hold slashes."""
    return row.row.split("/", 1)[1].rpartition("/")[0] if row.row.startswith("case/") else None


def lanes(comparison: Comparison) -> list[str]:
    """The lanes that any run took part in, tensor before image."""
    present = {lane for run in comparison.runs for lane in [*run.bundles, *run.pooled]}
    present |= {case.lane for case in comparison.cases}
    return [lane for lane in LANES if lane in present]


def gated_rows(found: Index) -> list[Row]:
    """Every pooled gated row, then the rows of single cases that did not pass."""
    rows = [row for rows in found.gated.values() for row in rows]
    pooled = [row for row in rows if case_of(row) is None]
    return pooled + [row for row in rows if case_of(row) is not None and row.verdict is not Verdict.PASS]


# --- sentences -----------------------------------------------------------------------------------


def headline(comparison: Comparison) -> list[str]:
    """The verdict in a few sentences, the gravest first."""
    if comparison.of_live_runs:
        return live.headline(comparison)
    reference = comparison.reference
    others = [run for run in comparison.runs if not run.reference]
    if reference.error:
        return [f"The reference {reference.label} gave no complete result."]
    if not others:
        return [f"{reference.label} was run alone: there is nothing to compare it with."]
    total = int(comparison.suite["cases"])
    failed = _failed_cases(comparison)
    invalid = [run for run in others if run.verdict in (Verdict.INVALID, Verdict.SKIP)]
    sentences = [f"{_names(invalid)} could not be compared."] if invalid else []
    if speed.only_timed(comparison):
        return sentences + _grown(comparison) + speed.sentences(comparison)
    unequal = {row.run for row in comparison.rows if row.verdict is Verdict.FAIL and row.lane in LANES}
    sentences += [_differs(run, reference, len(failed[run.label]), total) for run in others if run.label in unequal]
    if agree := [run for run in others if run not in invalid and run.label not in unequal]:
        whole = len(agree) == len(others) > 1
        who = f"All {len(agree)} runs" if whole else _names(agree)
        verb = "agrees" if len(agree) == 1 else "agree"
        sentences.append(f"{who} {verb} with {reference.label} on {_all(total)}.")
    if reference.verdict is Verdict.FAIL:
        sentences.append(f"The reference {reference.label} itself failed.")
    return sentences + _grown(comparison) + speed.sentences(comparison)


def _grown(comparison: Comparison) -> list[str]:
    """Which model files hold more than their baseline's."""
    rows = [row for row in comparison.rows if row.lane == "model" and row.verdict is Verdict.FAIL]
    return [f"{row.run} has grown: {metric_of(row).replace('_', ' ')} {row.note}." for row in rows]


def _failed_cases(comparison: Comparison) -> dict[str, set[str]]:
    failed: dict[str, set[str]] = defaultdict(set)
    for case in comparison.cases:
        if case.verdict in ATTENTION:
            failed[case.run].add(case.case)
    return failed


def _differs(run: RunSummary, reference: RunSummary, cases: int, total: int) -> str:
    if not cases:
        return f"{run.label} differs from {reference.label} over {_all(total)} together, though on none alone."
    return f"{run.label} differs from {reference.label} on {cases} of {total} cases."


def _all(total: int) -> str:
    return "the only case" if total == 1 else f"all {total} cases"


def _names(runs: list[RunSummary]) -> str:
    labels = [run.label for run in runs]
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"


# --- matrix --------------------------------------------------------------------------------------


def matrix_columns(comparison: Comparison) -> list[str]:
    if comparison.of_live_runs:
        return ["presented", "capture to screen"]
    return [*(f"{lane} lane" for lane in lanes(comparison)), "ground truth", "median frame"]


def matrix(comparison: Comparison, found: Index) -> list[MatrixRow]:
    """The verdict of each run in each lane, against ground truth, and its median frame; of camera applications what
    they showed. Columns as :func:`matrix_columns`."""
    if comparison.of_live_runs:
        return [MatrixRow(run, _live_cells(run)) for run in comparison.runs]
    return [
        MatrixRow(
            run,
            [
                *(_lane_cell(run, lane, found, comparison) for lane in lanes(comparison)),
                _truth_cell(run, lanes(comparison), found),
                _frame_cell(run, comparison, found),
            ],
        )
        for run in comparison.runs
    ]


def lane_verdict(run: RunSummary, lane: str, found: Index) -> Verdict | None:
    """The worst of a run's cases and gated figures against the reference in one lane; None where there are none."""
    rows = [row.verdict for row in found.gated[run.label, lane] if not _is_truth(row)]
    verdicts = rows + [case.verdict for case in found.cases[run.label, lane]]
    if verdicts:
        return worst(verdicts)
    return run.verdict if run.error else None


def _lane_cell(run: RunSummary, lane: str, found: Index, comparison: Comparison) -> Cell:
    if run.reference and not run.error:
        return Cell(None, "reference" if lane in run.bundles else "not run")
    verdict = lane_verdict(run, lane, found)
    if verdict is None:
        return Cell(None, "not run")
    cases = found.cases[run.label, lane]
    agreeing = sum(case.verdict in AGREES for case in cases)
    return Cell(verdict, f"{agreeing} of {comparison.suite.get('cases', len(cases))} cases", run.error)


def _live_cells(run: RunSummary) -> list[Cell]:
    shown = run.live
    if shown is None:
        return [Cell(None, figures.NONE, run.error)] * 2
    counts = f"{figures.rate(shown.presented_fps)} FPS, {figures.count(shown.dropped)} of {shown.captured} dropped"
    time = f"{figures.milliseconds(shown.p50)} ms" if shown.p50 is not None else figures.NONE
    return [Cell(None, counts), Cell(None, time, shown.note or "too few pictures")]


def _truth_cell(run: RunSummary, present: list[str], found: Index) -> Cell:
    rows = [row for lane in present for row in found.gated[run.label, lane] if _is_truth(row)]
    verdict = worst(row.verdict for row in rows) if rows else None
    value = truth(run, "gt_iou")
    text = f"IoU {figures.iou(value)}" if value is not None else figures.NONE
    return Cell(verdict, text, "" if value is not None else run.error or "no ground truth at hand")


def _frame_cell(run: RunSummary, comparison: Comparison, found: Index) -> Cell:
    rows = found.gated[run.label, "timing"]
    verdict = worst(row.verdict for row in rows) if rows else None
    if run.latency is None or run.latency.p50 is None:
        note = run.error or (run.latency.note if run.latency else "") or "not timed"
        return Cell(verdict, figures.NONE, note)
    text = f"{figures.milliseconds(run.latency.p50)} ms"
    row = speed.ratio(comparison, run.label)
    if row is not None and row.value is not None:
        text += f", {row.value:.2f} times as long"
    return Cell(verdict, f"{text}, not valid" if run.latency.note else text, run.latency.note)


def _is_truth(row: Row) -> bool:
    return metric_of(row).startswith("gt_")


# --- figures of a run ----------------------------------------------------------------------------


def worst_of_lanes(run: RunSummary, metric: str, pick: Callable[[Iterable[float]], float]) -> float | None:
    """A pooled metric over both lanes, by ``max`` or ``min``; None where no lane has it."""
    values = [v for v in (pooled.get(metric) for pooled in run.pooled.values()) if v is not None]
    return pick(values) if values else None


def truth(run: RunSummary, metric: str) -> float | None:
    """A metric against ground truth: in the image lane, the whole path, where there is one."""
    values = [run.pooled.get(lane, {}).get(metric) for lane in ("image", "tensor")]
    return next((v for v in values if v is not None), None)


def model_bytes(run: RunSummary) -> int | None:
    return (run.facts.get("model") or {}).get("bytes")


def limit_text(row: Row) -> str:
    """A limit in words: ``≤ 1e-4``, ``≥ 0.98``; empty where there is none."""
    return _limit(row.limit) if row.limit else ""


def _limit(limit: Limit) -> str:
    parts = [f"≤ {figures.exact(limit.max)}" if limit.max is not None else ""]
    parts += [f"≥ {figures.exact(limit.min)}" if limit.min is not None else ""]
    text = " and ".join(filter(None, parts))
    return text + (f" (warns at {figures.exact(limit.warn)})" if limit.warn is not None else "")


def would_pass_text(row: Row) -> str:
    """The smallest tolerance that would pass, such as ``≤ 3.2e-4``; empty where there is none."""
    if row.would_pass is None or row.limit is None:
        return ""
    return f"{'≤' if row.limit.max is not None else '≥'} {figures.exact(row.would_pass)}"
