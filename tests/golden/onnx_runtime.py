"""ONNX models built in tests, run in onnxruntime and in hwgen, every tensor compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from hwgen.frontend.onnx_qdq import load
from hwgen.golden.edges import enter, leave
from hwgen.golden.run import execute
from hwgen.ir.graph import Graph

ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (the oracle)")

DISABLED = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
EXTENDED = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED


class Builder:
    """A graph put together node by node; constants get names of their own."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []

    def input(self, shape: tuple[int | str, ...], dtype: str = "float32", name: str = "x") -> str:
        """A graph input."""
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def const(self, value: Any, dtype: str | None = None) -> str:
        """An initialiser."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def node(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """A node with one output."""
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], domain=domain, **attributes))
        return name

    def params(self, scale: Any, zero: Any, dtype: str) -> tuple[str, str]:
        """Scale and zero point."""
        return self.const(scale, "float32"), self.const(zero, dtype)

    def quantize(self, x: str, scale: Any, zero: Any, dtype: str, **attributes: Any) -> str:
        """QuantizeLinear."""
        return self.node("QuantizeLinear", x, *self.params(scale, zero, dtype), **attributes)

    def dequantize(self, x: str, scale: Any, zero: Any, dtype: str, **attributes: Any) -> str:
        """DequantizeLinear."""
        return self.node("DequantizeLinear", x, *self.params(scale, zero, dtype), **attributes)

    def qdq(self, x: str, scale: Any, zero: Any, dtype: str) -> str:
        """QuantizeLinear and DequantizeLinear."""
        return self.dequantize(self.quantize(x, scale, zero, dtype), scale, zero, dtype)

    def weights(self, q: NDArray, scale: Any, zero: Any = 0, axis: int = 0) -> str:
        """A dequantised constant."""
        zeros = np.broadcast_to(np.asarray(zero, dtype=q.dtype), np.shape(scale))
        return self.dequantize(self.const(q), scale, zeros, q.dtype.name, axis=axis)

    def model(self, *outputs: str, opset: int = 13) -> onnx.ModelProto:
        """The finished model; shapes of outputs are left to inference."""
        infos = [onnx.ValueInfoProto(name=name) for name in outputs]
        graph = helper.make_graph(self.nodes, "test", self.inputs, infos, self.constants)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def session(model: onnx.ModelProto | bytes, level: Any = DISABLED) -> Any:
    """An onnxruntime session."""
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    data = model if isinstance(model, bytes) else model.SerializeToString()
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def every_tensor(model: onnx.ModelProto, x: NDArray) -> dict[str, NDArray]:
    """All intermediate results of a batch, run image by image, by name."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    del wide.graph.output[:]
    names = [name for node in model.graph.node for name in node.output if name]
    wide.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    run = session(wide)
    given = run.get_inputs()[0].name
    results = [run.run(names, {given: x[i : i + 1]}) for i in range(len(x))]
    return {name: np.concatenate([r[k].reshape(1, -1) for r in results]) for k, name in enumerate(names)}


class Compared:
    """A graph of hwgen and the tensors of its runtime (batch first, by name) on the same inputs."""

    def __init__(self, graph: Graph, x: NDArray, expected: dict[str, NDArray]) -> None:
        self.graph, self.expected = graph, expected
        (edge,) = graph.inputs
        entered = {edge.tensor: enter(edge, self.graph.tensors[edge.tensor], x)}
        self.values = execute(self.graph, entered, keep=True)
        (self.out,) = self.graph.outputs
        self.y = leave(self.out, self.graph.tensors[self.out.tensor], self.values[self.out.tensor])
        self.y_expected = self.expected[self.out.name].reshape(self.y.shape)


class Run(Compared):
    """A model in hwgen and in onnxruntime on the same inputs."""

    def __init__(self, model: onnx.ModelProto, x: NDArray, runtime: str = "ort") -> None:
        super().__init__(load(model.SerializeToString(), "test", runtime), x, every_tensor(model, x))

    def differences(self) -> dict[str, tuple[int, int]]:
        """(differing, compared) integers of every tensor that has a counterpart in the model."""
        found = {}
        for node in self.graph.nodes:
            expected = self.expected.get(node.source)
            got = self.values[node.output]
            if expected is None or expected.size != got.size:
                continue
            # ONNX's order is channel-first; vectors are the same either way.
            mine = got.transpose(0, 3, 1, 2).reshape(expected.shape)
            found[node.name] = (int(np.sum(mine != expected)), expected.size)
        return found

    def assert_equal(self) -> None:
        """Every integer and every output value equal."""
        wrong = {name: f"{bad} of {all_}" for name, (bad, all_) in self.differences().items() if bad}
        assert not wrong, f"differing from onnxruntime: {wrong}"
        assert np.array_equal(self.y, self.y_expected)
        assert self.y.dtype == self.y_expected.dtype
