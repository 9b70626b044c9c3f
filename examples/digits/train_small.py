"""Trains a smaller digits network, one that fits an iCE40 UltraPlus, and writes it as a .tflite file.

    python examples/digits/train_small.py [--epochs 40] [--output digits_small.tflite]

3x3 convolution to 8 channels, maximum, 3x3 to 12 channels, maximum, ten logits; 1.5 thousand weights. Its
output is the logits: the argmax is the digit. The same bytes come out at each run (see network.py for why).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import train
from data import load, to_real
from export import append, per_tensor
from network import Conv, Dense, Layer, MaxPool
from quantise import INPUT, QuantisedLayer, quantise

from hwgen.compress.tflite_writer import TfliteWriter


def build(seed: int) -> list[Layer]:
    """8x8x1 in, ten logits out."""
    random = np.random.Generator(np.random.PCG64(seed))
    return [
        Conv("conv1", 1, 8, 3, random),
        MaxPool("maxpool1"),
        Conv("conv2", 8, 12, 3, random),
        MaxPool("maxpool2"),
        Dense("dense3", 2 * 2 * 12, 10, random),
    ]


def tflite_bytes(layers: list[QuantisedLayer]) -> bytes:
    """The file: int8 digit (1, 8, 8, 1) in, int8 logits (1, 10) out."""
    net = TfliteWriter()
    x = net.input((1, 8, 8, 1), per_tensor(INPUT), name="digit")
    for layer in layers:
        x = append(net, x, layer)
    net.output(x)
    return net.finish()


def main(untrained: Callable[[int], list[Layer]] = build, name: str = "digits_small.tflite") -> None:
    """Command line. untrained: makes the network from a seed; name: of the file by default."""
    parser = argparse.ArgumentParser(description=f"Train and quantise the digits network {name}.")
    parser.add_argument("--epochs", type=int, default=40, help="passes over the training digits (40)")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name(name))
    arguments = parser.parse_args()
    if arguments.epochs < 0:
        parser.error(f"--epochs must not be negative, as {arguments.epochs} is")

    train_digits, test_digits = load()
    layers = train.train(train_digits, arguments.epochs, untrained)
    content = tflite_bytes(quantise(layers, to_real(train_digits.pixels)))
    arguments.output.write_bytes(content)
    print(f"Wrote {arguments.output}, {len(content):,} bytes")
    print(f"Accuracy on test digits: float {train.float_accuracy(layers, test_digits):.1%}, ", end="")
    print(f"int8 {train.int8_accuracy(arguments.output, test_digits):.1%}")


if __name__ == "__main__":
    main()
