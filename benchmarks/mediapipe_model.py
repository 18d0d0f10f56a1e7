# SPDX-License-Identifier: Apache-2.0
"""Rewrites the last layer of MediaPipe's selfie segmentation into operators that LiteRT runs fast: the same bits.

The file ends with a custom operator, ``Convolution2DTransposeBias``: a transposed convolution with kernel 2×2 and
stride 2 to one channel. LiteRT 2.3 runs it, but one output pixel at a time, which is a third of the whole network's
time. Kernel and stride being equal, no two inputs meet in an output pixel, and the same sums are a 1×1 convolution to
four channels, one for each place in a 2×2 block, followed by DEPTH_TO_SPACE. The weights' bytes stay as they are.
"""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_CUSTOM = b"Convolution2DTransposeBias"
_BLOCK = 2


def rewrite(model: bytes) -> bytes:
    """The model with its last custom operator replaced.

    Args:
        model: a ``.tflite`` file.

    Raises:
        ValueError: it has no such operator, or one of another shape.
    """
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model))
    graph = tree.subgraphs[0]
    codes = [code for code, kind in enumerate(tree.operatorCodes) if kind.customCode == _CUSTOM]
    found = [n for n, operator in enumerate(graph.operators) if operator.opcodeIndex in codes]
    if len(found) != 1:
        raise ValueError(f"{len(found)} operators {_CUSTOM.decode()}, expected one")
    operator = graph.operators[found[0]]
    _, weights, bias = operator.inputs
    shape = graph.tensors[weights].shape.tolist()
    if shape[:3] != [1, _BLOCK, _BLOCK]:
        raise ValueError(f"the weights of {_CUSTOM.decode()} have shape {shape}, expected [1, 2, 2, channels]")
    for tensor in _with_source(graph, weights):
        graph.tensors[tensor].shape = np.array([_BLOCK**2, 1, 1, shape[3]], np.int32)
    for tensor in _with_source(graph, bias):
        _repeat(tree, graph.tensors[tensor])
    _replace(tree, graph, found[0])
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _with_source(graph: schema.SubGraphT, tensor: int) -> list[int]:
    """A tensor and, where it is stored in 16 bits, what it is converted from."""
    return [tensor, *(operator.inputs[0] for operator in graph.operators if tensor in operator.outputs)]


def _repeat(tree: schema.ModelT, tensor: schema.TensorT) -> None:
    """One value becomes four."""
    tensor.shape = np.array([_BLOCK**2], np.int32)
    data = tree.buffers[tensor.buffer].data
    if data is not None and len(data):
        buffer = schema.BufferT()
        buffer.data = np.tile(data, _BLOCK**2)
        tree.buffers.append(buffer)
        tensor.buffer = len(tree.buffers) - 1


def _replace(tree: schema.ModelT, graph: schema.SubGraphT, position: int) -> None:
    """Put CONV_2D and DEPTH_TO_SPACE where the custom operator is."""
    operator = graph.operators[position]
    image, result = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    between = schema.TensorT()
    between.name = result.name + b"/blocks"
    between.type = result.type
    between.shape = np.array([*image.shape[:3], _BLOCK**2], np.int32)
    graph.tensors.append(between)

    convolution = schema.OperatorT()
    convolution.opcodeIndex = _code(tree, schema.BuiltinOperator.CONV_2D)
    convolution.inputs, convolution.outputs = operator.inputs, [len(graph.tensors) - 1]
    convolution.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    convolution.builtinOptions = schema.Conv2DOptionsT()
    convolution.builtinOptions.strideH = convolution.builtinOptions.strideW = 1

    spread = schema.OperatorT()
    spread.opcodeIndex = operator.opcodeIndex
    tree.operatorCodes[operator.opcodeIndex] = _operator_code(schema.BuiltinOperator.DEPTH_TO_SPACE)
    spread.inputs, spread.outputs = [len(graph.tensors) - 1], operator.outputs
    spread.builtinOptionsType = schema.BuiltinOptions.DepthToSpaceOptions
    spread.builtinOptions = schema.DepthToSpaceOptionsT()
    spread.builtinOptions.blockSize = _BLOCK
    graph.operators[position : position + 1] = [convolution, spread]


def _code(tree: schema.ModelT, operator: int) -> int:
    for index, code in enumerate(tree.operatorCodes):
        if code.builtinCode == operator:
            return index
    tree.operatorCodes.append(_operator_code(operator))
    return len(tree.operatorCodes) - 1


def _operator_code(operator: int) -> schema.OperatorCodeT:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = operator
    code.version = 1
    return code
