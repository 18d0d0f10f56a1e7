# SPDX-License-Identifier: Apache-2.0
"""Model folders and the files in them: which variant is which file, and what a file says of itself.

Facts are read from the file: the flatbuffer of a ``.tflite``, the archive of a ``.keras``; nothing is run here.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import contract as contracts
from harness.errors import ExitCode, HarnessError

VARIANTS = ("fp32", "fp16", "dyn8", "int8")
"""TFLite variants in the order tables show them."""

_ITEM_BYTES = {
    "FLOAT32": 4, "FLOAT16": 2, "BFLOAT16": 2, "FLOAT64": 8, "BOOL": 1, "INT8": 1, "UINT8": 1, "INT16": 2, "UINT16": 2,
    "INT32": 4, "UINT32": 4, "INT64": 8, "UINT64": 8,
}  # fmt: skip

_FORMATS = {".keras": "keras", ".h5": "h5", ".tflite": "tflite"}


class ModelError(HarnessError):
    """A model that cannot be used: missing, damaged, foreign or without a contract."""


class DamagedModelError(ModelError):
    """A file that is there but is no readable model."""

    exit_code = ExitCode.INVALID


@dataclass(frozen=True)
class ModelFile:
    """One file of a model and the contract it is used with.

    Attributes:
        name: the model's name: its folder, or the stem of a single file.
        variant: ``keras``, ``fp32``, ``fp16``, ``dyn8`` or ``int8``.
        format: ``keras``, ``h5`` or ``tflite``.
        contract: the contract, and ``contract_text`` its source.
        ops: number of operators by name; empty where the file does not tell.
        activations: what one inference holds beside the weights (:func:`_activations`); None where the file does not
            tell.
        listed: whether ``model.json`` beside it lists this very file; None where there is none, or not this variant.
    """

    path: Path
    name: str
    variant: str
    format: str
    sha256: str
    bytes: int
    contract: contracts.Contract
    contract_text: str
    ops: dict[str, int] = field(default_factory=dict)
    listed: bool | None = None
    activations: dict[str, int] | None = None

    def facts(self) -> dict[str, Any]:
        """The ``model`` part of ``run.json``."""
        return {
            "name": self.name,
            "variant": self.variant,
            "format": self.format,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "contract": self.contract_text,
            "ops": sum(self.ops.values()) or None,
            "activations": self.activations,
            "listed": self.listed,
        }


def find(model: str | Path, variant: str, contract: str | Path | None = None) -> ModelFile:
    """The file of one variant.

    Args:
        model: a model folder, or a single ``.keras``, ``.h5`` or ``.tflite`` file.
        variant: ``keras`` or one of :data:`VARIANTS`; for a single ``.tflite`` file whatever it is is taken.
        contract: contract file to use instead of the model's own; needed for models that carry none.

    Raises:
        ModelError: no such file, no readable model, or no contract.
    """
    path = Path(model)
    if path.is_dir():
        file = _file_in(path, variant)
        name = path.resolve().name
    elif path.is_file():
        file, name = path, path.stem
        if (file.suffix == ".tflite") == (variant == "keras"):
            raise ModelError(f"{path}: not a file of variant {variant}; give --model a folder with model.{variant}…")
    else:
        raise ModelError(f"{path}: no such model; --model takes a model folder or a .keras, .h5 or .tflite file")
    format = _FORMATS.get(file.suffix)
    if format is None:
        raise ModelError(f"{file}: unknown model format; known: {', '.join(_FORMATS)}")
    data = file.read_bytes()
    ops: dict[str, int] = {}
    embedded: str | None = None
    activations: dict[str, int] | None = None
    if format == "tflite":
        variant, ops, activations, embedded = _read_tflite(file, data)
    elif format == "keras" and not zipfile.is_zipfile(file):
        raise DamagedModelError(f"{file}: not a Keras model: a .keras file is a zip archive and this is none")
    text, where = _contract_text(file, embedded, contract)
    try:
        parsed = contracts.parse(text, where)
    except contracts.ContractError as error:
        raise ModelError(str(error)) from None
    digest = hashlib.sha256(data).hexdigest()
    listed = _listed(file, digest)
    return ModelFile(file, name, variant, format, digest, len(data), parsed, text, ops, listed, activations)


def available_variants(model: str | Path) -> list[str]:
    """The variants a model folder holds, ``keras`` first."""
    folder = Path(model)
    keras = ["keras"] if any((folder / f"model{s}").exists() for s in (".keras", ".h5")) else []
    return keras + [v for v in VARIANTS if (folder / f"model.{v}.tflite").exists()]


def _file_in(folder: Path, variant: str) -> Path:
    names = ["model.keras", "model.h5"] if variant == "keras" else [f"model.{variant}.tflite"]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    have = ", ".join(available_variants(folder)) or "no variant at all"
    raise ModelError(f"{folder}: no {names[0]} (variant {variant}); the folder has {have}; segmodel export makes them")


def _listed(file: Path, sha256: str) -> bool | None:
    """Whether the folder's ``model.json``, written by the export, lists a file of this name with this hash."""
    try:
        variants = json.loads((file.parent / "model.json").read_text(encoding="utf-8"))["variants"].values()
        hashes = {entry["file"]: entry["sha256"] for entry in variants}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return hashes[file.name] == sha256 if file.name in hashes else None


def _contract_text(file: Path, embedded: str | None, given: str | Path | None) -> tuple[str, str]:
    if given is not None:
        source = Path(given)
    elif embedded is not None:
        return embedded, f"{file} (metadata)"
    else:
        source = file.parent / "contract.toml"
        if not source.exists():
            raise ModelError(f"{file}: the model has no contract; say how to use it with --contract FILE")
    try:
        return source.read_text(encoding="utf-8"), str(source)
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{source}: cannot read the contract: {error}") from None


def _read_tflite(path: Path, data: bytes) -> tuple[str, dict[str, int], dict[str, int] | None, str | None]:
    """Variant, number of operators by name, activations, and the contract inside, if any, of a ``.tflite`` file.

    Raises:
        DamagedModelError: the file is no TFLite model, or cut short.
    """
    from ai_edge_litert import schema_py_generated as schema

    if data[4:8] != b"TFL3":
        raise DamagedModelError(
            f"{path}: not a TFLite model (no TFL3 identifier); export it again with segmodel export"
        )
    try:
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        if not model.subgraphs or not model.operatorCodes:
            raise ValueError("no graph inside")
        metadata = _metadata(model, contracts.METADATA_NAME)
        return _variant_of(model), _operators(model), _activations(model), metadata
    except Exception as error:  # a damaged flatbuffer raises whatever its bytes happen to mean
        detail = f"{type(error).__name__}: {error}"
        raise DamagedModelError(f"{path}: damaged or cut short ({detail}); copy or export it again") from None


def _metadata(flatbuffer: Any, name: str) -> str | None:
    for entry in flatbuffer.metadata or []:
        if entry.name.decode() == name:
            return bytes(flatbuffer.buffers[entry.buffer].data).decode("utf-8")
    return None


def operator_names(flatbuffer: Any) -> list[str]:
    """The name of each operator code of a model (``ModelT``), a custom one by its own; an operator tells its code's
    place in this list."""
    from ai_edge_litert import schema_py_generated as schema

    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    return [
        code.customCode.decode()
        if code.customCode
        else str(names.get(max(code.builtinCode, code.deprecatedBuiltinCode)))
        for code in flatbuffer.operatorCodes
    ]


def _operators(flatbuffer: Any) -> dict[str, int]:
    codes = operator_names(flatbuffer)
    counts = Counter(codes[op.opcodeIndex] for graph in flatbuffer.subgraphs for op in graph.operators or [])
    return dict(sorted(counts.items()))


def _activations(flatbuffer: Any) -> dict[str, int] | None:
    """What one inference holds beside the constants, if the operators run one after another in the file's order.

    ``tensors`` that are written, the input among them; the ``bytes`` of all of them: what a runtime without a memory
    plan would allocate in one inference; and ``peak_bytes``, the most that is alive at once, from the operator that
    writes a tensor to the last that reads it: what any plan must hold at least (the lower bound of Y. Pisarchyk,
    J. Lee, *Efficient Memory Management for Deep Neural Net Inference*, 2020). All three follow from the file alone,
    whatever the machine. Scratch memory of kernels and repacked weights are the runtime's affair and not in them.

    Returns:
        None where the file does not tell: several graphs, a shape that is known only when it runs, packed elements.
    """
    from ai_edge_litert import schema_py_generated as schema

    if len(flatbuffer.subgraphs) != 1:
        return None
    names = {value: name for name, value in vars(schema.TensorType).items() if not name.startswith("_")}
    graph = flatbuffer.subgraphs[0]
    operators = graph.operators or []
    born, dies = dict.fromkeys(map(int, graph.inputs), 0), dict[int, int]()
    for step, operator in enumerate(operators):
        for tensor in operator.outputs:
            born.setdefault(int(tensor), step)
        dies |= dict.fromkeys([int(t) for t in (*operator.inputs, *operator.outputs)], step)
    dies |= dict.fromkeys(map(int, graph.outputs), len(operators) - 1)
    change = [0] * (len(operators) + 1)
    total = 0
    for tensor, step in born.items():
        described = graph.tensors[tensor]
        shape, item = [int(n) for n in described.shape], _ITEM_BYTES.get(names[described.type])
        signature = shape if described.shapeSignature is None else described.shapeSignature
        if item is None or min(signature, default=0) < 0:
            return None
        size = math.prod(shape) * item
        total += size
        change[step] += size
        change[dies.get(tensor, step) + 1] -= size
    return {"tensors": len(born), "bytes": total, "peak_bytes": max(itertools.accumulate(change))}


def _variant_of(flatbuffer: Any) -> str:
    """What the weights and activations are, whatever the file is called.

    Constants feed operators directly (int8 with int8 activations: ``int8``; with float ones: ``dyn8``), or as
    float16 through DEQUANTIZE (``fp16``); everything else is ``fp32``.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = flatbuffer.subgraphs[0]
    constants: Counter[int] = Counter()
    activations: Counter[int] = Counter()
    for tensor in graph.tensors:
        buffer = flatbuffer.buffers[tensor.buffer].data
        kind = constants if buffer is not None and len(buffer) else activations
        kind[tensor.type] += 1
    if activations[schema.TensorType.INT8] > activations[schema.TensorType.FLOAT32]:
        return "int8"
    if constants[schema.TensorType.INT8]:
        return "dyn8"
    return "fp16" if constants[schema.TensorType.FLOAT16] else "fp32"
