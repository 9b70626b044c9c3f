"""Post-training int8 quantisation in TFLite's scheme: real = scale * (q - zero_point).

Weights: symmetric int8 in -127..127, one scale per output channel (one per tensor for dense, as
TFLite's converter does). Activations: int8 with a zero point, ranges from the training digits.
Biases: int32 with scale = input scale * weight scale. Scales are float32, as in the file; or all
of them are powers of two, where float32 arithmetic on the integers is exact in any order.
Source: Jacob et al. 2018; the TensorFlow Lite 8-bit quantisation specification.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from data import INPUT_SCALE, INPUT_ZERO_POINT
from network import WEIGHT_BITS, Floats, Layer, forward, grid
from numpy.typing import NDArray

CHANNEL_AXIS = {"conv": 0, "depthwise": 2}  # of the float weights; dense has one scale for all


@dataclass(frozen=True)
class Quantisation:
    """real = scales * (q - zero_point); one scale, or one per channel."""

    scales: NDArray[np.float32]
    zero_point: int = 0


@dataclass(frozen=True)
class QuantisedLayer:
    """A layer with integers for its parameters. weights: int8, shaped as in network.py; bias: int32, (O,)."""

    kind: str
    name: str
    output: Quantisation
    weights: NDArray[np.int8] | None = None
    weight_quantisation: Quantisation | None = None
    bias: NDArray[np.int32] | None = None
    bias_quantisation: Quantisation | None = None


INPUT = Quantisation(np.array([INPUT_SCALE], np.float32), INPUT_ZERO_POINT)
INPUT_POWER_OF_TWO = Quantisation(np.array([1 / 16], np.float32))  # q = grey level


def quantise(layers: list[Layer], calibration: Floats, power_of_two: bool = False) -> list[QuantisedLayer]:
    """The network in integers; `calibration` (N, 8, 8, 1) real inputs give the activations' ranges."""
    result: list[QuantisedLayer] = []
    current = INPUT_POWER_OF_TWO if power_of_two else INPUT
    for layer, activations in zip(layers, forward(layers, calibration), strict=True):
        if not layer.parameters:  # pooling keeps its input's scale: TFLite's kernels only move integers
            result.append(QuantisedLayer(layer.kind, layer.name, current))
            continue
        output = activation_quantisation(float(activations.min()), float(activations.max()), power_of_two)
        weights = grid(layer.parameters["weights"], WEIGHT_BITS)
        integers, by_weights = quantise_weights(weights, CHANNEL_AXIS.get(layer.kind), power_of_two)
        by_bias = Quantisation((current.scales * by_weights.scales).astype(np.float32))
        real_bias = grid(layer.parameters["bias"], WEIGHT_BITS)
        exact_scales = current.scales.astype(np.float64) * by_weights.scales
        steps = np.rint(real_bias / exact_scales)
        if np.abs(steps).max() >= 1 << 31:
            raise OverflowError(f"{layer.name}: a bias of {np.abs(real_bias).max():g} does not fit int32")
        bias = steps.astype(np.int32)
        result.append(QuantisedLayer(layer.kind, layer.name, output, integers, by_weights, bias, by_bias))
        current = output
    return result


def activation_quantisation(low: float, high: float, power_of_two: bool = False) -> Quantisation:
    """256 steps from low to high, both widened to include 0, which falls on an integer exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    (scale,) = float32_scales(np.array([high - low]) / 255, power_of_two)
    zero_point = int(np.clip(np.rint(-128 - low / float(scale)), -128, 127))
    return Quantisation(np.array([scale], np.float32), zero_point)


def quantise_weights(
    weights: Floats, channel_axis: int | None, power_of_two: bool = False
) -> tuple[NDArray[np.int8], Quantisation]:
    """int8 weights, the largest of each channel at +-127, and their scales."""
    others = tuple(i for i in range(weights.ndim) if i != channel_axis)
    largest = np.abs(weights).max(axis=others, keepdims=True)
    scales = float32_scales(largest / 127, power_of_two)
    integers = np.clip(np.rint(weights / scales.astype(np.float64)), -127, 127).astype(np.int8)
    return integers, Quantisation(scales.ravel())


def float32_scales(steps: Floats, power_of_two: bool) -> NDArray[np.float32]:
    """The steps as scales: in float32, or rounded up to powers of two; 1 for a range that is empty."""
    steps = np.where(steps > 0, steps, 1.0)
    if power_of_two:
        fraction, exponent = np.frexp(steps)  # fraction in [0.5, 1), 0.5 for a power of two
        steps = np.ldexp(1.0, exponent - (fraction == 0.5))
    return steps.astype(np.float32)
