# SPDX-License-Identifier: Apache-2.0
"""The core's benchmark: what it prints and writes, and that its peers do the same work. Never how fast anything is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import contract as contracts
from harness import model_file, resources

pytest.importorskip("segcore", reason="the core is not built: it needs a C++17 compiler")

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    return __import__("core")


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / "core.py"), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)


def blocks(core: Any, core_ns: list[float], peer_ns: list[float], **more: Any) -> Any:
    return core.row("section", "what", "peer", np.array(core_ns), np.array(peer_ns), **more)


# --- the table -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """The cheapest section, as it ended and what it wrote."""
    out = tmp_path_factory.mktemp("benchmark") / "out.json"
    return bench("--quick", "--only", "preprocess", "--json", str(out)), json.loads(out.read_text())


def test_a_section_is_a_table_and_the_same_as_json(quick: tuple[Any, dict[str, Any]]) -> None:
    done, written = quick

    head, _, *lines = done.stdout.splitlines()
    assert head.split() == ["what", "against", "core", "ms", "peer", "ms", "ratio", "95", "%", "wanted"]
    assert [row["what"] for row in written["rows"]] == ["preprocess", "preprocess"]
    for row, line in zip(written["rows"], lines, strict=False):
        assert line.startswith(f"{row['what']}  ") and f"{row['core_ms']:.3f}" in line and f"{row['ratio']:.3f}" in line
        assert row["core_ms"] > 0 and row["peer_ms"] > 0
        assert row["low"] <= row["ratio"] <= row["high"]
    assert [row["ok"] is None for row in written["rows"]] == [False, True]
    assert done.returncode == (0 if written["ok"] else 3)


def test_the_conditions_are_recorded(quick: tuple[Any, dict[str, Any]]) -> None:
    _, written = quick

    assert written["device"]["cpu"]
    assert set(written["conditions"]) == {"before", "after"}
    assert written["core"]["simd_level"] in ("baseline", "avx2", "avx512")
    assert {"ai-edge-litert", "opencv-python", "numpy"} <= set(written["versions"])


@pytest.mark.parametrize("arguments", [("--only", "nothing"), ("--json", "no-such-folder/out.json")])
def test_what_cannot_be_done_is_said_before_anything_is_measured(arguments: tuple[str, str]) -> None:
    done = bench(*arguments)

    assert done.returncode == 2
    assert arguments[1].split("/")[0] in done.stderr and "Traceback" not in done.stderr


def test_a_ratio_is_the_median_of_its_blocks_ratios(core: Any) -> None:
    row = blocks(core, [1e6, 2e6, 1e6], [3e6, 4e6, 100e6])

    assert (row.ratio, row.core_ms, row.peer_ms) == (3.0, 1.0, 4.0)


def test_one_missed_ratio_misses_all(core: Any) -> None:
    held, informs = blocks(core, [1.0], [2.0], wanted=2.0), blocks(core, [1.0], [0.5])
    missed = blocks(core, [1.0], [1.9], wanted=2.0)

    assert core.Report(core.QUICK, [held, informs]).ok
    assert not core.Report(core.QUICK, [held, informs, missed]).ok


def test_a_section_that_cannot_run_says_why_and_the_others_go_on(core: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> Any:
        raise core.Skipped("not here")
        yield

    monkeypatch.setitem(core.SECTIONS, "mediapipe", (1, absent))
    report = core.measure(["mediapipe", "preprocess"], core.QUICK)

    assert report.skipped == {"mediapipe": "not here"}
    assert {row.section for row in report.rows} == {"preprocess"}
    assert "skipped: mediapipe: not here" in core.table(report)


# --- the peers -----------------------------------------------------------------------------------


def paths(core: Any) -> list[Any]:
    model = model_file.find(resources.default_model(), "int8")
    size = core.HEIGHT, core.WIDTH
    return [
        core.peers.Straightforward(model.path, model.contract, core.SIGMA),
        core.peers.Integer(model.path, model.contract, core.SIGMA, size),
    ]


def test_peers_feed_the_network_what_its_contract_says_within_one_level(core: Any) -> None:
    frame = core.some_frames()[0]
    contract = model_file.find(resources.default_model(), "int8").contract
    right = contracts.preprocess(contract, frame[..., ::-1])

    for peer in paths(core):
        assert np.abs(peer.preprocess(frame) - right).max() <= 1.01 * contract.scale[0]


def test_peers_draw_the_cores_picture(core: Any) -> None:
    frame = core.some_frames()[3]
    drawn = core.CorePath(model_file.find(resources.default_model(), "int8").path).run(frame)

    def distance(picture: np.ndarray) -> float:
        return float(np.abs(picture.astype(int) - drawn).mean())

    for peer in paths(core):
        assert distance(peer.run(frame)) < distance(frame) / 2


# --- MediaPipe's model ---------------------------------------------------------------------------


def small_model(rewriter: Any, kernel: int) -> bytes:
    """A network of one operator: MediaPipe's transposed convolution of (1, 5, 7, 3) to one channel."""
    schema = rewriter.schema
    random = np.random.default_rng(3)
    values = [None, random.normal(size=(1, kernel, kernel, 3)), random.normal(size=1), None]
    shapes = [(1, 5, 7, 3), (1, kernel, kernel, 3), (1,), (1, 5 * kernel, 7 * kernel, 1)]
    graph, tree, operator, code = schema.SubGraphT(), schema.ModelT(), schema.OperatorT(), schema.OperatorCodeT()
    tree.version, tree.buffers = 3, [schema.BufferT()]
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [], [0], [3], [operator]
    for value, shape in zip(values, shapes, strict=True):
        tensor, buffer = schema.TensorT(), schema.BufferT()
        tensor.shape, tensor.name, tensor.buffer = np.array(shape, np.int32), b"t", len(tree.buffers)
        if value is not None:
            buffer.data = np.frombuffer(value.astype(np.float32).tobytes(), np.uint8)
        tree.buffers.append(buffer)
        graph.tensors.append(tensor)
    same_padding = 1
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"Convolution2DTransposeBias"
    operator.inputs, operator.outputs = [0, 1, 2], [3]
    operator.customOptions = np.frombuffer(np.array([same_padding, kernel, kernel], np.int32).tobytes(), np.uint8)
    tree.operatorCodes, tree.subgraphs = [code], [graph]
    builder = rewriter.flatbuffers.Builder()
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture
def rewriter(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    return __import__("mediapipe_model")


def test_a_rewritten_model_gives_the_same_bits(core: Any, rewriter: Any, tmp_path: Path) -> None:
    original, rewritten = tmp_path / "original.tflite", tmp_path / "rewritten.tflite"
    original.write_bytes(small_model(rewriter, kernel=2))
    rewritten.write_bytes(rewriter.rewrite(original.read_bytes()))
    tensor = np.random.default_rng(4).normal(size=(1, 5, 7, 3)).astype(np.float32)

    expected, given = (core.peers.Network(path).run(tensor) for path in (original, rewritten))

    assert expected.shape == (1, 10, 14, 1) and np.ptp(expected) > 1
    np.testing.assert_array_equal(given, expected)
    assert b"Convolution2DTransposeBias" not in rewritten.read_bytes()


def test_a_model_that_cannot_be_rewritten_is_refused(rewriter: Any) -> None:
    with pytest.raises(ValueError, match=r"\[1, 3, 3, 3\], expected \[1, 2, 2, channels\]"):
        rewriter.rewrite(small_model(rewriter, kernel=3))
    with pytest.raises(ValueError, match="0 operators Convolution2DTransposeBias"):
        rewriter.rewrite(model_file.find(resources.default_model(), "int8").path.read_bytes())
