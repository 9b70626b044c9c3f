"""Writes the 500 test digits as the low-bit models read them: (500, 1, 8, 8) float32, and their labels.

    python examples/lowbit/inputs.py OUT.npy --labels LABELS.npy [--count N]

`hwgen verify MODEL --inputs OUT.npy` takes these files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from digits import load


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write the test digits for the low-bit models.")
    parser.add_argument("output", type=Path, help="inputs, .npy")
    parser.add_argument("--labels", type=Path, help="classes 0..9 of the inputs, .npy")
    parser.add_argument("--count", type=int, help="only the first COUNT digits (all 500 if not given)")
    arguments = parser.parse_args()
    if arguments.count is not None and arguments.count < 1:
        parser.error(f"--count must be 1 or more, not {arguments.count}")
    _, test = load()
    images, labels = test.images[: arguments.count], test.labels[: arguments.count]
    np.save(arguments.output, images)
    if arguments.labels:
        np.save(arguments.labels, labels)
    print(f"{len(images)} test digits, float32 {images.shape}, in {arguments.output}")


if __name__ == "__main__":
    main()
