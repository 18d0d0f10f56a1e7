# SPDX-License-Identifier: Apache-2.0
"""Each fault that a release must not ship makes `harness compare` fail, and the finding says which it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder

from harness import comparison, model_file, resources, suite, suite_making
from harness.contract import METADATA_NAME
from harness.verdict import Verdict

from .commands import run

pytest.importorskip("tensorflow", reason="needs TensorFlow: pip install 'mobile-unet-harness[keras]'")


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cases of the shipped suite."""
    cases = suite.find("portraits").cases[:3]
    entries = [suite_making.Entry(case.id, case.read_image(), case.read_mask()) for case in cases]
    return suite_making.write(tmp_path_factory.mktemp("suite") / "few", "few", entries).root


@pytest.fixture(scope="module")
def reference(portraits: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The shipped Keras model's bundles, made once."""
    out = tmp_path_factory.mktemp("reference") / "out"
    done = run("run", "keras", "--suite", portraits, "--profile", "none", "--out", out)
    assert done.returncode == 0, done.stderr
    return sorted(out.glob("*.run"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the shipped model, to be damaged."""
    return shutil.copytree(resources.default_model(), tmp_path / "model")


def edit(path: Path, change: Callable[[Any], None]) -> None:
    """Change a `.tflite` file by way of its flatbuffer's objects."""
    flatbuffer = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    change(flatbuffer)
    builder = Builder(len(path.read_bytes()))
    builder.Finish(flatbuffer.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))


def replace_in_contract(old: str, new: str) -> Callable[[Any], None]:
    def change(flatbuffer: Any) -> None:
        entry = next(m for m in flatbuffer.metadata if m.name == METADATA_NAME.encode())
        text = bytes(flatbuffer.buffers[entry.buffer].data).decode()
        assert old in text
        flatbuffer.buffers[entry.buffer].data = np.frombuffer(text.replace(old, new).encode(), np.uint8)

    return change


def change_weights(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Any], None]:
    """Applies a function to the weights of every convolution."""

    def edit_weights(flatbuffer: Any) -> None:
        touched = 0
        for tensor in flatbuffer.subgraphs[0].tensors:
            buffer = flatbuffer.buffers[tensor.buffer]
            if tensor.type == schema.TensorType.FLOAT32 and buffer.data is not None and len(tensor.shape) == 4:
                weights = np.asarray(buffer.data, np.uint8).view(np.float32)
                buffer.data = change(weights).astype(np.float32).view(np.uint8)
                touched += 1
        assert touched > 10

    return edit_weights


def compare(reference: list[Path], name: str, model: Path, portraits: Path, out: Path) -> comparison.Comparison:
    done = run("compare", *reference, name, "--model", model, "--suite", portraits, "--profile", "none", "--out", out)
    result = comparison.read(out / "comparison.json")
    assert done.returncode == (0 if result else 1), done.stderr
    return result


def lanes(result: comparison.Comparison) -> dict[str, bool]:
    """Whether each lane of the compared run is free of FAIL."""
    rows = [row for row in result.rows if row.run != result.reference.label]
    return {lane: all(r.verdict is not Verdict.FAIL for r in rows if r.lane == lane) for lane in ("tensor", "image")}


def titles(result: comparison.Comparison) -> str:
    return " | ".join(f"{finding.title}: {finding.evidence}" for finding in result.findings)


def test_the_shipped_model_has_none_of_these_faults(
    reference: list[Path], model: Path, portraits: Path, tmp_path: Path
) -> None:
    result = compare(reference, "tflite", model, portraits, tmp_path / "out")

    assert result.verdict is Verdict.PASS
    assert not result.findings


def test_another_channel_order_in_the_contract_fails_the_image_lane_and_is_named(
    reference: list[Path], model: Path, portraits: Path, tmp_path: Path
) -> None:
    edit(model / "model.fp32.tflite", replace_in_contract('"rgb"', '"bgr"'))

    result = compare(reference, "tflite", model, portraits, tmp_path / "out")

    assert result.verdict is Verdict.FAIL
    assert lanes(result) == {"tensor": True, "image": False}
    assert "channels is 'bgr' here and 'rgb' in the reference" in titles(result)


def test_a_runtime_that_swaps_channels_fails_the_image_lane_only(
    reference: list[Path], model: Path, portraits: Path, tmp_path: Path
) -> None:
    result = compare(reference, "swapped", model, portraits, tmp_path / "out")

    assert result.verdict is Verdict.FAIL
    assert lanes(result) == {"tensor": True, "image": False}
    assert "The network agrees, its input does not" in titles(result)


def test_a_wrong_scale_fails_the_image_lane_and_is_named(
    reference: list[Path], model: Path, portraits: Path, tmp_path: Path
) -> None:
    edit(model / "model.fp32.tflite", replace_in_contract("scale = 0.0078", "scale = 0.0039"))

    result = compare(reference, "tflite", model, portraits, tmp_path / "out")

    assert result.verdict is Verdict.FAIL
    assert lanes(result) == {"tensor": True, "image": False}
    assert "scale is" in titles(result)


def test_the_model_of_another_training_run_fails_both_lanes(
    reference: list[Path], model: Path, portraits: Path, tmp_path: Path
) -> None:
    random = np.random.default_rng(1)
    edit(model / "model.fp32.tflite", change_weights(lambda w: w * random.normal(1.0, 0.1, w.shape)))

    result = compare(reference, "tflite", model, portraits, tmp_path / "out")

    assert result.verdict is Verdict.FAIL
    assert lanes(result) == {"tensor": False, "image": False}
    assert "The network itself differs" in titles(result)
    assert "The file is not the one its model.json lists" in titles(result)


def test_nan_is_an_outright_failure_whatever_the_tolerance(
    reference: list[Path], model: Path, portraits: Path, tmp_path: Path
) -> None:
    edit(model / "model.fp32.tflite", change_weights(lambda w: np.where(np.arange(w.size) == 0, np.nan, w)))
    (tmp_path / "gates.yaml").write_text('version: 1\ngates: [{row: "*/max_abs", max: 1000.0}]\n')

    out = tmp_path / "out"
    done = run(
        *("compare", *reference, "tflite", "--model", model, "--suite", portraits, "--profile", "none"),
        *("--gates", tmp_path / "gates.yaml", "--out", out),
    )

    assert done.returncode == 1
    result = comparison.read(out / "comparison.json")
    assert "The output holds NaN or infinity" in titles(result)
    assert all(case.verdict is Verdict.FAIL for case in result.cases if case.run == "tflite")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[: len(data) // 2], "damaged or cut short"),
        (lambda data: b"", "not a TFLite model"),
        (lambda data: b"\x89PNG\r\n\x1a\n" + data, "not a TFLite model"),
    ],
    ids=["truncated", "empty", "foreign"],
)
def test_a_damaged_model_file_is_named_and_spoils_no_other_run(
    model: Path, portraits: Path, tmp_path: Path, damage: Callable[[bytes], bytes], words: str
) -> None:
    victim = model / "model.int8.tflite"
    victim.write_bytes(damage(victim.read_bytes()))

    out = tmp_path / "out"
    done = run(
        *("compare", "tflite", "tflite:int8", "tflite:fp16", "--model", model, "--suite", portraits),
        *("--profile", "none", "--out", out, "--json"),
    )

    assert done.returncode == 4
    runs = {summary["label"]: summary for summary in json.loads(done.stdout)["runs"]}
    assert runs["tflite:int8"]["verdict"] == "INVALID"
    assert words in runs["tflite:int8"]["error"]
    assert str(victim) in runs["tflite:int8"]["error"]
    assert runs["tflite:fp16"]["verdict"] == "PASS"


def test_a_keras_file_with_code_of_its_own_is_refused(model: Path, portraits: Path, tmp_path: Path) -> None:
    import keras

    contract = model_file.find(model, "keras").contract
    inputs = keras.Input((contract.input_height, contract.input_width, 3))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x[..., :1])(inputs)).save(model / "model.keras")

    done = run("run", "keras", "--model", model, "--suite", portraits, "--profile", "none", "--out", tmp_path / "out")

    assert done.returncode == 4
    assert "carries code of its own" in done.stdout
    assert "model.keras" in done.stdout


def test_a_model_without_contract_asks_for_one_and_takes_it(model: Path, portraits: Path, tmp_path: Path) -> None:
    def drop_metadata(flatbuffer: Any) -> None:
        flatbuffer.metadata = []

    edit(model / "model.fp32.tflite", drop_metadata)
    contract = (model / "contract.toml").rename(tmp_path / "contract.toml")
    arguments = ("run", "tflite", "--model", model / "model.fp32.tflite", "--suite", portraits, "--profile", "none")

    refused = run(*arguments, "--out", tmp_path / "refused")
    taken = run(*arguments, "--out", tmp_path / "taken", "--contract", contract)

    assert refused.returncode == 2
    assert "--contract FILE" in refused.stderr
    assert taken.returncode == 0, taken.stderr
