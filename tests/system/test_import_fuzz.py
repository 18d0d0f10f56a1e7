# SPDX-License-Identifier: Apache-2.0
"""10,000 mutated zips against the importer; the plain tests try 300 others."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest

from tests.harness import import_fuzz
from tests.harness.bundles import write

pytestmark = pytest.mark.system

ROUNDS = 10_000


def test_ten_thousand_mutated_zips_neither_crash_nor_leave_anything_outside(tmp_path: Path) -> None:
    frames = [
        {"phase": "steady", "restart": 0, "block": 0, "case": "a", "start_ns": n, "total_ns": 7} for n in range(9)
    ]
    made = write(tmp_path / "0.run", {case: np.full((4, 3), 0.25, np.float32) for case in "abc"}, frames)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    seen = import_fuzz.attack(made, tmp_path / "ground", ROUNDS, seed=20)

    assert sum(seen.values()) == ROUNDS
    assert seen["refused"] > ROUNDS // 2
    assert seen["imported"] > ROUNDS // 20
    # No bomb was unpacked into memory (kilobytes on Linux); 80 MB are packed by this test itself.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000
