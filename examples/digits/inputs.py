"""Writes the 500 test digits as the int8 model reads them: (500, 8, 8, 1) int8, and their labels.

    python examples/digits/inputs.py OUT.npy --labels LABELS.npy [--count N]

`hwgen verify MODEL --inputs OUT.npy` and `make demo` take these files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from data import load, to_int8


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write the test digits for the int8 model.")
    parser.add_argument("output", type=Path, help="inputs, .npy")
    parser.add_argument("--labels", type=Path, help="classes 0..9 of the inputs, .npy")
    parser.add_argument("--count", type=int, help="only the first COUNT digits (all 500 if not given)")
    arguments = parser.parse_args()
    if arguments.count is not None and arguments.count < 1:
        parser.error(f"--count must be 1 or more, not {arguments.count}")
    _, test = load()
    inputs, labels = to_int8(test.pixels[: arguments.count]), test.labels[: arguments.count]
    np.save(arguments.output, inputs)
    if arguments.labels:
        np.save(arguments.labels, labels)
    print(f"{len(inputs)} test digits, int8 {inputs.shape}, in {arguments.output}")


if __name__ == "__main__":
    main()
