# SPDX-License-Identifier: Apache-2.0
"""Makes a suite of any number of small cases by varying the shipped one: ``python benchmarks/make_suite.py N OUT``.

For measuring how the harness scales; the pictures say nothing about a model. The same N and seed give the same suite.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness import contract, suite, suite_making
from harness.errors import HarnessError

HEIGHT, WIDTH, MARGIN = 120, 160, 16


def entries(count: int, seed: int = 0) -> Iterator[suite_making.Entry]:
    """``count`` cases of 160×120 pixels: crops of the shipped ones, half of them mirrored, in varying light."""
    random = np.random.Generator(np.random.PCG64(seed))
    size = HEIGHT + MARGIN, WIDTH + MARGIN
    originals = [
        (case, contract.resize(case.read_image(), *size), contract.resize(case.read_mask() * np.uint8(255), *size))
        for case in suite.find(suite.DEFAULT).cases
    ]
    for number in range(count):
        case, image, mask = originals[number % len(originals)]
        top, left = random.integers(0, MARGIN + 1, 2)
        window = slice(top, top + HEIGHT), slice(left, left + WIDTH)
        step = int(random.choice((-1, 1)))
        light = int(random.integers(128, 320))
        varied = np.minimum(image[window].astype(np.int32) * light // 256, 255).astype(np.uint8)
        yield suite_making.Entry(
            f"case-{number:05d}", varied[:, ::step], mask[window][:, ::step] > 127, case.tags, f"varied from {case.id}"
        )


def make_suite(count: int, out: str | Path, seed: int = 0) -> suite.Suite:
    """Write the suite; see :func:`harness.suite.write`."""
    return suite_making.write(out, f"generated-{count}", entries(count, seed), compression=1)


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[1].isdigit():
        sys.exit("usage: python benchmarks/make_suite.py N OUT")
    try:
        made = make_suite(int(sys.argv[1]), sys.argv[2])
    except HarnessError as error:
        sys.exit(f"error: {error}")
    sys.stdout.write(f"{made.root}: {len(made.cases)} cases, sha256 {made.sha256}\n")
