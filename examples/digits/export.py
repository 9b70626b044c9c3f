"""The quantised network as a .tflite file."""

from __future__ import annotations

import numpy as np
from quantise import INPUT, Quantisation, QuantisedLayer

from hwgen.compress.tflite_file import Quantization, TensorRef
from hwgen.compress.tflite_writer import TfliteWriter


def tflite_bytes(layers: list[QuantisedLayer]) -> bytes:
    """The file: int8 digit (1, 8, 8, 1) in, int8 softmax (1, 10) with scale 1/256 out."""
    net = TfliteWriter()
    x = net.input((1, 8, 8, 1), per_tensor(INPUT), name="digit")
    for layer in layers:
        x = append(net, x, layer)
    net.output(net.softmax(x))
    return net.finish()


def append(net: TfliteWriter, x: TensorRef, layer: QuantisedLayer) -> TensorRef:
    """`layer` behind x."""
    if layer.kind in ("maxpool", "averagepool"):
        return net.pool({"maxpool": "MAX", "averagepool": "AVERAGE"}[layer.kind], x, (2, 2), (2, 2))
    assert layer.weights is not None and layer.weight_quantisation is not None
    scales = layer.weight_quantisation.scales.tolist()
    output = per_tensor(layer.output)
    if layer.kind == "conv":
        return net.conv(x, layer.weights, scales, layer.bias, output, activation="RELU")
    if layer.kind == "depthwise":
        return net.depthwise(x, layer.weights, scales, layer.bias, output, activation="RELU")
    flat = net.reshape(x, (1, int(np.prod(x.shape))))
    return net.dense(flat, layer.weights, scales, layer.bias, output)


def per_tensor(quantisation: Quantisation) -> Quantization:
    """One scale and zero point, as the writer takes them."""
    return Quantization(float(quantisation.scales[0]), quantisation.zero_point)
