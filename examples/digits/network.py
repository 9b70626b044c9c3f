"""A small convolutional network in NumPy: forward, backward, Adam; the same bits on every machine.

Floating-point sums depend on their order, and the order on the BLAS and the CPU. Here they do not:
the operands of every product are first rounded to a binary grid (activations to 2^-12, weights to
2^-14, gradients to 2^-22) that is coarse enough for float64 to hold each product and each sum
*exactly*. `exact_product` checks that. All else is elementwise and correctly rounded by IEEE 754,
but for exp, whose last bit drowns in the grid. So a training run is a reproducible build.

Tensors are (N, H, W, C). Layers have `forward(x)` and, after it, `backward(gradient)`; trainable
ones have `parameters` and `gradients` by name.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Random = np.random.Generator

ACTIVATION_BITS, WEIGHT_BITS, GRADIENT_BITS = 12, 14, 22


def grid(x: Floats, bits: int) -> Floats:
    """x rounded to multiples of 2^-bits, halves to even."""
    return np.ldexp(np.rint(np.ldexp(x, bits)), -bits)


def exact_product(a: Floats, b: Floats, bits: int) -> Floats:
    """a @ b of matrices whose products are multiples of 2^-bits; fails if float64 might have to round."""
    check_sum(float(np.abs(a).max() * np.abs(b).max()) * a.shape[1], bits)
    return a @ b


def check_sum(bound: float, bits: int) -> None:
    """Fails if a sum of up to +-bound of multiples of 2^-bits might not fit float64's 53 bits."""
    if not bound < 2.0 ** (53 - bits):
        raise ArithmeticError(f"a sum of up to {bound:g} in steps of 2^-{bits} does not fit float64")


class Layer:
    """A layer without parameters; subclasses with parameters fill both dictionaries."""

    kind: ClassVar[str] = ""

    def __init__(self, name: str) -> None:
        self.name = name
        self.parameters: dict[str, Floats] = {}
        self.gradients: dict[str, Floats] = {}

    def forward(self, x: Floats) -> Floats:
        """The layer's output, on the activation grid."""
        raise TypeError(f"{type(self).__name__} computes nothing")

    def backward(self, gradient: Floats) -> Floats:
        """Gradient of the loss by the last `forward`'s input, from that by its output."""
        raise TypeError(f"{type(self).__name__} computes nothing")


class Conv(Layer):
    """out = relu(bias + sum over (i, j, c) of weights[o, i, j, c] * x[y + i - p, x + j - p, c]), p = K // 2.

    Stride 1, zero padding that keeps the size ("same"), odd K. weights (O, K, K, C), bias (O,).
    """

    kind = "conv"

    def __init__(self, name: str, inputs: int, outputs: int, kernel: int, random: Random) -> None:
        super().__init__(name)
        shape = (outputs, kernel, kernel, inputs)
        self.parameters = {
            "weights": random.normal(size=shape) * he_deviation(inputs * kernel * kernel),
            "bias": np.zeros(outputs),
        }

    def forward(self, x: Floats) -> Floats:
        weights = grid(self.parameters["weights"], WEIGHT_BITS)
        outputs, kernel = weights.shape[:2]
        taps = neighbours(x, kernel)
        self._columns = taps.reshape(-1, taps.shape[-2] * taps.shape[-1])
        self._matrix = weights.reshape(outputs, -1)
        total = exact_product(self._columns, self._matrix.T, ACTIVATION_BITS + WEIGHT_BITS)
        total = grid(total + grid(self.parameters["bias"], WEIGHT_BITS), ACTIVATION_BITS)
        self._positive = (total > 0).reshape(*x.shape[:3], outputs)
        return np.maximum(total, 0).reshape(*x.shape[:3], outputs)

    def backward(self, gradient: Floats) -> Floats:
        n, height, width, outputs = gradient.shape
        kernel = self.parameters["weights"].shape[1]
        flat = (gradient * self._positive).reshape(-1, outputs)
        by_weights = exact_product(flat.T, self._columns, ACTIVATION_BITS + GRADIENT_BITS)
        shape = self.parameters["weights"].shape
        self.gradients = {"weights": by_weights.reshape(shape), "bias": flat.sum(axis=0)}
        by_columns = exact_product(flat, self._matrix, WEIGHT_BITS + GRADIENT_BITS)
        return grid(scatter(by_columns.reshape(n, height, width, kernel * kernel, -1), kernel), GRADIENT_BITS)


class Depthwise(Layer):
    """out = relu(bias[c] + sum over (i, j) of weights[i, j, c] * x[y + i - p, x + j - p, c]), p = K // 2.

    As `Conv`, but each channel has a kernel of its own. weights (K, K, C), bias (C,).
    """

    kind = "depthwise"

    def __init__(self, name: str, channels: int, kernel: int, random: Random) -> None:
        super().__init__(name)
        self.parameters = {
            "weights": random.normal(size=(kernel, kernel, channels)) * he_deviation(kernel * kernel),
            "bias": np.zeros(channels),
        }

    def forward(self, x: Floats) -> Floats:
        weights = grid(self.parameters["weights"], WEIGHT_BITS)
        kernel, channels = weights.shape[0], weights.shape[2]
        self._taps, self._rows = neighbours(x, kernel), weights.reshape(-1, channels)
        total = (self._taps * self._rows).sum(axis=3)  # K*K terms on a 2^-26 grid: far from 53 bits
        total = grid(total + grid(self.parameters["bias"], WEIGHT_BITS), ACTIVATION_BITS)
        self._positive = total > 0
        return np.maximum(total, 0)

    def backward(self, gradient: Floats) -> Floats:
        local = gradient * self._positive
        kernel, _, channels = self.parameters["weights"].shape
        products = self._taps * local[:, :, :, np.newaxis, :]
        check_sum(float(np.abs(products).max()) * local[..., 0].size, ACTIVATION_BITS + GRADIENT_BITS)
        self.gradients = {
            "weights": products.sum(axis=(0, 1, 2)).reshape(kernel, kernel, channels),
            "bias": local.sum(axis=(0, 1, 2)),
        }
        by_taps = local[:, :, :, np.newaxis, :] * self._rows
        return grid(scatter(by_taps, kernel), GRADIENT_BITS)


class MaxPool(Layer):
    """Maximum of each 2x2 block; the gradient goes to the first of equal maxima."""

    kind = "maxpool"

    def forward(self, x: Floats) -> Floats:
        blocks = to_blocks(x)
        self._winner = blocks.argmax(axis=3)[:, :, :, np.newaxis, :]
        return blocks.max(axis=3)

    def backward(self, gradient: Floats) -> Floats:
        n, height, width, channels = gradient.shape
        blocks = np.zeros((n, height, width, 4, channels))
        np.put_along_axis(blocks, self._winner, gradient[:, :, :, np.newaxis, :], axis=3)
        return from_blocks(blocks)


class AveragePool(Layer):
    """Mean of each 2x2 block."""

    kind = "averagepool"

    def forward(self, x: Floats) -> Floats:
        return grid(to_blocks(x).sum(axis=3) / 4, ACTIVATION_BITS)

    def backward(self, gradient: Floats) -> Floats:
        return grid(from_blocks(np.repeat(gradient[:, :, :, np.newaxis, :] / 4, 4, axis=3)), GRADIENT_BITS)


class Dense(Layer):
    """out = bias + weights @ x, x flattened in the order H, W, C. weights (O, I), bias (O,)."""

    kind = "dense"

    def __init__(self, name: str, inputs: int, outputs: int, random: Random) -> None:
        super().__init__(name)
        self.parameters = {
            "weights": random.normal(size=(outputs, inputs)) * he_deviation(inputs),
            "bias": np.zeros(outputs),
        }

    def forward(self, x: Floats) -> Floats:
        self._shape, self._flat = x.shape, x.reshape(len(x), -1)
        self._matrix = grid(self.parameters["weights"], WEIGHT_BITS)
        total = exact_product(self._flat, self._matrix.T, ACTIVATION_BITS + WEIGHT_BITS)
        return grid(total + grid(self.parameters["bias"], WEIGHT_BITS), ACTIVATION_BITS)

    def backward(self, gradient: Floats) -> Floats:
        by_weights = exact_product(gradient.T, self._flat, ACTIVATION_BITS + GRADIENT_BITS)
        self.gradients = {"weights": by_weights, "bias": gradient.sum(axis=0)}
        by_input = exact_product(gradient, self._matrix, WEIGHT_BITS + GRADIENT_BITS)
        return grid(by_input, GRADIENT_BITS).reshape(self._shape)


def build(seed: int) -> list[Layer]:
    """The digits network, untrained: 8x8x1 in, ten logits out."""
    random = np.random.Generator(np.random.PCG64(seed))
    return [
        Conv("conv1", 1, 16, 3, random),
        Depthwise("depthwise2", 16, 3, random),
        Conv("pointwise2", 16, 32, 1, random),
        MaxPool("maxpool2"),
        Conv("conv3", 32, 32, 3, random),
        AveragePool("averagepool3"),
        Dense("dense4", 2 * 2 * 32, 10, random),
    ]


def forward(layers: list[Layer], x: Floats) -> list[Floats]:
    """Outputs of all layers, the logits last."""
    outputs = [grid(x, ACTIVATION_BITS)]
    for layer in layers:
        outputs.append(layer.forward(outputs[-1]))
    return outputs[1:]


def backward(layers: list[Layer], logits: Floats, labels: NDArray[np.int64]) -> None:
    """Fills every layer's `gradients` of the cross-entropy, summed over the batch."""
    exps = np.exp(logits - logits.max(axis=1, keepdims=True))
    gradient = exps / exps.sum(axis=1, keepdims=True)
    gradient[np.arange(len(labels)), labels] -= 1
    gradient = grid(gradient, GRADIENT_BITS)
    for layer in reversed(layers):
        gradient = layer.backward(gradient)


class Adam:
    """Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019)."""

    def __init__(self, layers: list[Layer], decay: float) -> None:
        self.layers, self.decay = layers, decay
        self.means = [{k: np.zeros_like(p) for k, p in layer.parameters.items()} for layer in layers]
        self.squares = [{k: np.zeros_like(p) for k, p in layer.parameters.items()} for layer in layers]
        self.power1 = self.power2 = 1.0

    def step(self, rate: float, batch: int) -> None:
        """One update from the layers' gradients, which are sums over `batch` digits."""
        beta1, beta2 = 0.9, 0.999
        self.power1, self.power2 = self.power1 * beta1, self.power2 * beta2
        for layer, means, squares in zip(self.layers, self.means, self.squares, strict=True):
            for name, parameter in layer.parameters.items():
                gradient = layer.gradients[name] / batch
                means[name] = beta1 * means[name] + (1 - beta1) * gradient
                squares[name] = beta2 * squares[name] + (1 - beta2) * (gradient * gradient)
                mean, square = means[name] / (1 - self.power1), squares[name] / (1 - self.power2)
                decay = self.decay if name == "weights" else 0.0
                update = mean / (np.sqrt(square) + 1e-8) + decay * parameter
                layer.parameters[name] = parameter - rate * update


def he_deviation(fan_in: int) -> float:
    """Standard deviation of He et al. 2015 for layers before a ReLU."""
    return float(np.sqrt(2.0 / fan_in))


def neighbours(x: Floats, kernel: int) -> Floats:
    """(N, H, W, K*K, C): for each pixel its K x K surroundings, zero outside the image."""
    pad, (n, height, width, channels) = kernel // 2, x.shape
    border = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    taps = np.empty((n, height, width, kernel * kernel, channels))
    for t in range(kernel * kernel):
        i, j = divmod(t, kernel)
        taps[:, :, :, t] = border[:, i : i + height, j : j + width]
    return taps


def scatter(taps: Floats, kernel: int) -> Floats:
    """The transpose of `neighbours`: sums what belongs to the same pixel."""
    n, height, width, _, channels = taps.shape
    pad = kernel // 2
    border = np.zeros((n, height + 2 * pad, width + 2 * pad, channels))
    for t in range(kernel * kernel):
        i, j = divmod(t, kernel)
        border[:, i : i + height, j : j + width] += taps[:, :, :, t]
    return border[:, pad : pad + height, pad : pad + width]


def to_blocks(x: Floats) -> Floats:
    """(N, H, W, C) as (N, H/2, W/2, 4, C): the 2x2 blocks."""
    n, height, width, channels = x.shape
    split = x.reshape(n, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    return split.reshape(n, height // 2, width // 2, 4, channels)


def from_blocks(blocks: Floats) -> Floats:
    """The inverse of `to_blocks`."""
    n, height, width, _, channels = blocks.shape
    split = blocks.reshape(n, height, width, 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    return split.reshape(n, 2 * height, 2 * width, channels)
