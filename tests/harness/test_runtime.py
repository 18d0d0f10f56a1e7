# SPDX-License-Identifier: Apache-2.0
"""What a runtime is, how it is named, and what its stages are: with a runtime of the tests' own."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from harness import contract as contracts
from harness import pictures, runtime
from harness.errors import HarnessError, InvalidError
from harness.runtime import Availability, Facts, Options, Runtime, RuntimeFailure, Spec
from tests.harness.bundles import CONTRACT

CONTRACT_BGR = contracts.parse(CONTRACT.replace('"rgb"', '"bgr"').replace("foreground = 0", "foreground = 1"))


class Red(Runtime):
    """Its two channels are the tensor's green and red planes: the person is what is red."""

    formats = ("tflite",)
    contract = CONTRACT_BGR

    @classmethod
    def availability(cls) -> Availability:
        return Availability("1.0")

    def activate(self, path: Path, contract: contracts.Contract, options: Options) -> Facts:
        self.contract = contract
        return Facts("1.0")

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        assert tensor.shape == (1, 16, 12, 3)
        return tensor[..., 1:]


@pytest.fixture
def frame() -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (48, 40, 3), np.uint8)


# --- stages --------------------------------------------------------------------------------------


def test_the_image_lane_goes_from_pixels_to_probability_by_the_contract(frame: np.ndarray) -> None:
    inference = Red().infer_image(frame)

    red = contracts.resize(frame[..., 0], 16, 12)
    np.testing.assert_allclose(inference.probability, red / 255, atol=1e-7)
    assert inference.probability.dtype == np.float32


def test_the_stages_are_stamped_in_order_and_make_up_the_whole(frame: np.ndarray) -> None:
    first, second = Red().infer_image(frame), Red().infer_image(frame)

    assert list(first.stages_ns) == ["preprocess", "invoke", "postprocess"]
    assert all(isinstance(ns, int) and ns > 0 for ns in first.stages_ns.values())
    assert sum(first.stages_ns.values()) == first.total_ns
    assert second.start_ns >= first.start_ns + first.total_ns


def test_the_tensor_lane_times_the_network_alone() -> None:
    tensor = np.random.default_rng(2).random((1, 16, 12, 3), np.float32)

    inference = Red().infer_tensor(tensor)

    np.testing.assert_array_equal(inference.probability, tensor[0, ..., 2])
    assert list(inference.stages_ns) == ["invoke"]
    assert inference.stages_ns["invoke"] <= inference.total_ns


@pytest.mark.parametrize("suffix", [".png", ".npy"])
def test_both_forms_of_a_picture_give_the_same_frame(tmp_path: Path, frame: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(pictures.encode_png(frame, 1) if suffix == ".png" else pictures.encode_npy(frame))

    np.testing.assert_array_equal(Red().decode(path), frame)


@pytest.mark.parametrize("name", ["a.png", "a.npy"])
@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x93NUMPY\x01\x00\x05\x00abc"])
def test_a_picture_that_is_none_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(RuntimeFailure, match=rf"{name}: not a readable picture.*harness suite verify"):
        Red().decode(tmp_path / name)


def test_an_output_that_does_not_fit_the_contract_is_an_error(frame: np.ndarray) -> None:
    runner = Red()
    runner.contract = contracts.parse(CONTRACT.replace('"probability"', '"softmax2"').replace("= 0\n", "= 1\n"))
    runner.invoke = lambda tensor: tensor  # three channels

    with pytest.raises(contracts.ContractError, match=r"\(1, 16, 12, 3\)"):
        runner.infer_image(frame)


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("keras", ("keras", "keras", None)),
        ("tflite", ("tflite", "fp32", None)),
        ("tflite:int8", ("tflite", "int8", None)),
        ("tflite@arm64", ("tflite", "fp32", "arm64")),
        ("tflite@tflite-runtime==2.14.0", ("tflite", "fp32", "tflite-runtime==2.14.0")),
        ("tflite:fp16@ai-edge-litert==2.2.0", ("tflite", "fp16", "ai-edge-litert==2.2.0")),
    ],
)
def test_a_runtime_is_named_with_variant_and_target(text: str, spec: tuple[str, str, str | None]) -> None:
    assert runtime.parse_spec(text) == Spec(text, *spec)


@pytest.mark.parametrize("text", ["", ":", "tflite:", "tflite@", "tflite:int8:fp16", "tf lite", "../tflite", "a/b"])
def test_what_names_no_runtime_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(HarnessError, match="such as tflite:int8") as caught:
        runtime.parse_spec(text)

    assert caught.value.exit_code == 2


def test_an_unknown_runtime_is_refused_with_those_there_are() -> None:
    with pytest.raises(HarnessError, match=r"no runtime 'onnx'; known: .*keras.*tflite"):
        runtime.parse_spec("onnx")


def test_the_projects_own_runtimes_are_registered_like_anybodys() -> None:
    entries = runtime.registered()

    assert {"keras", "tflite"} <= set(entries)
    assert list(entries) == sorted(entries)
    assert issubclass(runtime.find("tflite"), Runtime)


def test_a_runtime_that_cannot_be_imported_is_invalid_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("broken", "no_such_module_here:Runtime", runtime.GROUP)
    monkeypatch.setattr(runtime.metadata, "entry_points", lambda group: [broken] if group == runtime.GROUP else [])

    with pytest.raises(InvalidError, match=r"runtime 'broken' \(no_such_module_here:Runtime\) cannot be imported"):
        runtime.find("broken")


def test_the_version_is_that_of_the_first_distribution_that_is_installed() -> None:
    assert runtime.installed_version("no-such-distribution", "numpy", "pytest") == f"numpy {np.__version__}"
    assert runtime.installed_version("no-such-distribution") is None
