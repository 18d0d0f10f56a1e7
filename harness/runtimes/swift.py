# SPDX-License-Identifier: Apache-2.0
"""Runtime ``swift``: SegKit, the core's interface for Swift, in a child process ``segbench-swift serve``.

A message is two little-endian 64-bit lengths, a JSON text of the first and a payload of the second. Frames and tensors
go over pipes, which no stage counts: the child stamps them itself, with the clock of ``time.perf_counter_ns``.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.contract import Contract, probability
from harness.runtime import (
    Availability,
    Facts,
    Inference,
    Options,
    Runtime,
    RuntimeCrash,
    RuntimeFailure,
    installed_version,
    litert_library,
)

VARIABLE = "SEGBENCH_SWIFT"
"""Environment variable with the program's path."""
_BUILT = Path(__file__).resolve().parents[2] / ".build/release/segbench-swift"
_REMEDY = f"in a checkout, with a Swift toolchain: swift build -c release --product segbench-swift; or set {VARIABLE}"
_LENGTHS = struct.Struct("<QQ")
_MOST = (1 << 20, 1 << 33)  # bytes of a text, bytes of a payload: more is no answer of ours


def program() -> str | None:
    """The program's path; None where it is not built."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return named if os.access(named, os.X_OK) else None
    return str(_BUILT) if _BUILT.is_file() else shutil.which("segbench-swift")


class SwiftRuntime(Runtime):
    """Runs a ``.tflite`` file through SegKit's ``Segmenter``."""

    formats: ClassVar[tuple[str, ...]] = ("tflite",)

    @classmethod
    def availability(cls) -> Availability:
        if (path := program()) is None:
            return Availability(None, _REMEDY)
        try:
            told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
        except (OSError, subprocess.SubprocessError, ValueError):
            return Availability(None, f"{path} does not run; {_REMEDY}")
        if (litert := installed_version("ai-edge-litert")) is None:
            return Availability(None, "pip install ai-edge-litert")
        return Availability(f"{told.strip().replace(', version', '')} on {litert}")

    def activate(self, path: Path, contract: Contract, options: Options) -> Facts:
        if (found := program()) is None:
            raise RuntimeFailure(f"segbench-swift is not built; {_REMEDY}")
        self.contract = contract
        self._child = _Child([found, "serve"])
        told, _ = self._child.ask(
            "load",
            model=str(path),
            contract=contract.to_toml(),
            threads=options.threads,
            delegate=options.delegate,
            litert=litert_library() or None,
        )
        return Facts(
            version=told["version"],
            actual={**told["actual"], "library": told["library"]},
            inputs=[{"shape": told["input"], "dtype": "float32"}],
            outputs=[{"shape": told["output"], "dtype": "float32"}],
            build=told["build"],
        )

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        return self._child.ask("tensor", tensor)[1]["output"]

    def infer_tensor(self, tensor: np.ndarray) -> Inference:
        times, arrays = self._child.ask("tensor", tensor)
        took = times["invoke_ns"]
        return Inference(probability(self.contract, arrays["output"]), times["start_ns"], {"invoke": took}, took)

    def infer_image(self, frame: np.ndarray) -> Inference:
        times, arrays = self._child.ask("image", frame, height=frame.shape[0], width=frame.shape[1])
        total, prepared, invoked = (times[f"{stage}_ns"] for stage in ("total", "preprocess", "invoke"))
        stages = {"preprocess": prepared, "invoke": invoked, "postprocess": total - prepared - invoked}
        return Inference(arrays["probability"], times["start_ns"], stages, total)

    def tap(self, frame: np.ndarray) -> dict[str, np.ndarray]:
        """``input``, ``alpha`` and the ``composite`` (H, W, 3) RGB over a blurred background."""
        return self._child.ask("tap", frame, height=frame.shape[0], width=frame.shape[1])[1]

    def peak_memory(self) -> tuple[int, str]:
        told, _ = self._child.ask("peak")
        return told["peak_bytes"], told["how"]

    def deactivate(self) -> None:
        if child := self.__dict__.pop("_child", None):
            child.close()


class _Child:
    """A process that answers one message at a time, and ends when nobody can ask it any more."""

    def __init__(self, command: list[str]) -> None:
        self._name = command[0]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, bufsize=0
            )
        except OSError as error:
            raise RuntimeFailure(f"{command[0]} cannot be started: {error.strerror}; {_REMEDY}") from None

    def ask(
        self, op: str, payload: np.ndarray | None = None, **fields: Any
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """One request and its reply: what it says, and the arrays it carries.

        Raises:
            RuntimeFailure: the request failed.
            RuntimeCrash: the process ended, or answered something that is no reply.
        """
        text = json.dumps({"op": op, **fields}).encode()
        data = b"" if payload is None else np.ascontiguousarray(payload).tobytes()
        try:
            self._send(_LENGTHS.pack(len(text), len(data)) + text + data)
        except OSError:
            raise self._ended() from None
        lengths = _LENGTHS.unpack(self._receive(_LENGTHS.size))
        if any(length > most for length, most in zip(lengths, _MOST, strict=True)):
            raise self._nonsense()
        try:
            told = json.loads(self._receive(lengths[0]))
            if "error" in told:
                raise RuntimeFailure(str(told["error"]))
            return told, _arrays(told.get("arrays", []), self._receive(lengths[1]))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise self._nonsense() from None

    def close(self) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()  # type: ignore[union-attr]
        self._errors.close()

    def _send(self, message: bytes) -> None:
        left = memoryview(message)
        while left:
            left = left[self._process.stdin.write(left) :]  # type: ignore[union-attr]

    def _receive(self, count: int) -> bytearray:
        data = bytearray(count)
        left = memoryview(data)
        while left:
            got = self._process.stdout.readinto(left)  # type: ignore[union-attr]
            if not got:
                raise self._ended()
            left = left[got:]
        return data

    def _ended(self) -> RuntimeCrash:
        code = self._process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"exited with status {code}"
        return RuntimeCrash(f"the process {self._name} {how}{self._tail()}")

    def _nonsense(self) -> RuntimeCrash:
        self._process.kill()
        self._process.wait()
        return RuntimeCrash(f"the process {self._name} answered what is no reply; is it segbench-swift?{self._tail()}")

    def _tail(self) -> str:
        """The last lines of what it wrote on standard error."""
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        return "; last words: " + " | ".join(lines[-3:]) if lines else ""


def _arrays(listed: list[dict[str, Any]], data: bytearray) -> dict[str, np.ndarray]:
    """The arrays of a reply, which lie one after the other in its payload."""
    arrays, offset = {}, 0
    for entry in listed:
        kind, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
        count = int(np.prod(shape))
        arrays[entry["name"]] = np.frombuffer(data, kind, count, offset).reshape(shape)
        offset += count * kind.itemsize
    return arrays
