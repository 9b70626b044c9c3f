"""The three low-bit networks and their float teacher, in Brevitas.

Every quantiser's scale is chosen so that float32 sums are exact: activations have power-of-two scales,
weights a scale on a grid of 2^-12. So any runtime, in whatever order it adds, computes the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import brevitas.nn as qnn
import torch
from brevitas.quant import (
    Int8WeightPerTensorFloat,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    Uint8ActPerTensorFloat,
)
from torch import Tensor, nn

NEGATIVE_GAMMAS = 0.25  # share of batch-norm gammas that start below zero; training may turn any of them
SCALE_GRID = 2.0**12  # a sum is a whole multiple of 2^-16, and far fewer than the 2^24 of float32


# ---- quantisers ----


class MeanScale(nn.Module):
    """Scale s = factor * mean|w|, on the grid, over the layer or over each output's weights.

    round(w / s) is zero up to |w| = s / 2; so factor 1.4 is the TWN's threshold of 0.7 * mean|w|
    (Li et al., "Ternary Weight Networks", 2016).
    """

    def __init__(self, factor: float, per_output: bool) -> None:
        super().__init__()
        self.factor, self.per_output = factor, per_output

    def forward(self, weights: Tensor, threshold: Tensor | None = None) -> Tensor:
        """s, of shape () or (O, 1, ...); Brevitas would divide it by the largest level, which is 1 here."""
        axes = list(range(1 if self.per_output else 0, weights.dim()))
        mean = weights.detach().abs().mean(axes, keepdim=self.per_output)
        return (self.factor * mean * SCALE_GRID).round().clamp(min=1) / SCALE_GRID


def bipolar_weights(scale: float) -> type:
    """Weights +-scale by sign, as in the BNN paper."""
    return type("BipolarWeights", (SignedBinaryWeightPerTensorConst,), {"scaling_const": scale})


def ternary_weights() -> type:
    """Weights {-1, 0, 1} * s with one s for the layer."""
    scale = MeanScale(1.4, per_output=False)
    settings = {"bit_width": 2, "narrow_range": True, "scaling_impl": scale}
    return type("TernaryWeights", (Int8WeightPerTensorFloat,), settings)


def two_bit_weights(per_output: bool) -> type:
    """Weights {-2, -1, 0, 1} * s, with one s for each output or one for the layer."""
    scale = MeanScale(1.25, per_output=per_output)
    settings = {"bit_width": 2, "narrow_range": False, "scaling_impl": scale}
    return type("TwoBitWeights", (Int8WeightPerTensorFloat,), settings)


def unsigned(bits: int, scale: float) -> type:
    """Activations {0 .. 2^bits - 1} * scale, constant."""
    settings = {"bit_width": bits, "scaling_impl_type": "CONST", "max_val": scale * (2**bits - 1)}
    return type("UnsignedActivations", (Uint8ActPerTensorFloat,), settings)


INPUT = unsigned(4, 1 / 16)  # grey level / 16 to 0..15; level 16 becomes 15


# ---- networks: (N, 1, 8, 8) grey levels / 16 in, (N, 10) logits out ----


def bnn() -> nn.Sequential:
    """Bipolar weights and activations; only the 4-bit image is not +-1, so only the first layer is padded."""
    weights, sign = bipolar_weights(1.0), SignedBinaryActPerTensorConst
    return nn.Sequential(
        qnn.QuantIdentity(act_quant=INPUT),
        *convolution(1, 32, weights, qnn.QuantIdentity(act_quant=sign), padding=1),
        *convolution(32, 32, weights, qnn.QuantIdentity(act_quant=sign), padding=0),
        nn.MaxPool2d(2),
        *convolution(32, 64, weights, qnn.QuantIdentity(act_quant=sign), padding=0),
        nn.Flatten(),
        qnn.QuantLinear(64, 10, bias=False, weight_quant=bipolar_weights(1 / 8)),
    )


def twn() -> nn.Sequential:
    """Ternary weights with one scale a layer, 3-bit activations."""
    return multi_bit(ternary_weights, ternary_weights, unsigned(3, 1 / 4))


def two_bit() -> nn.Sequential:
    """2-bit weights with one scale an output, 2-bit activations."""
    return multi_bit(lambda: two_bit_weights(True), lambda: two_bit_weights(False), unsigned(2, 1 / 2))


def multi_bit(weights: Callable[[], type], last: Callable[[], type], activations: type) -> nn.Sequential:
    """Three convolutions and a dense layer; zero is a value of the activations, so all are padded."""
    return nn.Sequential(
        qnn.QuantIdentity(act_quant=INPUT),
        *convolution(1, 16, weights(), qnn.QuantReLU(act_quant=activations), padding=1),
        *convolution(16, 16, weights(), qnn.QuantReLU(act_quant=activations), padding=1),
        nn.MaxPool2d(2),
        *convolution(16, 32, weights(), qnn.QuantReLU(act_quant=activations), padding=1),
        nn.MaxPool2d(2),
        nn.Flatten(),
        qnn.QuantLinear(128, 10, bias=False, weight_quant=last()),
    )


def convolution(
    inputs: int, outputs: int, weights: type, activation: nn.Module, padding: int
) -> list[nn.Module]:
    """3x3 convolution, batch-norm (some gammas negative from the start), activation."""
    norm = nn.BatchNorm2d(outputs)
    with torch.no_grad():
        norm.weight[torch.rand(outputs) < NEGATIVE_GAMMAS] *= -1
    return [
        qnn.QuantConv2d(inputs, outputs, 3, padding=padding, bias=False, weight_quant=weights),
        norm,
        activation,
    ]


def teacher() -> nn.Sequential:
    """The float network whose soft answers the low-bit ones learn from when distilled."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 32), (32, 64), (64, 64)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        if inputs > 1:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 10))


NETWORKS = {"bnn": bnn, "twn": twn, "two_bit": two_bit}
