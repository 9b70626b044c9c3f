"""Structure of what the TFLite front end makes: nodes, names, edges, ranges."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from hwgen.compress.tflite_writer import Quantization, TfliteWriter
from hwgen.frontend import tflite
from hwgen.frontend.load import load_graph
from hwgen.ir.graph import Graph
from hwgen.ir.tensor import Affine
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.sumpool.op import SumPool
from hwgen.numeric.ranges import Range

Q = Quantization(0.1, 3)


def kinds(graph: Graph) -> list[str]:
    return [node.kind for node in graph.nodes]


def test_keyword_spotting(models: Path) -> None:
    graph = load_graph(models / "mlperf_tiny" / "kws_ref_model.tflite")
    assert graph.runtime == "tflm"
    assert kinds(graph) == ["conv", *["depthwise", "conv"] * 4, "sumpool", "conv", "softmax"]
    first = graph.nodes[0]
    assert isinstance(first, Conv)
    assert first.window.kernel == (10, 4)
    assert first.window.stride == (2, 2)
    assert first.pad_value == 83
    assert graph.macs == 2_656_768
    assert graph.inputs[0].shape == (49, 10, 1)
    assert graph.outputs[0].shape == (12,)
    assert graph.inputs[0].affine is None
    assert graph.inputs[0].dtype == graph.outputs[0].dtype == "int8"
    assert all(node.source for node in graph.nodes)


@pytest.mark.parametrize(("name", "limit"), [("kws_ref_model", 2.0), ("vww_96_int8", 6.0)])
def test_import_time(models: Path, name: str, limit: float) -> None:
    start = time.process_time()
    load_graph(models / "mlperf_tiny" / f"{name}.tflite")
    assert time.process_time() - start < limit


def test_float_edges(models: Path) -> None:
    graph = load_graph(models / "mltk" / "rock_paper_scissors.tflite")
    (source,), (result,) = graph.inputs, graph.outputs
    assert source.dtype == result.dtype == "float32"
    assert source.affine == Affine(pytest.approx(0.05111, abs=1e-5), -25, "away")
    assert result.affine == Affine(1 / 256, -128, "away")


def test_a_channel_multiplier_becomes_a_convolution(models: Path) -> None:
    graph = load_graph(models / "tflite_micro" / "micro_speech_quantized.tflite")
    conv = graph.nodes[1]
    assert isinstance(conv, Conv)
    assert conv.weights.shape == (8, 10, 8, 1)


def test_groups_and_dilation_become_zeros() -> None:
    rng = np.random.default_rng(0)
    net = TfliteWriter()
    x = net.input((1, 9, 9, 4), Q)
    y = net.conv(x, rng.integers(1, 9, (6, 3, 3, 2)), [0.1], None, Quantization(9.0, 0), dilation=(2, 3))
    net.output(net.depthwise(y, rng.integers(1, 9, (3, 3, 6)), [0.1], None, Q, dilation=(2, 1)))
    conv, depthwise = tflite.load(net.finish(), "m").nodes
    assert isinstance(conv, Conv)
    assert isinstance(depthwise, Depthwise)
    assert conv.weights.shape == (6, 5, 7, 4)
    assert np.count_nonzero(conv.weights) == 6 * 9 * 2
    assert not np.any(conv.weights[:3, ..., 2:]) and not np.any(conv.weights[3:, ..., :2])
    assert depthwise.weights.shape == (5, 3, 6)


def test_bias_carries_the_zero_point_and_ranges_are_reachable() -> None:
    net = TfliteWriter()
    x = net.input((1, 1, 1, 2), Q)
    net.output(net.conv(x, [[[[2, -3]]]], [0.1], [10], Quantization(0.1, 0), activation="RELU"))
    graph = tflite.load(net.finish(), "m")
    (node,) = graph.nodes
    assert isinstance(node, Conv)
    assert node.bias.tolist() == [10 - 3 * (2 - 3)]
    assert [int(b[0]) for b in node.acc_bounds(Range(-128, 127))] == [13 - 256 - 381, 13 + 254 + 384]
    assert graph.tensors[node.output].range == Range(0, 65)


def test_padding_areas_get_rows_of_their_own() -> None:
    net = TfliteWriter()
    x = net.input((1, 4, 4, 1), Q)
    net.output(net.pool("AVERAGE", x, (3, 3), (1, 1), "SAME"))
    (node,) = tflite.load(net.finish(), "m").nodes
    assert isinstance(node, SumPool)
    act = node.act
    assert act is not None and act.pixel_rows is not None
    assert act.rows == 3
    assert act.pixel_rows.tolist()[0] == [0, 1, 1, 0]


def test_reshapes_that_change_nothing_vanish() -> None:
    net = TfliteWriter()
    x = net.input((1, 1, 1, 6), Q)
    y = net.softmax(net.reshape(net.reshape(x, (1, 6)), (1, 1, 6)))
    net.output(net.reshape(y, (1, 2, 3)))
    assert kinds(tflite.load(net.finish(), "m")) == ["softmax", "reshape"]


def test_litert_is_named() -> None:
    net = TfliteWriter()
    x = net.input((1, 2), Q)
    net.output(net.dense(x, [[1, 2]], [0.1], None, Q))
    assert tflite.load(net.finish(), "m", "litert").runtime == "litert"


def test_inputs_of_the_same_name_are_told_apart() -> None:
    net = TfliteWriter()
    a, b = (net.input((1, 1, 1, 2), Q, name="x") for _ in range(2))
    net.output(net.add(a, b, Q))
    graph = tflite.load(net.finish(), "m")
    assert [edge.name for edge in graph.inputs] == ["x_0", "x_1"]
    assert graph.outputs[0].name == "tensor_2"
