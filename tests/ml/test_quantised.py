"""int8 graphs: evening out changes no answer of the exact graph, and the rounded one stays nearer to it."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="making an int8 form needs the ml extra")

import onnxruntime  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from ml.encoders import quantised  # noqa: E402

WIDTH, OUT = 32, 16


def graph(path):
    """Two products that share their input, and one behind a ReLU; one feature and one row are much larger than the rest."""
    rng = np.random.default_rng(0)
    shapes = {"a": (WIDTH, OUT), "b": (WIDTH, OUT), "c": (OUT, WIDTH)}
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.2, shape).astype(np.float32), name) for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["xa"], "first"),
        helper.make_node("MatMul", ["x", "b"], ["xb"], "second"),
        helper.make_node("Add", ["xa", "xb"], ["sum"], "add"),
        helper.make_node("Relu", ["sum"], ["h"], "relu"),
        helper.make_node("MatMul", ["h", "c"], ["y"], "third"),
        helper.make_node("Transpose", ["h"], ["h_t"], "turn", perm=[0, 2, 1]),
        helper.make_node("MatMul", ["h", "h_t"], ["scores"], "of two inputs"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "l", WIDTH])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "l", last]) for name, last in (("y", WIDTH), ("scores", "l"))
    ]  # fmt: skip
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], outputs, weights), opset_imports=[helper.make_opsetid("", 18)], ir_version=10
    )
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return model


def inputs(seed):
    x = np.random.default_rng(seed).normal(0, 1, (2, 7, WIDTH)).astype(np.float32)
    x[..., 3] *= 30  # a feature
    x[:, 2] *= 20  # a word
    x[:, 5] = 0  # divided by nothing
    return {"x": x}


def answers(model, feed):
    session = onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else str(model), providers=["CPUExecutionProvider"]
    )
    return session.run(None, feed)


def test_evening_out_changes_no_answer(tmp_path):
    model = graph(tmp_path / "exact.onnx")
    sizes = quantised.feature_sizes(model, [inputs(1)])
    assert sizes["x"].argmax() == 3 and set(sizes) == {"x", "h"}, "what goes into products with weights, and no more"
    quantised.even_out(model, sizes)
    onnx.checker.check_model(model)
    for seed in (1, 2):  # also of inputs that were not looked at
        feed = inputs(seed)
        for exact, even in zip(
            answers(tmp_path / "exact.onnx", feed), answers(model.SerializeToString(), feed), strict=True
        ):
            np.testing.assert_allclose(even, exact, rtol=1e-4, atol=1e-3)


def test_it_is_nearer_than_rounding_what_comes(tmp_path):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph(tmp_path / "exact.onnx")
    quantised.quantise_graph(tmp_path / "exact.onnx", tmp_path / "ours.onnx", [inputs(1)])
    quantize_dynamic(tmp_path / "exact.onnx", tmp_path / "plain.onnx", weight_type=QuantType.QInt8, per_channel=True)
    feed = inputs(2)
    exact, ours, plain = (answers(tmp_path / f"{name}.onnx", feed)[0] for name in ("exact", "ours", "plain"))
    usual = [0, 1, 3, 4, 6]  # the words that are not the large one: those that lose most
    wrong = [np.abs(found - exact)[:, usual].mean() for found in (ours, plain)]
    assert wrong[0] < 0.25 * wrong[1]
    assert sum("MatMulInteger" in n.op_type for n in onnx.load(tmp_path / "ours.onnx").graph.node) == 3
