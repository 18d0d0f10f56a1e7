# SPDX-License-Identifier: Apache-2.0
"""Exported model folders, networks from elsewhere, evaluation, and the command line around them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from harness import contract as contracts
from harness import metrics, model_file
from harness.errors import HarnessError
from models_src import config
from models_src.datasets import manifest
from models_src.datasets.sample import read_image
from tests.models_src.conftest import SMOKE, segmodel, settings, write_pairs


def _refused(result: Result, *named: str) -> None:
    """Exit status 2 and one message, no traceback."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    for text in named:
        assert text in result.stderr


# --- the model folder ----------------------------------------------------------------------------


def test_the_folder_is_complete_and_its_facts_are_true(exported: Path, trained: Path) -> None:
    facts = json.loads((exported / "model.json").read_text(encoding="utf-8"))
    assert facts["schema"] == "segmentation-model/1" and facts["name"] == "tiny"
    assert facts["source"]["run"] == trained.name and facts["source"]["config"] == "smoke"
    assert list(facts["variants"]) == ["keras", "fp32", "fp16", "dyn8", "int8"]
    for entry in facts["variants"].values():
        content = (exported / entry["file"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"])
        assert sum(entry.get("op_histogram", {}).values()) == entry.get("ops", 0)
    contract = (exported / "contract.toml").read_bytes()
    assert facts["contract_sha256"] == hashlib.sha256(contract).hexdigest()
    assert {p.name for p in exported.iterdir()} == {
        "contract.toml", "model.json", *(entry["file"] for entry in facts["variants"].values())
    }  # fmt: skip


@pytest.mark.parametrize("variant", model_file.VARIANTS)
def test_every_variant_is_what_its_name_says_and_carries_the_contract(exported: Path, variant: str) -> None:
    (exported.parent / "elsewhere").mkdir(exist_ok=True)
    alone = exported.parent / "elsewhere" / f"renamed-{variant}.tflite"
    alone.write_bytes((exported / f"model.{variant}.tflite").read_bytes())
    found = model_file.find(alone, "fp32")
    assert found.variant == variant
    assert found.contract_text == (exported / "contract.toml").read_text(encoding="utf-8")
    assert found.contract.output == "probability"


@pytest.mark.parametrize(("variant", "tolerance"), [("fp32", 1e-4), ("fp16", 0.02), ("dyn8", 0.1), ("int8", 0.1)])
def test_every_variant_agrees_with_keras(
    exported: Path, folders: tuple[Path, Path], variant: str, tolerance: float
) -> None:
    from models_src import inference

    keras, other = (model_file.find(exported, v) for v in ("keras", variant))
    reference, network = inference.load(keras), inference.load(other)
    for sample in manifest.load(folders[1]).samples:
        tensor = contracts.preprocess(keras.contract, read_image(sample.image))
        assert network(tensor).shape == (1, 64, 64, 1)
        assert np.abs(network(tensor) - reference(tensor)).max() <= tolerance


def test_the_eight_bit_variant_computes_in_eight_bits_with_float_input_and_output(exported: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(exported / "model.int8.tflite"))
    ends = interpreter.get_input_details() + interpreter.get_output_details()
    assert all(end["dtype"] == np.float32 for end in ends)
    kernels = [t for t in interpreter.get_tensor_details() if t["dtype"] == np.int8 and len(t["shape"]) == 4]
    assert any(len(t["quantization_parameters"]["scales"]) > 1 for t in kernels)  # per channel
    floats = [t for t in interpreter.get_tensor_details() if t["dtype"] == np.float32]
    assert len(floats) == len(ends)


def test_the_keras_model_needs_no_code_of_this_project_and_carries_no_optimizer(exported: Path, trained: Path) -> None:
    import keras

    model = keras.saving.load_model(exported / "model.keras")
    assert not model.compiled
    assert (exported / "model.keras").stat().st_size < (trained / "best.keras").stat().st_size / 2


def test_macs_follow_the_formula() -> None:
    import keras

    from models_src import export

    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same")(image)  # 16·16·3·3·3·8
    x = keras.layers.DepthwiseConv2D(5, padding="same")(x)  # 16·16·5·5·8
    x = keras.Sequential([keras.Input((16, 16, 8)), keras.layers.Conv2D(6, 1, groups=2)])(x)  # 16·16·4·6
    x = keras.layers.Conv2DTranspose(1, 2, strides=2)(x)  # 16·16·2·2·1·6
    model = keras.Model(image, keras.layers.Dense(1)(x))  # 32·32·1·1
    contract = config.contract(config.load(SMOKE, ["INPUT.HEIGHT", "32", "INPUT.WIDTH", "32"]), "logit")
    assert export.macs(model, contract) == 256 * (216 + 200 + 24 + 24) + 1024


# --- networks from elsewhere ---------------------------------------------------------------------


def _foreign(folder: Path, last_layer: str = "plain") -> tuple[Path, Path]:
    """A small two-channel network and its contract."""
    import keras

    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(2, 3, padding="same", name="scores")(image)
    if last_layer == "nan":
        x = keras.layers.Rescaling(float("nan"))(x)
    if last_layer == "lambda":
        x = keras.layers.Lambda(lambda t: t)(x)
    model = keras.Model(image, x)
    model.save(folder / "foreign.keras")
    (folder / "foreign.toml").write_text(
        'schema = "segmentation-contract/1"\ninput_height = 24\ninput_width = 40\nchannels = "bgr"\n'
        'fit = "letterbox"\nresize = "area"\nscale = 1.0\noffset = [-123.7, -116.8, -103.9]\n'
        'output = "softmax2"\nforeground = 1\nthreshold = 0.5\n',
        encoding="utf-8",
    )
    return folder / "foreign.keras", folder / "foreign.toml"


def test_a_network_from_elsewhere_is_exported_with_its_own_contract_and_a_fixed_batch(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    from models_src import inference

    model, contract = _foreign(tmp_path)
    out = tmp_path / "out"
    result = segmodel("export", model, "--contract", contract, "--out", out, "--calibration", folders[0])
    assert result.exit_code == 0, result.output
    assert model_file.available_variants(out) == ["keras", *model_file.VARIANTS]
    assert model_file.find(out, "int8").contract == contracts.read(contract)
    network = inference.load(model_file.find(out, "fp32"))
    assert network(np.zeros((1, 24, 40, 3), np.float32)).shape == (1, 24, 40, 2)
    assert segmodel("evaluate", out, "--data", folders[1]).exit_code == 0


def test_a_legacy_h5_file_replaces_a_model_only_if_told_and_keeps_its_card(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    import keras

    model, contract = _foreign(tmp_path)
    keras.saving.load_model(model).save(tmp_path / "old.h5")
    out = tmp_path / "out"
    out.mkdir()
    (out / "model.json").write_text("{}", encoding="utf-8")
    (out / "README.md").write_text("card", encoding="utf-8")
    command = ["export", tmp_path / "old.h5", "--contract", contract, "--out", out, "--calibration", folders[0]]

    _refused(segmodel(*command), str(out), "--overwrite")
    assert (out / "model.json").read_text(encoding="utf-8") == "{}"

    result = segmodel(*command, "--overwrite")
    assert result.exit_code == 0, result.output
    assert (out / "README.md").read_text(encoding="utf-8") == "card"
    assert json.loads((out / "model.json").read_text(encoding="utf-8"))["source"]["file"] == "old.h5"


@pytest.mark.parametrize(
    ("last_layer", "named"), [("nan", ("keras: the network returns", "not finite")), ("lambda", ("refused", "Lambda"))]
)
def test_a_network_that_cannot_be_trusted_leaves_nothing_behind(
    folders: tuple[Path, Path], tmp_path: Path, last_layer: str, named: tuple[str, ...]
) -> None:
    model, contract = _foreign(tmp_path, last_layer)
    out = tmp_path / "out"
    result = segmodel("export", model, "--contract", contract, "--out", out, "--calibration", folders[0])
    _refused(result, *named)
    assert {path.name for path in tmp_path.iterdir()} == {"foreign.keras", "foreign.toml"}


def test_bad_arguments_of_export_are_explained(
    trained: Path, exported: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    out, contract = tmp_path / "out", exported / "contract.toml"
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("", encoding="utf-8")
    _refused(segmodel("export", exported / "model.keras", "--out", out), "--calibration")
    _refused(segmodel("export", tmp_path / "none.keras", "--out", out, "--contract", contract), "none.keras")
    _refused(segmodel("export", tmp_path / "empty", "--out", out), "run folder")
    _refused(segmodel("export", trained, "--out", out, "--calibration", tmp_path / "empty"), "no pictures")
    _refused(segmodel("export", trained, "--out", tmp_path / "file" / "out"), "cannot write")
    foreign, _ = _foreign(tmp_path)
    _refused(segmodel("export", foreign, "--out", out, "--calibration", folders[0]), "--contract")


# --- evaluate ------------------------------------------------------------------------------------


def test_the_scores_are_the_means_of_the_metrics_at_the_masks_size(exported: Path, folders: tuple[Path, Path]) -> None:
    from models_src import inference

    file = model_file.find(exported, "fp32")
    network, rows = inference.load(file), []
    for sample in manifest.load(folders[1]).samples:
        image, truth = sample.read()
        output = network(contracts.preprocess(file.contract, image))
        plane = contracts.probability(file.contract, output)
        mask = contracts.frame_probability(file.contract, plane, truth.shape) > 0.5
        rows.append([f(mask, truth > 127) for f in (metrics.iou, metrics.boundary_iou, metrics.pixel_accuracy)])

    result = segmodel("evaluate", exported, "--data", folders[1], "--variant", "fp32", "--json")
    (found,) = json.loads(result.stdout)
    assert (found["variant"], found["pictures"]) == ("fp32", 5)
    assert np.allclose([found["iou"], found["boundary_iou"], found["pixel_accuracy"]], np.mean(rows, axis=0))


def test_every_variant_is_a_row_and_a_filter_chooses_pictures(exported: Path, folders: tuple[Path, Path]) -> None:
    result = segmodel("evaluate", exported, "--data", folders[1], "--filter", "p[01]")
    assert [line.split()[:2] for line in result.stdout.splitlines()[1:]] == [
        [v, "2"] for v in ("keras", *model_file.VARIANTS)
    ]


def test_a_run_s_checkpoint_scores_like_the_model_exported_from_it(
    trained: Path, exported: Path, folders: tuple[Path, Path]
) -> None:
    scores = [
        json.loads(segmodel("evaluate", model, "--data", folders[1], "--variant", "keras", "--json").stdout)
        for model in (trained / "best.keras", exported)
    ]
    assert scores[0] == scores[1]


def test_bad_arguments_of_evaluate_are_explained(exported: Path, folders: tuple[Path, Path], tmp_path: Path) -> None:
    _refused(segmodel("evaluate", exported, "--data", folders[1], "--variant", "int4"), "int4")
    _refused(segmodel("evaluate", tmp_path / "none", "--data", folders[1]), "none")
    _refused(segmodel("evaluate", exported, "--data", tmp_path), "not known as pictures")
    _refused(segmodel("evaluate", exported, "--data", folders[1], "--filter", "nobody*"), "nobody")
    (tmp_path / "cut.tflite").write_bytes((exported / "model.fp32.tflite").read_bytes()[:5000])
    assert segmodel("evaluate", tmp_path / "cut.tflite", "--data", folders[1]).exit_code == 4


# --- train ---------------------------------------------------------------------------------------


def test_bad_arguments_of_train_are_explained(folders: tuple[Path, Path], tmp_path: Path) -> None:
    _refused(segmodel("train"), "--config", "--resume")
    _refused(segmodel("train", "--resume", tmp_path, "--config", SMOKE), "--resume")
    _refused(segmodel("train", "--config", tmp_path / "none.yaml"), "none.yaml")
    _refused(segmodel("train", "--config", SMOKE, "--set", "TRAIN.EPOCH", "1"), "TRAIN.EPOCH")
    write_pairs(tmp_path / "few", 2, seed=1)
    pairs = settings((tmp_path / "few", folders[1]), tmp_path / "runs")
    overrides = [text for i in range(0, len(pairs), 2) for text in ("--set", *pairs[i : i + 2])]
    _refused(segmodel("train", "--config", SMOKE, *overrides), "BATCH_SIZE")


def test_the_commands_explain_themselves_without_tensorflow() -> None:
    import subprocess
    import sys

    program = (
        "import sys; from models_src.cli import main\n"
        "for command in ([], ['train'], ['export'], ['evaluate']): main([*command, '--help'], standalone_mode=False)\n"
        "assert not {'tensorflow', 'keras', 'cv2', 'albumentations'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


@pytest.mark.system  # half a minute
def test_a_trained_run_is_printed_last(folders: tuple[Path, Path], tmp_path: Path) -> None:
    pairs = settings(folders, tmp_path, TRAIN__EPOCHS=1)
    overrides = [text for i in range(0, len(pairs), 2) for text in ("--set", *pairs[i : i + 2])]
    result = segmodel("train", "--config", SMOKE, *overrides)
    assert result.exit_code == 0, result.output
    assert (Path(result.stdout.splitlines()[-1]) / "best.keras").is_file()


def test_errors_name_the_file_that_is_no_run(tmp_path: Path) -> None:
    from models_src import export

    with pytest.raises(HarnessError, match="best.keras"):
        export.from_run(tmp_path)


def test_a_keras_file_names_no_setting_that_older_releases_refuse(exported: Path) -> None:
    with zipfile.ZipFile(exported / "model.keras") as archive:
        text = archive.read("config.json").decode()

    for setting in ("input_axes", "output_axes", "renorm"):
        assert f'"{setting}' not in text


def test_a_setting_that_changes_something_is_kept() -> None:
    from models_src import export

    config = {"layers": [{"renorm": True, "renorm_clipping": None, "units": 3}]}
    assert export.portable(config) == {"layers": [{"renorm": True, "units": 3}]}
