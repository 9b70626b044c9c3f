"""QCDQ: QuantizeLinear, Clip, DequantizeLinear, as Brevitas exports few bits in standard ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx_runtime import Builder, Run

from hwgen.frontend import qonnx
from hwgen.golden.edges import enter, leave
from hwgen.golden.run import execute


class Clipped(Builder):
    """With a clamp of the integers."""

    def qcdq(self, x: str, scale: Any, low: int, high: int, dtype: str = "int8", **more: Any) -> str:
        """QuantizeLinear, Clip, DequantizeLinear."""
        zeros = np.zeros(np.shape(scale))
        q = self.quantize(x, scale, zeros, dtype, **more)
        q = self.node("Clip", q, self.const(low, dtype), self.const(high, dtype))
        return self.dequantize(q, scale, zeros, dtype, **more)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_few_bits_are_exact_and_narrow(bits: int) -> None:
    rng = np.random.default_rng(bits)
    top = 2 ** (bits - 1) - 1
    net = Clipped()
    x = net.qcdq(net.input((1, 3, 8, 8)), 0.5, -top, top)
    w = net.const(rng.normal(0, 0.5 * top, (4, 3, 3, 3)), "float32")
    scales = 2.0 ** -rng.integers(1, 3, 4)
    y = net.node("Conv", x, net.qcdq(w, scales, -top, top, axis=0), pads=[1, 1, 1, 1])
    y = net.qcdq(net.node("Relu", y), 0.5, 0, 2**bits - 1, "uint8")
    y = net.node("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
    w = net.const(rng.normal(0, 0.5 * top, (5, 64)), "float32")
    y = net.node("Gemm", net.node("Flatten", y), net.qcdq(w, 0.25, -top, top), transB=1)
    model, x_in = net.model(y), rng.normal(0, top / 2, (20, 3, 8, 8)).astype(np.float32)
    run = Run(model, x_in)
    assert np.array_equal(run.y, run.y_expected)
    assert all(bad == 0 for bad, _ in run.differences().values())
    pool = next(n for n in run.graph.nodes if n.kind == "maxpool")
    assert run.graph.tensors[pool.inputs[0]].range.hi == 2**bits - 1
    weights = [n.weights for n in run.graph.nodes if n.kind == "conv"]
    assert max(np.abs(w).max() for w in weights) == top

    graph = qonnx.load(model.SerializeToString(), "test")  # scales of two: the same in QONNX's arithmetic
    (edge,), (out,) = graph.inputs, graph.outputs
    values = execute(graph, {edge.tensor: enter(edge, graph.tensors[edge.tensor], x_in)})
    assert np.array_equal(leave(out, graph.tensors[out.tensor], values[out.tensor]), run.y_expected)
