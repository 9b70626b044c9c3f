"""The quantised network as an ONNX model in QDQ form: float nodes between quantisers and dequantisers.

Channels come first, so that weights and the dense layer's columns are permuted. Float edges: grey
level / 16 in, ten logits out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from quantise import INPUT_POWER_OF_TWO, Quantisation, QuantisedLayer

OPSET, IR_VERSION = 17, 8  # what onnxruntime 1.13 and newer read


class QdqWriter:
    """Collects nodes and constants; `value` is the name of the tensor made last."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values: NDArray | np.generic) -> str:
        """A constant; returns its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def dequantised(self, name: str, integers: NDArray, quantisation: Quantisation) -> str:
        """Integer constant and its DequantizeLinear; along axis 0 if there are several scales."""
        scales = quantisation.scales if quantisation.scales.size > 1 else quantisation.scales[0]
        inputs = [
            self.constant(f"{name}_quantized", integers),
            self.constant(f"{name}_scale", np.asarray(scales, np.float32)),
            self.constant(f"{name}_zero_point", np.zeros(np.shape(scales), integers.dtype)),
        ]
        axis: dict[str, Any] = {"axis": 0} if quantisation.scales.size > 1 else {}
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [name], name=name, **axis))
        return name

    def node(self, kind: str, name: str, *constants: str, **attributes: Any) -> None:
        """A float node that reads the last value (and constants)."""
        self.nodes.append(helper.make_node(kind, [self.value, *constants], [name], name=name, **attributes))
        self.value = name

    def requantise(self, quantisation: Quantisation) -> None:
        """QuantizeLinear and DequantizeLinear behind the last value."""
        name = self.value
        scale = self.constant(f"{name}_scale", quantisation.scales[0])
        zero_point = self.constant(f"{name}_zero_point", np.int8(quantisation.zero_point))
        self.node("QuantizeLinear", f"{name}_q", scale, zero_point)
        self.node("DequantizeLinear", f"{name}_dq", scale, zero_point)


def onnx_bytes(layers: list[QuantisedLayer]) -> bytes:
    """The file of a network with power-of-two scales: float (1, 1, 8, 8) in, float logits (1, 10) out."""
    net = QdqWriter("digit")
    net.requantise(INPUT_POWER_OF_TWO)
    for layer in layers:
        if layer.kind in ("maxpool", "averagepool"):
            kind = "MaxPool" if layer.kind == "maxpool" else "AveragePool"
            net.node(kind, layer.name, kernel_shape=[2, 2], strides=[2, 2])
        else:
            assert layer.weights is not None and layer.weight_quantisation is not None
            assert layer.bias is not None and layer.bias_quantisation is not None
            weights = net.dequantised(
                f"{layer.name}_weights", channels_first(layer.kind, layer.weights), layer.weight_quantisation
            )
            bias = net.dequantised(f"{layer.name}_bias", layer.bias, layer.bias_quantisation)
            if layer.kind == "dense":
                net.node("Flatten", "flatten", axis=1)
                net.node("Gemm", layer.name, weights, bias, transB=1)
            else:
                kernel = layer.weights.shape[1]
                group = layer.weights.shape[2] if layer.kind == "depthwise" else 1
                shape = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4, "group": group}
                net.node("Conv", f"{layer.name}_sum", weights, bias, **shape)
                net.node("Relu", layer.name)
        net.requantise(layer.output)
    edges = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("digit", [1, 1, 8, 8]), (net.value, [1, 10]))
    ]
    graph = helper.make_graph(net.nodes, "digits", edges[:1], edges[1:], net.constants)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="hwgen")
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def channels_first(kind: str, weights: NDArray[np.int8]) -> NDArray[np.int8]:
    """Weights in ONNX's order: (O, C, K, K), depthwise (C, 1, K, K), dense with columns in C, H, W."""
    if kind == "conv":
        return weights.transpose(0, 3, 1, 2)
    if kind == "depthwise":
        return weights.transpose(2, 0, 1)[:, np.newaxis]
    outputs = len(weights)
    return weights.reshape(outputs, 2, 2, -1).transpose(0, 3, 1, 2).reshape(outputs, -1)
