# SPDX-License-Identifier: Apache-2.0
"""What one inference of a TFLite file takes, whatever runs it: weights, and multiplications with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.model_file import operator_names

_BY_OUTPUT = ("CONV_2D", "DEPTHWISE_CONV_2D")
_BY_INPUT = ("TRANSPOSE_CONV", "Convolution2DTransposeBias")  # the latter is MediaPipe's own


@dataclass(frozen=True)
class Cost:
    """Of convolutions and fully connected layers.

    Attributes:
        parameters: weights and biases.
        macs: multiply-accumulates of one inference at batch 1.
    """

    parameters: int
    macs: int


def of(path: str | Path) -> Cost:
    """The cost of a ``.tflite`` file that :func:`harness.model_file.find` has accepted.

    A kernel is applied once at each position of the output, of the input where it is transposed: of a convolution
    ``(c_out, kh, kw, c_in)`` and a depthwise one ``(1, kh, kw, c)`` that is ``h·w · Πkernel``; a fully connected layer
    ``(c_out, c_in)`` has one position.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(Path(path).read_bytes(), 0)
    names = operator_names(model)
    parameters = macs = 0
    for graph in model.subgraphs:
        for operator in graph.operators or []:
            name = names[operator.opcodeIndex]
            shapes = [[int(n) for n in graph.tensors[t].shape] if t >= 0 else [] for t in operator.inputs]
            if name in _BY_OUTPUT or name == "FULLY_CONNECTED":
                positions = 1
                if name in _BY_OUTPUT:
                    positions = _positions(graph.tensors[operator.outputs[0]])
                kernel, bias = shapes[1], shapes[2] if len(shapes) > 2 else []
            elif name in _BY_INPUT:
                # TRANSPOSE_CONV: size of the output, kernel, input; MediaPipe's: input, kernel, bias.
                first = name == "TRANSPOSE_CONV"
                positions = _positions(graph.tensors[operator.inputs[2 if first else 0]])
                kernel = shapes[1]
                bias = shapes[3] if first and len(shapes) > 3 else shapes[2] if not first else []
            else:
                continue
            parameters += math.prod(kernel) + (math.prod(bias) if bias else 0)
            macs += positions * math.prod(kernel)
    return Cost(parameters, macs)


def _positions(tensor: Any) -> int:
    return math.prod(int(n) for n in tensor.shape[1:3])
