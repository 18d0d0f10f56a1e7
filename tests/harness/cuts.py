# SPDX-License-Identifier: Apache-2.0
"""What an interruption leaves of a bundle: every state between two of its files, in the order they are written; and
whom such a bundle lets finish it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from harness import conditions

IDENTITY = (
    *(f"device.{part}" for part in (*conditions.MACHINE, "os")),
    *("build.compiler", "build.configuration", "build.simd", "tool.version", "runtime.version"),
)
"""Facts of the machine and of the software, in which a run must agree with an interrupted one to finish it, whatever
language writes it; by their keys in ``run.json``."""


def cut_off(bundle: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Each state of a complete bundle while it was written, with a name, as its files by their paths: after each file,
    and with the next one half written: under its temporary name, or as a torn line of the table that grows in place."""
    facts = json.loads((bundle / "run.json").read_bytes())
    partial = json.dumps({**facts, "status": "partial", "error": None}).encode()
    rows = (bundle / "samples.csv").read_bytes().splitlines(keepends=True)
    steps = [("run.json", partial), ("samples.csv", rows[0])]
    for number, case in enumerate(facts["suite"]["cases"], start=1):
        tensor = f"tensors/{case['id']}.npy"
        steps.append((tensor, (bundle / tensor).read_bytes()))
        if len(rows) > 1:
            steps.append(("samples.csv", b"".join(rows[: number + 1])))
    steps += [(name, (bundle / name).read_bytes()) for name in ("run.json", "checksums.txt")]
    files: dict[str, bytes] = {}
    for name, data in steps:
        yield f"before {name}, {len(files)} files", dict(files)
        path = Path(name)
        there = files.get(name, b"")
        if name == "samples.csv" and there:
            torn = {name: data[: (len(there) + len(data)) // 2]}
        else:
            torn = {str(path.with_name(f".{path.name}.tmp4711")): data[: len(data) // 2]}
        yield f"inside {name}, {len(files)} files", {**files, **torn}
        files[name] = data


def put_down(files: dict[str, bytes], folder: Path) -> None:
    """Write such a state."""
    (folder / "tensors").mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
