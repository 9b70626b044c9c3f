"""Trains the same network as train.py and writes it as an ONNX QDQ model with float edges.

    python examples/digits/train_onnx.py [--epochs 40] [--output digits.onnx]

All scales are powers of two. onnxruntime evaluates such a model in float32 (or in int8, as its
optimiser likes), and with these scales every step of that is exact: the golden model, and so the
hardware, equal it on every input, and requantisation is a shift.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from data import Digits, load, to_real
from export_onnx import onnx_bytes
from quantise import quantise
from train import float_accuracy, train


def onnx_accuracy(path: Path, digits: Digits) -> float:
    """Share of digits that the .onnx file recognises, computed by hwgen's golden model."""
    import hwgen

    images = to_real(digits.pixels).transpose(0, 3, 1, 2).astype(np.float32)
    return float((hwgen.load(path).run(images).argmax(axis=1) == digits.labels).mean())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train, quantise and export the digits network to ONNX.")
    parser.add_argument("--epochs", type=int, default=40, help="passes over the training digits (40)")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("digits.onnx"))
    arguments = parser.parse_args()
    if arguments.epochs < 0:
        parser.error(f"--epochs must not be negative, as {arguments.epochs} is")

    train_digits, test_digits = load()
    layers = train(train_digits, arguments.epochs)
    content = onnx_bytes(quantise(layers, to_real(train_digits.pixels), power_of_two=True))
    arguments.output.write_bytes(content)
    print(f"Wrote {arguments.output}, {len(content):,} bytes")
    print(f"Accuracy on test digits: float {float_accuracy(layers, test_digits):.1%}, ", end="")
    print(f"int8 {onnx_accuracy(arguments.output, test_digits):.1%}")


if __name__ == "__main__":
    main()
