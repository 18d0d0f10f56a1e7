# SPDX-License-Identifier: Apache-2.0
"""The parent's side of a worker process: start it, ask it, and turn whatever becomes of it into one error.

A crash, a hang, a kill or too much memory ends that worker only; the caller records it and goes on.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_TICK = 0.2  # seconds between looks at the worker's memory
_PACKAGES = Path(__file__).resolve().parent.parent  # where this environment has the harness
ENVIRONMENT = {
    "PYTHONUNBUFFERED": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    # glibc gives large arrays back to the system and takes them again, page by page, from sizes on that depend on what
    # a process allocated before: the same NumPy code took four times as long in one runtime's worker as in another's.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}
"""What every worker finds in its environment besides its parent's."""
_LOG_TAIL = 3  # lines of the worker's log that an error repeats


class WorkerFailure(Exception):
    """What became of a worker.

    Attributes:
        kind: ``crash``, ``timeout``, ``memory``, ``model``, ``runtime`` or ``suite``.
        case: the case it was at, if any.
    """

    def __init__(self, kind: str, message: str, case: str | None = None) -> None:
        super().__init__(message)
        self.kind, self.case = kind, case


class Supervisor:
    """One worker process. Use as a context manager; leaving it ends the process.

    Args:
        reference: the runtime's class as ``module:Class``.
        log: file that the worker's standard error goes to.
        timeout: seconds that one request may take.
        memory_limit: bytes of resident memory that the worker and its children may use; None for no limit.
        python: interpreter to start it with; another environment's for another released runtime.
        packages: folder from which it imports the harness.
    """

    def __init__(
        self,
        reference: str,
        log: Path,
        timeout: float,
        memory_limit: int | None = None,
        python: str = sys.executable,
        packages: Path = _PACKAGES,
    ) -> None:
        self.timeout, self.memory_limit, self.log = timeout, memory_limit, log
        environment = {**os.environ, **ENVIRONMENT}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(packages), os.environ.get("PYTHONPATH")]))
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [python, "-m", "harness.worker", reference],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
            )
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        self._buffer = b""

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.kill()  # nobody waits for what it was doing
        self.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def request(self, op: str, **fields: Any) -> dict[str, Any]:
        """Ask for one operation and wait for the reply.

        Raises:
            WorkerFailure: the operation failed, or the process did.
        """
        try:
            self._process.stdin.write(json.dumps({"op": op, **fields}).encode() + b"\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]
        except OSError:
            raise self._ended() from None
        reply = json.loads(self._read_line(time.monotonic() + self.timeout))
        if "error" in reply:
            raise WorkerFailure(reply["error"]["kind"], reply["error"]["message"])
        return reply

    def close(self) -> None:
        """End the process: its input first, then by force."""
        self._selector.close()
        try:
            self._process.stdin.close()  # type: ignore[union-attr]
        except OSError:
            pass
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process.stdout.close()  # type: ignore[union-attr]

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()

    def _read_line(self, deadline: float) -> bytes:
        while b"\n" not in self._buffer:
            if self._selector.select(_TICK):
                chunk = os.read(self._process.stdout.fileno(), 1 << 16)  # type: ignore[union-attr]
                if not chunk:
                    raise self._ended()
                self._buffer += chunk
            elif time.monotonic() > deadline:
                self.kill()
                raise WorkerFailure(
                    "timeout", f"no answer within {self.timeout:g} s; raise --timeout if it only needs longer"
                )
            self._check_memory()
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line

    def _check_memory(self) -> None:
        if self.memory_limit is None:
            return
        import psutil

        try:
            process = psutil.Process(self._process.pid)
            resident = sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))
        except psutil.Error:
            return
        if resident > self.memory_limit:
            self.kill()
            raise WorkerFailure(
                "memory",
                f"used {resident >> 20} MB, more than the limit of {self.memory_limit >> 20} MB (--memory-limit)",
            )

    def _ended(self) -> WorkerFailure:
        code = self._process.wait()
        if code < 0:
            try:
                how = f"was killed by signal {-code} ({signal.Signals(-code).name})"
            except ValueError:
                how = f"was killed by signal {-code}"
        else:
            how = f"exited with status {code}"
        return WorkerFailure("crash", f"the worker process {how}{self._tail()}")

    def _tail(self) -> str:
        try:
            lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        except OSError:
            return ""
        return "; last words: " + " | ".join(lines[-_LOG_TAIL:]) if lines else ""
