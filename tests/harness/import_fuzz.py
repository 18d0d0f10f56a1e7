# SPDX-License-Identifier: Apache-2.0
"""An attack on the importer: mutated zips, after each of which nothing but a sound bundle may have come to be."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

from harness import bundle, importing
from harness.cli.import_ import in_words

from .zips import Mutator

EXPECTED: tuple[type[Exception], ...] = ()
"""Errors that an attack passes over: none, but in the test of the attack itself."""


def attack(made: Path, ground: Path, rounds: int, seed: int) -> Counter[str]:
    """Hand mutations of a bundle's zip to the importer.

    Args:
        made: the folder of a complete bundle.
        ground: a folder of its own to do it in; it is made.

    Returns:
        How often each verdict was given.

    Raises:
        AssertionError: something came to be outside the importer's folder, or stayed in it that is no bundle.
    """
    out, file, outside = ground / "a" / "b" / "imported", ground / "sent.run.zip", ground / "outside"
    out.mkdir(parents=True)
    mutator, seen = Mutator(made, outside, seed), Counter[str]()
    before = _everything_but(ground, out)
    for number in range(rounds):
        how, data = mutator.next()
        file.write_bytes(data)
        what = f"round {number}, {how}"
        try:
            outcome = importing.take(file, out)
        except EXPECTED:
            continue
        seen[outcome.verdict] += 1
        [(line, _)] = in_words([outcome])
        assert line.replace("\n", "").isprintable(), f"{what}: {line!r}"
        file.unlink()
        assert _everything_but(ground, out) == before, f"{what}: something came to be outside the folder"
        left = os.listdir(out)
        if outcome.verdict == "imported":
            assert outcome.bundle is not None and left == [outcome.bundle.name], f"{what}: {left}"
            assert not any(path.is_symlink() for path in out.rglob("*")), what
            bundle.open(outcome.bundle).verify()
            shutil.rmtree(outcome.bundle)
        else:
            assert left == [], f"{what}: {outcome} left {left}"
            assert outcome.message, what
    return seen


def _everything_but(ground: Path, out: Path) -> list[str]:
    return sorted(str(path) for path in ground.rglob("*") if not path.is_relative_to(out))
