# SPDX-License-Identifier: Apache-2.0
"""Export: from a trained network to a model folder with every variant, each verified by running it.

A model folder holds ``model.keras``, ``model.{fp32,fp16,dyn8,int8}.tflite``, ``contract.toml`` and
``model.json``. It appears as a whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import __version__, metrics, model_file
from harness import contract as contracts
from harness.contract import Contract
from harness.errors import HarnessError
from models_src import config, inference, networks, tflite_file
from models_src.datasets import manifest
from models_src.datasets.sample import read_image

if TYPE_CHECKING:
    import keras

SCHEMA = "segmentation-model/1"
CALIBRATION_IMAGES = 160
VERIFICATION_IMAGES = 24


@dataclass(frozen=True)
class Check:
    """How one variant differs from the Keras model on the verification pictures, at the model's resolution.

    Attributes:
        max_error: largest difference of the probability.
        mask_iou: mean IoU of the masks.
    """

    variant: str
    bytes: int
    max_error: float
    mask_iou: float


@dataclass(frozen=True)
class Trained:
    """A network to export and where it comes from.

    Attributes:
        source: facts for ``model.json``.
        calibration: folder of the pictures it was trained on, if known.
    """

    model: keras.Model
    contract: Contract
    source: dict[str, Any]
    calibration: str | None


def from_run(run: str | Path) -> Trained:
    """The best network of a run folder, its logits turned into a probability.

    Raises:
        HarnessError: the folder is no run or has no finished epoch.
    """
    import keras

    from models_src import training_layers

    run = Path(run)
    if not (run / "best.keras").is_file() or not (run / "config.yaml").is_file():
        raise HarnessError(f"{run}: no best.keras and config.yaml; expected a run folder with a finished epoch")
    cfg = config.load(run / "config.yaml")
    logits = training_layers.strip(inference.load_keras(run / "best.keras", config.contract(cfg, "logit")))
    if cfg.TRAIN.PRECISION != "float32":  # of mixed precision the weights are kept, the arithmetic is float32
        cfg.defrost()
        cfg.MODEL.ENCODER_WEIGHTS = "none"
        plain = networks.build(cfg)
        plain.set_weights(logits.get_weights())
        logits = plain
    probability = keras.layers.Activation("sigmoid", name="probability")(logits.output)
    model = keras.Model(logits.input, probability, name=logits.name)
    source = {"config": cfg.EXPERIMENT, "run": run.resolve().name}
    return Trained(model, config.contract(cfg, "probability"), source, cfg.DATA.TRAIN)


def from_file(path: str | Path, contract: str | Path | None) -> Trained:
    """A network this project need not have trained, as it is.

    Args:
        path: ``.keras`` or legacy ``.h5`` file.
        contract: its contract; None takes ``contract.toml`` beside it.

    Raises:
        HarnessError: the file cannot be loaded safely, or has no contract.
    """
    found = model_file.find(path, "keras", contract)
    source = {"config": None, "run": None, "file": found.path.name}
    return Trained(inference.load_keras(found.path, found.contract), found.contract, source, None)


def export(trained: Trained, out: str | Path, calibration: str | Path, overwrite: bool = False) -> list[Check]:
    """Write a model folder.

    Args:
        trained: the network.
        out: the folder; other files in it, such as a model card, are kept.
        calibration: folder of pictures like those the model will see, best those it was trained on.
        overwrite: replace a model that is there.

    Returns:
        One check for each TFLite variant.

    Raises:
        HarnessError: ``out`` holds a model already or cannot be written, there are no calibration pictures, or a
            variant cannot be made or gives values that are not finite. ``out`` is as it was then.
    """
    out = Path(out)
    if not overwrite and (out / "model.json").exists():
        raise HarnessError(f"{out}: holds a model already; choose another --out or add --overwrite")
    calibrating, verifying = _pictures(trained.contract, calibration)
    partial = out.with_name(f".{out.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        checks = _write(trained, out.resolve().name, partial, calibrating, verifying)
        _publish(partial, out)
    except OSError as error:
        raise HarnessError(f"{out}: cannot write the model: {error}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return checks


def _pictures(contract: Contract, folder: str | Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Input tensors for calibration and for verification, a fixed choice; different pictures if there are enough."""
    paths = manifest.images(folder)
    order = np.random.default_rng(0).permutation(len(paths))
    chosen = [paths[i] for i in order[: CALIBRATION_IMAGES + VERIFICATION_IMAGES]]
    tensors = [contracts.preprocess(contract, read_image(path)) for path in chosen]
    return tensors[:CALIBRATION_IMAGES], tensors[-VERIFICATION_IMAGES:]


def _write(
    trained: Trained, name: str, folder: Path, calibrating: list[np.ndarray], verifying: list[np.ndarray]
) -> list[Check]:
    model, contract = trained.model, trained.contract
    (folder / "contract.toml").write_text(contract.to_toml(), encoding="utf-8")
    _save_compressed(model, folder / "model.keras")
    reference = _probabilities(inference.keras_network(model, contract), contract, verifying, "keras")
    checks = []
    for variant, content in tflite_file.convert(model, contract, calibrating):
        path = folder / f"model.{variant}.tflite"
        path.write_bytes(content)
        found = _probabilities(inference.tflite(path, contract), contract, verifying, variant)
        checks.append(_check(variant, path.stat().st_size, contract.threshold, reference, found))
    (folder / "model.json").write_text(json.dumps(_facts(trained, name, folder), indent=2) + "\n", encoding="utf-8")
    return checks


# Settings that Keras has added to its layers since 3.8, at the values that change nothing: an older one, such as the
# last for Python 3.10, refuses a file that names them.
_NEWER_SETTINGS = {
    "input_axes": None,
    "output_axes": None,
    "renorm": False,
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
}


def portable(config: Any) -> Any:
    """A layer configuration of Keras (JSON values) without the settings that only newer releases know."""
    if isinstance(config, list):
        return [portable(item) for item in config]
    if not isinstance(config, dict):
        return config
    return {
        key: portable(value)
        for key, value in config.items()
        if key not in _NEWER_SETTINGS or value != _NEWER_SETTINGS[key]
    }


def _save_compressed(model: keras.Model, path: Path) -> None:
    """Save a model for any Keras from 3.8 on, in less space.

    Keras stores the members of its archive uncompressed, and reads compressed ones as well.
    """
    stored = path.with_name("stored.keras")
    model.save(stored)
    with zipfile.ZipFile(stored) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for member in source.infolist():
            data = source.read(member)
            if member.filename == "config.json":
                data = json.dumps(portable(json.loads(data))).encode()
            target.writestr(member.filename, data)
    stored.unlink()


def _probabilities(
    network: inference.Network, contract: Contract, tensors: Sequence[np.ndarray], variant: str
) -> list[np.ndarray]:
    planes = [contracts.probability(contract, network(tensor)) for tensor in tensors]
    if not all(np.isfinite(plane).all() for plane in planes):
        raise HarnessError(f"{variant}: the network returns values that are not finite; nothing was exported")
    return planes


def _check(
    variant: str, size: int, threshold: float, reference: Sequence[np.ndarray], found: Sequence[np.ndarray]
) -> Check:
    pairs = list(zip(found, reference, strict=True))
    return Check(
        variant,
        size,
        max_error=max(float(np.max(np.abs(a - b))) for a, b in pairs),
        mask_iou=float(np.mean([metrics.iou(a > threshold, b > threshold) for a, b in pairs])),
    )


def _facts(trained: Trained, name: str, folder: Path) -> dict[str, Any]:
    files = {v: model_file.find(folder, v) for v in model_file.available_variants(folder)}
    return {
        "schema": SCHEMA,
        "name": name,
        "created_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "source": {**trained.source, "tool": f"segmodel {__version__}"},
        "parameters": trained.model.count_params(),
        "macs": macs(trained.model, trained.contract),
        "variants": {variant: _file_facts(file) for variant, file in files.items()},
        "contract_sha256": hashlib.sha256((folder / "contract.toml").read_bytes()).hexdigest(),
    }


def _file_facts(file: model_file.ModelFile) -> dict[str, Any]:
    facts: dict[str, Any] = {"file": file.path.name, "sha256": file.sha256, "bytes": file.bytes}
    return facts | ({"ops": sum(file.ops.values()), "op_histogram": file.ops} if file.ops else {})


def _publish(partial: Path, out: Path) -> None:
    """Move the finished files into place, ``model.json`` last: it vouches for the others by their hashes."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(partial.iterdir(), key=lambda p: p.name == "model.json"):
        os.replace(path, out / path.name)


def macs(model: keras.Model, contract: Contract) -> int | None:
    """Multiply-accumulates of one inference at batch 1, of all convolutions and dense layers in the Keras graph.

    A kernel is applied once at each position of the layer's output (of its input, if it is transposed), and one
    application takes as many multiplications as the kernel has weights:

    - convolution ``(kh, kw, c_in / groups, c_out)`` and depthwise ``(kh, kw, c, multiplier)``: ``h·w · Πkernel``;
    - dense ``(c_in, c_out)``: ``positions · c_in · c_out``.

    Returns:
        The number, or None where the graph does not tell the layers' sizes (a subclassed model, or one of any
        input size with others nested in it).
    """
    import keras

    if None in model.inputs[0].shape[1:]:
        fixed = keras.Input(batch_shape=(1, contract.input_height, contract.input_width, 3))
        try:
            model = keras.models.clone_model(model, input_tensors=fixed)
        except (TypeError, ValueError):
            return None
    counts = [_layer_macs(layer) for layer in _leaves(model)]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _leaves(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _leaves(layer)
        else:
            yield layer


def _layer_macs(layer: keras.Layer) -> int | None:
    kernels = [w for w in layer.weights if w.name.endswith("kernel")]
    if not kernels:
        return 0
    positions = (layer.input if "Transpose" in type(layer).__name__ else layer.output).shape[1:-1]
    return None if None in positions else math.prod(positions) * sum(math.prod(kernel.shape) for kernel in kernels)
