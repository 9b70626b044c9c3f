"""Trains the digits network, quantises it to int8 and writes it as a .tflite file.

    python examples/digits/train.py [--epochs 40] [--output digits.tflite]

The same bytes come out at each run (see network.py for why).
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from data import Digits, load, to_int8, to_real
from export import tflite_bytes
from network import Adam, Floats, Layer, backward, build, forward
from numpy.typing import NDArray
from quantise import quantise
from threadpoolctl import threadpool_limits  # comes with scikit-learn

SEED = 1
BATCH = 24
RATE, DECAY = 4e-3, 0.1  # Adam's step, falling linearly to zero; weight decay

MOVES = np.array([(0, 1), (2, 1), (1, 0), (1, 2)] + [(1, 1)] * 4)  # half of the digits move by one pixel


def train(digits: Digits, epochs: int, untrained: Callable[[int], list[Layer]] = build) -> list[Layer]:
    """The network, trained on slightly moved digits. untrained: makes it from a seed."""
    with threadpool_limits(1):  # the matrices are small: BLAS threads would only wait for each other
        return _train(digits, epochs, untrained(SEED))


def _train(digits: Digits, epochs: int, layers: list[Layer]) -> list[Layer]:
    optimiser = Adam(layers, DECAY)
    random = np.random.Generator(np.random.PCG64(SEED + 1))
    images = to_real(digits.pixels)
    batches = len(images) // BATCH
    for epoch in range(epochs):
        order, correct = random.permutation(len(images)), 0
        for k in range(batches):
            chosen = order[k * BATCH : (k + 1) * BATCH]
            logits = forward(layers, moved(images[chosen], random))[-1]
            backward(layers, logits, digits.labels[chosen])
            optimiser.step(RATE * (1 - (epoch * batches + k) / (epochs * batches)), BATCH)
            correct += int((logits.argmax(axis=1) == digits.labels[chosen]).sum())
        if (epoch + 1) % 5 == 0 or epoch + 1 == epochs:
            share = correct / (batches * BATCH)
            print(f"  epoch {epoch + 1:3}/{epochs}: {share:.1%} of moved training digits", flush=True)
    return layers


def moved(images: Floats, random: np.random.Generator) -> Floats:
    """Each image at its place or one pixel up, down, left or right of it."""
    n, height, width, _ = images.shape
    border = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    top, left = MOVES[random.integers(0, len(MOVES), size=n)].T
    rows, columns = top[:, np.newaxis] + np.arange(height), left[:, np.newaxis] + np.arange(width)
    return border[np.arange(n)[:, np.newaxis, np.newaxis], rows[:, :, np.newaxis], columns[:, np.newaxis, :]]


def digest(layers: list[Layer]) -> str:
    """SHA-256 of all float parameters: equal only if not a single bit differs."""
    parameters = [parameter for layer in layers for parameter in layer.parameters.values()]
    return hashlib.sha256(b"".join(p.astype("<f8").tobytes() for p in parameters)).hexdigest()


def float_accuracy(layers: list[Layer], digits: Digits) -> float:
    """Share of digits that the float network recognises."""
    logits = forward(layers, to_real(digits.pixels))[-1]
    return float((logits.argmax(axis=1) == digits.labels).mean())


def int8_accuracy(path: Path, digits: Digits) -> float:
    """Share of digits that the .tflite file recognises, computed by hwgen's golden model."""
    import hwgen

    scores: NDArray[np.int8] = hwgen.load(path).run(to_int8(digits.pixels))
    return float((scores.reshape(len(scores), -1).argmax(axis=1) == digits.labels).mean())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train, quantise and export the digits network.")
    parser.add_argument("--epochs", type=int, default=40, help="passes over the training digits (40)")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("digits.tflite"))
    arguments = parser.parse_args()
    if arguments.epochs < 0:
        parser.error(f"--epochs must not be negative, as {arguments.epochs} is")

    train_digits, test_digits = load()
    print(f"Training on {len(train_digits.labels)} digits, testing on {len(test_digits.labels)} others")
    start = time.monotonic()
    layers = train(train_digits, arguments.epochs)
    print(f"Trained in {time.monotonic() - start:.0f} s")
    print(f"SHA-256 of the float parameters: {digest(layers)}")

    content = tflite_bytes(quantise(layers, to_real(train_digits.pixels)))
    arguments.output.write_bytes(content)
    print(f"Wrote {arguments.output}, {len(content):,} bytes")
    print(f"Accuracy on test digits: float {float_accuracy(layers, test_digits):.1%}, ", end="")
    print(f"int8 {int8_accuracy(arguments.output, test_digits):.1%}")


if __name__ == "__main__":
    main()
