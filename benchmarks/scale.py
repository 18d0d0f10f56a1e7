# SPDX-License-Identifier: Apache-2.0
"""Does a comparison stay small when the suite grows? Peak memory, time per case and page size, side by side.

    python benchmarks/scale.py                     # 20, 200 and 2,000 cases, keras against tflite
    python benchmarks/scale.py --cases 20 200 --runtimes tflite tflite:int8

Memory is the highest resident size of each process, looked at 20 times a second from outside.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from make_suite import make_suite

_HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]


def watch(command: list[str]) -> tuple[float, dict[str, int]]:
    """Run a command; its duration in seconds, and the peak resident bytes of itself and of each worker's runtime."""
    start = time.monotonic()
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peaks: dict[str, int] = {}
    while process.poll() is None:
        for member in [process, *process.children(recursive=True)]:
            try:
                words = member.cmdline()
                # ["python", "-m", "harness.worker", "package.module:Runtime"]
                role = words[-1].rpartition(":")[2] if "harness.worker" in words else "harness"
                peaks[role] = max(peaks.get(role, 0), member.memory_info().rss)
            except psutil.Error:
                continue
        time.sleep(0.05)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    return time.monotonic() - start, peaks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, nargs="+", default=[20, 200, 2000])
    parser.add_argument("--runtimes", nargs="+", default=["keras", "tflite"])
    options = parser.parse_args()
    print(f"{'cases':>6}  {'seconds':>8}  {'ms/case':>8}  {'page MB':>8}  peak MB")
    with tempfile.TemporaryDirectory() as scratch:
        for count in options.cases:
            suite, out = Path(scratch) / f"suite-{count}", Path(scratch) / f"out-{count}"
            make_suite(count, suite)
            arguments = ["compare", *options.runtimes, "--profile", "none", "--suite", str(suite), "--out", str(out)]
            seconds, peaks = watch([*_HARNESS, *arguments])
            page = (out / "index.html").stat().st_size / 1e6
            roles = "  ".join(f"{role} {peak / 1e6:.0f}" for role, peak in sorted(peaks.items()))
            print(f"{count:6}  {seconds:8.1f}  {1e3 * seconds / count:8.1f}  {page:8.2f}  {roles}", flush=True)


if __name__ == "__main__":
    main()
