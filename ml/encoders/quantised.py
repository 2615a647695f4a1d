"""int8 graphs that stay near the exact ones: matrix products alone, their inputs evened out before they are rounded.

ONNX Runtime rounds the whole input of a matrix product to 256 steps between its least and its greatest number, at run time.
A sentence encoder has a few features and a few words twenty times as large as the rest, so that of the others little is left.
Both are taken out first, by algebra that changes no answer of the exact graph: features by a fixed vector that goes into the
weights (SmoothQuant, Xiao et al. 2023), words by dividing each row by its greatest number and multiplying the product by it.
Needs the ``onnx`` package; what comes out does not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

ALPHA = 0.5  # how much of a feature's size goes into the weights; 0.3 was tried and is worse
LEAST = 1e-6  # a row of zeros stays one


def quantise_graph(source: Path, target: Path, feeds: Sequence[Mapping[str, np.ndarray]]) -> None:
    """feeds: inputs of the graph, by name, from which the size of its features is learned; a few dozen texts do."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(source)
    even_out(model, feature_sizes(model, feeds))
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        even = Path(folder) / "even.onnx"
        onnx.save(model, even)
        quantize_dynamic(
            even, target, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul"]
        )  # fmt: skip


def even_out(model: ModelProto, sizes: Mapping[str, np.ndarray]) -> None:
    """Changes what goes into products with weights, and no answer. sizes: as :func:`feature_sizes` found them."""
    for name, nodes in _by_input(model).items():
        _smooth(model, name, nodes, sizes[name])
        _by_row(model, f"{name}_even", nodes)
    _drop_unused(model)


def feature_sizes(model: ModelProto, feeds: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """``(features,)``, the greatest absolute value of each, by the name of what goes into a product with weights."""
    names = list(_by_input(model))
    watched = ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = (
        onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    )  # what is watched must be there
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: dict[str, np.ndarray] = {}
    for feed in feeds:
        for name, values in zip(names, session.run(names, dict(feed)), strict=True):
            top = np.abs(values).reshape(-1, values.shape[-1]).max(axis=0)
            found[name] = np.maximum(found[name], top) if name in found else top
    return found


def _by_input(model: ModelProto) -> dict[str, list[NodeProto]]:
    """Products with weights, by what goes into them; queries, keys and values share theirs."""
    weights = {i.name for i in model.graph.initializer if len(i.dims) == 2}
    groups: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            groups.setdefault(node.input[0], []).append(node)
    return groups


def _smooth(model: ModelProto, name: str, nodes: Sequence[NodeProto], sizes: np.ndarray) -> None:
    """``name`` becomes ``name_even``, its features divided; the weights' rows are multiplied by as much."""
    held = {i.name: i for i in model.graph.initializer}
    weights = [numpy_helper.to_array(held[node.input[1]]) for node in nodes]
    largest = np.max([np.abs(w).max(axis=1) for w in weights], axis=0)
    scale = np.maximum(sizes, 1e-5) ** ALPHA / np.maximum(largest, 1e-5) ** (1 - ALPHA)
    model.graph.initializer.append(numpy_helper.from_array((1 / scale).astype(np.float32), f"{name}_shrink"))
    _before(model, nodes, [helper.make_node("Mul", [name, f"{name}_shrink"], [f"{name}_even"], f"{name}_smooth")])
    for node, weight in zip(nodes, weights, strict=True):
        grown = f"{node.output[0]}_weight"
        model.graph.initializer.append(numpy_helper.from_array((weight * scale[:, None]).astype(np.float32), grown))
        node.input[0], node.input[1] = f"{name}_even", grown


def _by_row(model: ModelProto, name: str, nodes: Sequence[NodeProto]) -> None:
    """Each row of the input has 1 as its greatest absolute number; the products are multiplied by what it was."""
    last, least, top = f"{name}_last", f"{name}_least", f"{name}_top"
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), last))
    model.graph.initializer.append(numpy_helper.from_array(np.array(LEAST, np.float32), least))
    made = [
        helper.make_node("Abs", [name], [f"{name}_abs"], f"{name}_abs"),
        helper.make_node("ReduceMax", [f"{name}_abs", last], [f"{name}_max"], f"{name}_max", keepdims=1),
        helper.make_node("Max", [f"{name}_max", least], [top], f"{name}_least"),
        helper.make_node("Div", [name, top], [f"{name}_rows"], f"{name}_rows"),
    ]
    _before(model, nodes, made)
    for node in nodes:
        out = node.output[0]
        node.input[0], node.output[0] = f"{name}_rows", f"{out}_rows"
        place = next(at for at, other in enumerate(model.graph.node) if other is node or other == node)
        model.graph.node.insert(place + 1, helper.make_node("Mul", [f"{out}_rows", top], [out], f"{out}_whole"))


def _before(model: ModelProto, nodes: Sequence[NodeProto], made: Sequence[NodeProto]) -> None:
    """Nodes stand in an order in which all that one reads is there."""
    places = [at for at, other in enumerate(model.graph.node) if any(other == node for node in nodes)]
    for offset, node in enumerate(made):
        model.graph.node.insert(min(places) + offset, node)


def _drop_unused(model: ModelProto) -> None:
    used = {name for node in model.graph.node for name in node.input}
    for initializer in [i for i in model.graph.initializer if i.name not in used]:
        model.graph.initializer.remove(initializer)
