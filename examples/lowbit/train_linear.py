"""Trains `linear.onnx`: one dense layer of 4-bit weights, for chips of a thousand cells. NumPy alone; 5 s.

    python examples/lowbit/train_linear.py

The weights are integers -7 to 7 that training keeps as floats and rounds at each step (a straight-through
gradient); softmax cross-entropy, Adam, a rate that falls to almost nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from digits import Digits, load
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

FILE = Path(__file__).with_name("linear.onnx")
BITS, LARGEST = 4, 7
EPOCHS, BATCH, RATE, SEED = 200, 64, 0.02, 1
SCALE = 2 / LARGEST / 15  # of the logits in training
DOMAIN = "qonnx.custom_op.general"


def pixels(part: Digits) -> NDArray[np.float64]:
    """(N, 64) integers 0 to 15, as the network's first quantiser sees the images."""
    return np.minimum(np.rint(part.images.reshape(-1, 64) * 16), 15).astype(float)


def train(x: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(64, 10) integer weights."""
    generator = np.random.default_rng(SEED)
    weights = generator.normal(0, 0.05 * LARGEST, (64, 10))
    mean, square, step = np.zeros_like(weights), np.zeros_like(weights), 0
    for epoch in range(EPOCHS):
        rate = RATE * LARGEST * (1 - epoch / EPOCHS) + 1e-3
        order = generator.permutation(len(x))
        for start in range(0, len(x), BATCH):
            batch = order[start : start + BATCH]
            logits = x[batch] @ quantised(weights) * SCALE
            wrong = np.exp(logits - logits.max(1, keepdims=True))
            wrong /= wrong.sum(1, keepdims=True)
            wrong[np.arange(len(batch)), labels[batch]] -= 1
            gradient = x[batch].T @ wrong / len(batch)
            step += 1
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            change = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
            weights = np.clip(weights - rate * change, -LARGEST, LARGEST)
    return quantised(weights)


def quantised(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The integers that count."""
    return np.clip(np.rint(weights), -LARGEST, LARGEST)


def export(weights: NDArray[np.float64], path: Path) -> None:
    """A QONNX file: 4-bit image, 4-bit weights, their product's sums as logits."""
    values = {"step": 1 / 16, "one": 1.0, "zero": 0.0, "bits": float(BITS), "weights": weights}
    constants = [numpy_helper.from_array(np.asarray(v, np.float32), name) for name, v in values.items()]
    quant = {"domain": DOMAIN, "rounding_mode": "ROUND"}
    nodes = [
        helper.make_node("Quant", ["digit", "step", "zero", "bits"], ["image"], signed=0, narrow=0, **quant),
        helper.make_node("Flatten", ["image"], ["pixels"], axis=1),
        helper.make_node("Quant", ["weights", "one", "zero", "bits"], ["w"], signed=1, narrow=1, **quant),
        helper.make_node("MatMul", ["pixels", "w"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("digit", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])],
        constants,
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="hwgen examples")
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def main() -> None:
    """Train, write, and say how good it is."""
    training, test = load()
    weights = train(pixels(training), training.labels)
    export(weights, FILE)
    for name, part in (("training", training), ("test", test)):
        right = (pixels(part) @ weights).argmax(1) == part.labels
        print(f"{name}: {100 * right.mean():.1f} % of {len(right)}")


if __name__ == "__main__":
    main()
