# SPDX-License-Identifier: Apache-2.0
"""What a model file says of itself, whatever it is called, and what is said of one that is none."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from harness import contract as contracts
from harness import model_file
from harness.model_file import DamagedModelError, ModelError
from tests.harness.bundles import CONTRACT

OTHER_CONTRACT = CONTRACT.replace("threshold = 0.5", "threshold = 0.25")


def with_metadata(data: bytes, name: str, content: bytes) -> bytes:
    """The model with one more metadata entry."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(content, np.uint8)
    entry.name, entry.buffer = name, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture(scope="session")
def converted() -> dict[str, bytes]:
    """A tiny network, converted by TensorFlow to every variant; no contract inside."""
    tf = pytest.importorskip("tensorflow", reason="TensorFlow, which converts the models, is not installed")
    rng = np.random.default_rng(0)
    # A kernel of more than 1,024 weights: the converter leaves smaller ones in float32.
    kernels = [tf.constant(rng.normal(0, 0.1, s), tf.float32) for s in ((3, 3, 3, 16), (3, 3, 16, 8), (1, 1, 8, 1))]
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((1, 16, 12, 3), tf.float32)])
    def network(x: Any) -> Any:
        for kernel in kernels[:2]:
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))
        return tf.sigmoid(tf.nn.conv2d(x, kernels[2], 1, "SAME"))

    def convert(**options: Any) -> bytes:
        converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()], module)
        for name, value in options.items():
            setattr(converter, name, value)
        return converter.convert()

    def calibration() -> Iterator[list[np.ndarray]]:
        for _ in range(4):
            yield [rng.random((1, 16, 12, 3), np.float32)]

    small = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    integers = tf.lite.TargetSpec(supported_ops=[tf.lite.OpsSet.TFLITE_BUILTINS_INT8])
    return {
        "fp32": convert(),
        "fp16": convert(**small, target_spec=tf.lite.TargetSpec(supported_types=[tf.float16])),
        "dyn8": convert(**small),
        "int8": convert(**small, target_spec=integers, representative_dataset=calibration),
    }


@pytest.fixture
def folder(tmp_path: Path, converted: dict[str, bytes]) -> Path:
    """A model folder with every TFLite variant, each with the contract inside."""
    path = tmp_path / "tiny"
    path.mkdir()
    for variant, data in converted.items():
        carried = with_metadata(data, "segmentation_contract", CONTRACT.encode())
        (path / f"model.{variant}.tflite").write_bytes(carried)
    return path


# --- what is read --------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["fp32", "fp16", "dyn8", "int8"])
def test_the_facts_of_a_file(folder: Path, variant: str) -> None:
    data = (folder / f"model.{variant}.tflite").read_bytes()

    file = model_file.find(folder, variant)

    assert (file.name, file.variant, file.format) == ("tiny", variant, "tflite")
    assert (file.sha256, file.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert file.contract == contracts.parse(CONTRACT)
    assert file.contract_text == CONTRACT
    assert (file.ops["CONV_2D"], file.ops["LOGISTIC"]) == (3, 1)
    assert file.facts() == {
        "name": "tiny",
        "variant": variant,
        "format": "tflite",
        "sha256": file.sha256,
        "bytes": len(data),
        "contract": CONTRACT,
        "ops": sum(file.ops.values()),
        "activations": file.activations,
        "listed": None,
    }


@pytest.mark.parametrize("variant", ["fp32", "fp16", "dyn8", "int8"])
def test_activations_are_the_tensors_an_interpreter_without_delegates_writes(folder: Path, variant: str) -> None:
    """Counted again the slow way: for every operator, which tensors were written before it and are read from it on."""
    path = folder / f"model.{variant}.tflite"
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(path), experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    size = {
        d["index"]: int(np.prod(d["shape"])) * np.dtype(d["dtype"]).itemsize for d in interpreter.get_tensor_details()
    }
    operators = [(set(o["inputs"]), set(o["outputs"])) for o in interpreter._get_ops_details()]
    written = {d["index"] for d in interpreter.get_input_details()}.union(*(outputs for _, outputs in operators))
    results = {d["index"] for d in interpreter.get_output_details()}
    alive = []
    for step, (inputs, outputs) in enumerate(operators):
        later = set().union(*(reads for reads, _ in operators[step + 1 :])) | results
        before = written - set().union(*(writes for _, writes in operators[step:]))
        alive.append((before & (inputs | later)) | outputs)

    assert model_file.find(folder, variant).activations == {
        "tensors": len(written),
        "bytes": sum(size[tensor] for tensor in written),
        "peak_bytes": max(sum(size[tensor] for tensor in tensors) for tensors in alive),
    }


@pytest.mark.parametrize("variant", ["fp32", "fp16", "dyn8", "int8"])
@pytest.mark.parametrize("called", ["fp32", "int8"])
def test_the_variant_is_read_from_the_file_and_not_from_its_name(folder: Path, variant: str, called: str) -> None:
    (folder / f"model.{variant}.tflite").replace(folder / f"model.{called}.tflite")

    assert model_file.find(folder, called).variant == variant
    assert model_file.find(folder / f"model.{called}.tflite", "dyn8").variant == variant


def test_a_file_is_named_after_its_folder_or_by_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)

    assert model_file.find(".", "fp32").name == "tiny"
    assert model_file.find("model.fp32.tflite", "fp32").name == "model.fp32"


@pytest.mark.parametrize(
    ("content", "listed"),
    [
        (None, None),
        ("{", None),
        ("[]", None),
        ('{"variants": {}}', None),
        ('{"variants": {"int8": {"file": "model.int8.tflite", "sha256": "HASH"}}}', True),
        ('{"variants": {"int8": {"file": "model.int8.tflite", "sha256": "0000"}}}', False),
        ('{"variants": {"fp16": {"file": "model.fp16.tflite", "sha256": "HASH"}}}', None),
    ],
)
def test_a_file_that_is_not_the_exported_one_is_noticed(folder: Path, content: str | None, listed: bool | None) -> None:
    digest = hashlib.sha256((folder / "model.int8.tflite").read_bytes()).hexdigest()
    if content is not None:
        (folder / "model.json").write_text(content.replace("HASH", digest))

    assert model_file.find(folder, "int8").listed is listed


def test_a_folder_tells_its_variants(folder: Path) -> None:
    assert model_file.available_variants(folder) == ["fp32", "fp16", "dyn8", "int8"]
    (folder / "model.fp16.tflite").unlink()
    (folder / "model.h5").write_bytes(b"")
    assert model_file.available_variants(folder) == ["keras", "fp32", "dyn8", "int8"]


# --- contract ------------------------------------------------------------------------------------


def test_the_contract_in_the_file_comes_before_the_one_beside_it(folder: Path) -> None:
    (folder / "contract.toml").write_text(OTHER_CONTRACT)

    assert model_file.find(folder, "fp32").contract.threshold == 0.5


def test_a_given_contract_comes_before_all(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(OTHER_CONTRACT)

    file = model_file.find(folder, "fp32", tmp_path / "mine.toml")

    assert file.contract.threshold == 0.25
    assert file.contract_text == OTHER_CONTRACT


def test_a_file_without_a_contract_takes_the_one_beside_it(tmp_path: Path, converted: dict[str, bytes]) -> None:
    (tmp_path / "theirs.tflite").write_bytes(converted["fp32"])
    (tmp_path / "contract.toml").write_text(OTHER_CONTRACT)

    assert model_file.find(tmp_path / "theirs.tflite", "fp32").contract.threshold == 0.25


def test_a_file_without_any_contract_is_refused_with_the_remedy(tmp_path: Path, converted: dict[str, bytes]) -> None:
    (tmp_path / "theirs.tflite").write_bytes(converted["fp32"])

    with pytest.raises(ModelError, match=r"theirs\.tflite: .*no contract.*--contract FILE") as caught:
        model_file.find(tmp_path / "theirs.tflite", "fp32")

    assert caught.value.exit_code == 2


@pytest.mark.parametrize("content", [b"scale = 1", b"\xff\xfe\xff", b"", b"schema = 'other/1'"])
def test_a_contract_in_the_file_that_is_none_is_refused(
    tmp_path: Path, converted: dict[str, bytes], content: bytes
) -> None:
    data = with_metadata(converted["fp32"], "segmentation_contract", content)
    (tmp_path / "bad.tflite").write_bytes(data)

    with pytest.raises(ModelError, match=r"bad\.tflite"):
        model_file.find(tmp_path / "bad.tflite", "fp32")


def test_a_given_contract_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"mine\.toml: cannot read"):
        model_file.find(folder, "fp32", folder / "mine.toml")


# --- files that cannot be used -------------------------------------------------------------------


def test_a_missing_variant_is_named_with_those_there_are(folder: Path) -> None:
    (folder / "model.int8.tflite").unlink()

    with pytest.raises(ModelError, match=r"tiny: no model\.int8\.tflite .*has fp32, fp16, dyn8;"):
        model_file.find(folder, "int8")
    with pytest.raises(ModelError, match=r"no model\.keras .*has fp32"):
        model_file.find(folder, "keras")


def test_a_model_that_is_not_there_or_of_no_known_format_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"onnx")

    with pytest.raises(ModelError, match=r"none: no such model"):
        model_file.find(tmp_path / "none", "fp32")
    with pytest.raises(ModelError, match=r"no variant at all"):
        model_file.find(tmp_path, "fp32")
    with pytest.raises(ModelError, match=r"model\.onnx: .*known: .*\.tflite"):
        model_file.find(tmp_path / "model.onnx", "keras")


def test_a_single_file_must_be_of_the_asked_format(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.fp32\.tflite: not a file of variant keras"):
        model_file.find(folder / "model.fp32.tflite", "keras")


PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(200)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a TFLite model"),
        (b"TFL", "not a TFLite model"),
        (PNG, "not a TFLite model"),
        (PNG[:4] + b"TFL3" + PNG[8:], "damaged or cut short"),
        (bytes(4) + b"TFL3" + bytes(64), "damaged or cut short"),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "model.tflite").write_bytes(content)

    with pytest.raises(DamagedModelError, match=rf"model\.tflite: {message}.*export it again") as caught:
        model_file.find(tmp_path / "model.tflite", "fp32")

    assert caught.value.exit_code == 4


def test_a_keras_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(PNG)

    with pytest.raises(DamagedModelError, match=r"model\.keras: not a Keras model"):
        model_file.find(tmp_path, "keras")


def test_a_keras_file_is_not_opened_beyond_its_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", "not even JSON")
    (tmp_path / "contract.toml").write_text(CONTRACT)

    file = model_file.find(tmp_path, "keras")

    assert (file.variant, file.format, file.ops, file.facts()["ops"]) == ("keras", "keras", {}, None)


FUZZ = """
import json, sys
from collections import Counter
from pathlib import Path
import numpy as np
from harness import model_file

source, folder = map(Path, sys.argv[1:])
whole, target = source.read_bytes(), folder / "damaged.tflite"
rng, outcomes, cut = np.random.default_rng(2), Counter(), Counter()


def outcome(data):
    target.write_bytes(data)
    try:
        return model_file.find(target, "fp32").variant in ("fp32", "fp16", "dyn8", "int8")
    except model_file.ModelError as error:
        assert "damaged.tflite" in str(error)
        return "refused"


for number in range(500):
    data = bytearray(whole)
    for position in rng.integers(len(data), size=1 + number % 3):
        data[position] ^= 1 << rng.integers(8)
    outcomes[str(outcome(data))] += 1
for length in range(0, len(whole) - 200, 61):
    cut[str(outcome(whole[:length]))] += 1
print(json.dumps([outcomes, cut]))
"""


@pytest.mark.parametrize("variant", ["fp16", "int8"])
def test_a_damaged_file_is_refused_or_read_and_never_anything_else(folder: Path, tmp_path: Path, variant: str) -> None:
    # A process of its own: what reads past a buffer takes the process with it.
    command = [sys.executable, "-c", FUZZ, str(folder / f"model.{variant}.tflite"), str(tmp_path)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert child.returncode == 0, child.stderr
    flipped, cut = json.loads(child.stdout)
    assert flipped["refused"] > 50  # the rest fell on weights, which only the hash guards
    assert set(cut) == {"refused"}
