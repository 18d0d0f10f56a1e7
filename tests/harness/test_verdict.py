# SPDX-License-Identifier: Apache-2.0
"""Which verdict stands for several, and which exit code."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import bundle, contract, model_file, suite
from harness.errors import ExitCode, HarnessError, InvalidError
from harness.verdict import Verdict, exit_code, worst

FROM_GRAVE_TO_GOOD = [Verdict.INVALID, Verdict.FAIL, Verdict.WARN, Verdict.PASS, Verdict.SKIP]


@given(st.lists(st.sampled_from(Verdict), min_size=1))
def test_the_gravest_verdict_stands_for_all(verdicts: list[Verdict]) -> None:
    assert worst(verdicts) is next(v for v in FROM_GRAVE_TO_GOOD if v in verdicts)


def test_nothing_compared_is_invalid() -> None:
    assert worst([]) is Verdict.INVALID
    assert exit_code(worst([])) == 4


@pytest.mark.parametrize(
    ("verdict", "status"),
    [(Verdict.PASS, 0), (Verdict.WARN, 0), (Verdict.FAIL, 1), (Verdict.INVALID, 4), (Verdict.SKIP, 4)],
)
def test_the_exit_status_of_a_verdict(verdict: Verdict, status: int) -> None:
    assert exit_code(verdict) == status


@pytest.mark.parametrize("codes", [c for n in range(1, 6) for c in itertools.combinations([2, 4, 1, 3, 0], n)])
def test_of_several_exit_codes_usage_comes_first_then_invalid_parity_and_performance(codes: tuple[int, ...]) -> None:
    # The combinations keep the order of the list, so that the first one is the one to exit with.
    given_in_any_order = [ExitCode(code) for code in sorted(codes)]

    assert ExitCode.worst(given_in_any_order) == codes[0]
    assert ExitCode.worst(given_in_any_order[::-1]) == codes[0]


def test_an_interruption_comes_before_everything() -> None:
    assert ExitCode.worst(list(ExitCode)) == 130


def test_what_the_user_can_mend_is_usage_and_what_cannot_be_trusted_is_invalid() -> None:
    assert HarnessError.exit_code == suite.SuiteError.exit_code == model_file.ModelError.exit_code == 2
    assert InvalidError.exit_code == bundle.BundleError.exit_code == model_file.DamagedModelError.exit_code == 4
    assert issubclass(InvalidError, HarnessError)
    assert issubclass(contract.ContractError, ValueError)  # NumPy only: it knows no exit codes


def test_verdicts_print_as_their_names() -> None:
    assert f"{Verdict.PASS} {Verdict.INVALID}" == "PASS INVALID"
