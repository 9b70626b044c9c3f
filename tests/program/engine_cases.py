"""Programs by hand for the model's tests: arrays, images, requantisation in Python integers."""

from __future__ import annotations

import numpy as np

from hwgen.program.array import PARAMETER_WORDS, Array
from hwgen.program.image import Image, parameters
from hwgen.program.instructions import End, Give, Instruction, Run, Take, deltas

SMALL = Array(activation_bytes=4096, weight_words=2048, depth=64)
WIDE = Array(rows=8, columns=4, activation_bytes=4096, weight_words=2048, depth=64, maximum=True)


def expected(acc, multiplier, shift, bias, op: Run, array: Array):
    """requantised(a)[c] of instructions.py, one number after the other in Python integers."""
    result = np.empty(acc.shape, dtype=np.int8)
    top = 1 << (array.operand - 1)
    signed = [(each + 128) % 256 - 128 for each in (op.zero, op.lo, op.hi)]
    for place in np.ndindex(*acc.shape):
        column = place[-1]
        d = max(-top, min(top - 1, int(acc[place]) + int(bias[column])))
        q = int(multiplier[column]) * d
        q = (q + (1 << (array.multiplier - 1) if op.twice else 0)) >> array.multiplier
        s = int(shift[column])
        y = (q + (1 << (s - 1)) - (1 if q < 0 and op.away else 0)) >> s if s else q
        result[place] = max(signed[1], min(signed[2], y + signed[0]))
    return result


class Random:
    """Random bytes, weights and parameters of one test."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def bytes(self, *shape: int):
        return self.rng.integers(-128, 128, shape, dtype=np.int8)

    def parameters(self, columns: int):
        """(multiplier, shift, bias) that leave something between the limits."""
        return (
            self.rng.integers(1 << 27, 1 << 28, columns),
            self.rng.integers(8, 11, columns),
            self.rng.integers(-3000, 3000, columns),
        )


def stream(array: Array, blocks) -> bytes:
    """Weights of a Run: for each block ((multiplier, shift, bias), weights (passes, rows, columns))."""
    text = b""
    for (multiplier, shift, bias), w in blocks:
        columns = ([int(each) for each in row] for row in (multiplier, shift, bias))
        text += parameters(*columns, array.columns) + np.ascontiguousarray(w, dtype=np.int8).tobytes()
    assert len(blocks[0][1]) * array.rows + PARAMETER_WORDS == len(text) // array.columns // len(blocks)
    return text


def take(array: Array, size: int, o: int = 0) -> Take:
    """`size` bytes one after the other from granule `o`."""
    words = size // array.columns
    assert size % array.columns == 0
    inner = max(each for each in range(1, 257) if words % each == 0)
    step = array.columns // 2
    d0, d1 = deltas((inner, words // inner), (step, inner * step))
    return Take(o=o, take=size, d0_count=inner, d0_delta=d0, d1_count=words // inner, d1_delta=d1)


def give(array: Array, size: int, x: int) -> Give:
    """`size` bytes from granule `x`, in runs of whole words."""
    words = -(-size // array.columns)
    assert size % array.columns == 0 or words <= 256
    inner = max(each for each in range(1, 257) if words % each == 0)
    step = array.columns // 2
    n0, n1 = deltas((inner, words // inner), (step, inner * step))
    part = size if words == inner else inner * array.columns
    return Give(x=x, take=part, n0_count=inner, n0_delta=n0, n1_count=words // inner, n1_delta=n1)


def image(array: Array, program: list[Instruction], weights: bytes, inputs: int, outputs: int, later=b""):
    """With the End that every program has."""
    return Image(array, (*program, End()), weights, later, inputs, outputs)
