# SPDX-License-Identifier: Apache-2.0
"""Which tolerance applies to a figure, what follows from it, and what is said of a gates file that is none."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness import gates
from harness.comparison import Limit
from harness.errors import HarnessError
from harness.resources import default_gates
from harness.verdict import Verdict


def written(folder: Path, text: str) -> Path:
    path = folder / "gates.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, *entries: str) -> gates.Gates:
    return gates.load(written(folder, "version: 1\ngates:\n" + "".join(f"- {{{entry}}}\n" for entry in entries)))


# --- the shipped file ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "row", "limit"),
    [
        ("fp32", "pooled/max_abs", Limit(max=1e-4)),
        ("fp32", "case/a-b.c/max_abs", Limit(max=1e-4)),
        ("fp16", "pooled/mask_iou", Limit(min=0.995)),
        ("int8", "pooled/mask_iou", Limit(min=0.98)),
        ("int8", "pooled/gt_iou_delta", Limit(min=-0.01)),
        ("keras", "pooled/gt_iou_delta", Limit(min=-0.01)),
        ("int8", "pooled/psnr", None),
    ],
)
@pytest.mark.parametrize("lane", ["tensor", "image"])
def test_the_shipped_tolerances(variant: str, lane: str, row: str, limit: Limit | None) -> None:
    assert gates.load(default_gates()).limit(variant, lane, row) == limit


@pytest.mark.parametrize("variant", ["keras", "fp32", "fp16", "dyn8", "int8"])
def test_every_variant_has_a_gate_of_its_own_in_both_lanes(variant: str) -> None:
    shipped = gates.load(default_gates())

    for lane in ("tensor", "image"):
        assert shipped.limit(variant, lane, "pooled/mask_iou"), lane


def test_a_gates_file_is_known_by_its_content(tmp_path: Path) -> None:
    text = "version: 1\ngates: []\n"

    facts = gates.load(written(tmp_path, text)).facts()

    assert facts == {"name": "gates.yaml", "version": 1, "sha256": hashlib.sha256(text.encode()).hexdigest()}


# --- which entry applies -------------------------------------------------------------------------


def test_the_first_entry_that_matches_applies(tmp_path: Path) -> None:
    file = load(
        tmp_path,
        "variant: int8, lane: tensor, row: pooled/mask_iou, min: 0.1",
        "variant: int8, row: 'pooled/*', min: 0.2",
        "variant: '?p*', row: '*/mask_iou', min: 0.3",
        "row: 'case/[ab]/*', min: 0.4",
    )

    found = {
        key: limit and limit.min
        for key in [
            ("int8", "tensor", "pooled/mask_iou"),
            ("int8", "image", "pooled/mask_iou"),
            ("fp16", "image", "pooled/mask_iou"),
            ("fp16", "image", "case/a/mask_iou"),
            ("int8", "image", "case/b/cosine"),
            ("int8", "image", "case/c/cosine"),
            ("INT8", "tensor", "pooled/mask_iou"),
        ]
        for limit in [file.limit(*key)]
    }

    assert list(found.values()) == [0.1, 0.2, 0.3, 0.3, 0.4, None, None]


@pytest.mark.parametrize(
    ("entries", "tolerance"),
    [
        (("row: '*/p99_abs', max: 0.1", "row: '*/max_abs', max: 0.5"), 0.5),
        (("row: '*/p99_abs', max: 0.1",), 0.1),
        (("row: pooled/max_abs, min: 0.0", "row: '*/p99_abs', max: 0.1"), 0.1),
        (("row: '*/mean_abs', max: 0.1",), None),
    ],
)
def test_the_accepted_tensor_error_is_that_of_every_pixel_or_else_of_most(
    tmp_path: Path, entries: tuple[str, ...], tolerance: float | None
) -> None:
    assert load(tmp_path, *entries).tensor_tolerance("int8", "image") == tolerance


# --- what follows --------------------------------------------------------------------------------

figures = st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-12)


def verdict(value: float, limit: Limit) -> Verdict:
    return gates.judge("tflite", "image", "pooled/x", value, limit).verdict


@given(figures, figures)
def test_a_figure_fails_beyond_its_tolerance_and_only_there(value: float, bound: float) -> None:
    assert verdict(value, Limit(max=bound)) is (Verdict.FAIL if value > bound else Verdict.PASS)
    assert verdict(value, Limit(min=bound)) is (Verdict.FAIL if value < bound else Verdict.PASS)


@pytest.mark.parametrize(
    ("value", "expected"), [(1.0, "PASS"), (1.5, "PASS"), (1.6, "WARN"), (2.0, "WARN"), (2.1, "FAIL")]
)
def test_a_figure_between_warning_and_tolerance_is_a_warning(value: float, expected: str) -> None:
    assert verdict(value, Limit(max=2.0, warn=1.5)) == expected
    assert verdict(-value, Limit(min=-2.0, warn=-1.5)) == expected


def test_a_figure_without_a_tolerance_is_reported_and_one_that_does_not_exist_is_skipped() -> None:
    reported = gates.judge("tflite", "image", "pooled/psnr", 50.0, None, "a note")
    missing = gates.judge("tflite", "image", "pooled/psnr", None, Limit(min=40.0))

    assert (reported.verdict, reported.would_pass, reported.note) == (Verdict.PASS, None, "a note")
    assert (missing.verdict, missing.would_pass, missing.limit) == (Verdict.SKIP, None, Limit(min=40.0))


@given(figures, st.sampled_from(["max", "min"]))
@example(0.0, "max")
@example(9.995e-5, "max")
@example(-0.0123449, "min")
@example(0.9995, "min")
@example(1e-5, "max")
def test_the_tolerance_that_would_pass_does_and_little_less_would_not(value: float, side: str) -> None:
    tolerance = gates.judge("tflite", "image", "pooled/x", value, Limit(**{side: 0.0})).would_pass

    assert tolerance is not None
    assert verdict(value, Limit(**{side: tolerance})) is Verdict.PASS
    # Printed with three digits: a tolerance stricter by one in the third digit fails.
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 2) if value else 1e-12
    stricter = tolerance - 1.001 * step if side == "max" else tolerance + 1.001 * step
    assert verdict(value, Limit(**{side: stricter})) is Verdict.FAIL
    digits = f"{tolerance:.2e}"
    assert tolerance == value or float(digits) == pytest.approx(tolerance, rel=1e-5)


@pytest.mark.parametrize(
    ("value", "limit", "would_pass"),
    [
        (0.012341, Limit(max=1e-4), 0.0124),
        (0.98765, Limit(min=0.99), 0.987),
        (-0.01234, Limit(min=-0.01), -0.0124),
        (3.2e-6, Limit(max=1e-4), 3.2e-6),
        (0.0, Limit(max=0.0), 0.0),
        (1.0, Limit(min=0.5), 1.0),
    ],
)
def test_what_would_pass_is_given_in_three_digits(value: float, limit: Limit, would_pass: float) -> None:
    assert gates.judge("tflite", "image", "pooled/x", value, limit).would_pass == would_pass


# --- files that cannot be used -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a gates file"),
        ("- 1\n", "not a gates file"),
        ("version: 2\ngates: []\n", "version: 1"),
        ("version: 1\n", "a list `gates`"),
        ("version: 1\ngates: {row: x}\n", "a list `gates`"),
        ("version: [\n", "cannot read the gates"),
        ("version: 1\ngates: !!python/object/apply:os.getcwd []\n", "cannot read the gates"),
        ("\x00", "cannot read the gates"),
        ("version: 1\ngates:\n- {row: x, max: 1}\n- {max: 1}\n", "gate 2: expected keys .*row"),
        ("version: 1\ngates:\n- pooled/x\n", "gate 1: expected keys"),
        ("version: 1\ngates:\n- {row: x, maximum: 1}\n", "gate 1: unknown key maximum; known: .*max"),
        ("version: 1\ngates:\n- {row: x, max: 1, 7: 1}\n", "gate 1: unknown key 7"),
        ("version: 1\ngates:\n- {row: x}\n", "gate 1: give either min or max"),
        ("version: 1\ngates:\n- {row: x, min: 0, max: 1}\n", "gate 1: give either min or max"),
        ("version: 1\ngates:\n- {row: x, max: 1e-4}\n", "gate 1: max is '1e-4', expected a finite number"),
        ("version: 1\ngates:\n- {row: x, max: true}\n", "gate 1: max is True, expected a finite number"),
        ("version: 1\ngates:\n- {row: x, min: .nan}\n", "gate 1: min is nan, expected a finite number"),
        ("version: 1\ngates:\n- {row: x, max: 1, warn: .inf}\n", "gate 1: warn is inf, expected a finite number"),
    ],
)
def test_a_file_that_is_no_gates_file_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(HarnessError, match=rf"gates\.yaml: (.|\n)*{message}") as caught:
        gates.load(written(tmp_path, text))

    assert caught.value.exit_code == 2


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "gates.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(HarnessError, match=r"gates\.yaml: cannot read the gates"):
        gates.load(path)


# --- figures with an interval --------------------------------------------------------------------

ENDS = st.floats(0.01, 100.0)


@given(st.tuples(ENDS, ENDS, ENDS).map(sorted), st.floats(0.01, 100.0), st.booleans())
def test_an_interval_fails_where_all_of_it_lies_beyond_and_passes_where_none_does(
    figures: list[float], bound: float, at_most: bool
) -> None:
    low, value, high = figures
    limit = Limit(max=bound) if at_most else Limit(min=bound)

    row = gates.judge_interval("run", "timing", "live/p50/ratio", value, (low, high), limit)

    beyond = [end > bound if at_most else end < bound for end in (low, high)]
    assert row.verdict is (Verdict.FAIL if all(beyond) else Verdict.WARN if any(beyond) else Verdict.PASS)
    assert row.would_pass is not None
    loosened = Limit(max=row.would_pass) if at_most else Limit(min=row.would_pass)
    assert gates.judge_interval("run", "timing", "row", value, (low, high), loosened).verdict is Verdict.PASS


def test_an_interval_within_its_tolerance_warns_where_the_figure_is_beyond_the_one_for_warnings() -> None:
    limit = Limit(min=0.5, warn=0.9)
    verdicts = [gates.judge_interval("r", "timing", "x", v, (v - 0.05, v + 0.05), limit).verdict for v in (0.92, 0.8)]

    assert verdicts == [Verdict.PASS, Verdict.WARN]


def test_without_a_tolerance_an_interval_is_reported() -> None:
    row = gates.judge_interval("run", "timing", "live/p99/ratio", 9.0, (8.0, 10.0), None, "another machine")

    assert (row.verdict, row.interval, row.would_pass, row.note) == (Verdict.PASS, (8.0, 10.0), None, "another machine")
