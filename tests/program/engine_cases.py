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


def loops(names: str, *pairs: tuple[int, int]) -> dict[str, int]:
    """Fields `<name>_count`, `<name>_delta` of loops given as (count, stride), innermost first."""
    counts, strides = zip(*pairs)
    fields = {}
    for name, count, move in zip(names.split(), counts, deltas(counts, strides)):
        fields[f"{name}_count"] = count
        fields[f"{name}_delta"] = move
    return fields


def drain(*pairs: tuple[int, int]) -> dict[str, int]:
    """Deltas of d0, d1, b and t as the stores have them."""
    moves = deltas(*zip(*pairs))
    names = ("d0_delta", "d1_delta", "ob_delta", "ot_delta")
    return dict(zip(names, moves)) | dict(zip(("d0_count", "d1_count"), (each[0] for each in pairs)))


def conv_case(array: Array, seed: int, flags: dict | None = None):
    """3x3, stride 2, no padding: 9x9 x 2*rows channels to 4x4 x 2*columns; tiles are the output rows.

    Returns the image, the input (9, 9, channels), weights (blocks, passes, rows, columns), parameters, Run.
    """
    rand, r, c = Random(seed), array.rows, array.columns
    word, pixel, line = r // 2, r, 9 * r  # granules of an input word, pixel, line: two words a pixel
    out = 9 * line
    run = Run(
        x=0, w=0, o=out, zero=3, lo=136, hi=120, **(flags or {}),
        **loops("n0 n1 p0 p1 b t", (4, 2 * pixel), (1, 0), (6, word), (3, line), (2, 0), (4, 2 * line)),
        **drain((4, c), (1, 0), (2, c // 2), (4, 4 * c)),
    )  # fmt: skip
    x, w = rand.bytes(9, 9, 2 * r), rand.bytes(2, 18, r, c)
    blocks = [(rand.parameters(c), w[b]) for b in range(2)]
    size = 4 * 4 * 2 * c
    program = [take(array, x.size), run, give(array, size, out)]
    return image(array, program, stream(array, blocks), x.size, size), x, w, [b[0] for b in blocks], run


def direct_conv(x, w):
    """(4, 4, blocks, columns) sums for the case above."""
    kernel = w.reshape(2, 3, 3, -1, w.shape[3]).astype(np.int64)  # block, i, j, channel, column
    acc = np.zeros((4, 4, 2, w.shape[3]), dtype=np.int64)
    for i in range(3):
        for j in range(3):
            acc += np.einsum(
                "yxc,bco->yxbo", x[i : i + 7 : 2, j : j + 7 : 2].astype(np.int64), kernel[:, i, j]
            )
    return acc


def depthwise_case(array: Array, seed: int):
    """3x3 over 6x7 x `columns` channels, one tile; the rows beyond the three taps have weight 0."""
    rand, r, c = Random(seed), array.rows, array.columns
    pixel = c // 2
    out, spare = 6 * 7 * pixel, array.rows
    run = Run(
        x=0, w=0, o=out + spare, depthwise=True,
        **loops("n0 n1 p0", (7, pixel), (4, 7 * pixel), (3, 7 * pixel)),
        **drain((5, pixel), (4, 5 * pixel)), d0_index=1, d1_index=3,
    )  # fmt: skip
    x, w = rand.bytes(6, 7, c), rand.bytes(3, r, c)
    w[:, 3:] = 0
    parameters = rand.parameters(c)
    program = [take(array, x.size), run, give(array, 20 * c, run.o)]
    return image(array, program, stream(array, [(parameters, w)]), x.size, 20 * c), x, w, parameters, run


def pool_case(array: Array, seed: int, maximum: bool = False):
    """2x2 average or maximum of 4x4 x 8 channels on 4 columns: identity weights, once a block.

    Returns the image, the input (4, 4, 8), the Run; sums are halved by the multiplier.
    """
    rand = Random(seed)
    run = Run(
        x=0, w=0, o=64, hold=True, maximum=maximum,
        **loops("n0 n1 p0 p1 b", (2, 8), (2, 32), (2, 4), (2, 16), (2, 2)),
        **drain((4, 4), (1, 0), (2, 2)),
    )  # fmt: skip
    x, eye = rand.bytes(4, 4, 8), np.eye(array.rows, 4)[None]
    block = ([1 << 27] * 4, [0 if maximum else 1] * 4, [0] * 4), 2 * eye if maximum else eye
    program = [take(array, 128), run, give(array, 32, 64)]
    return image(array, program, stream(array, [block, block]), 128, 32), x, run


def addition_case(array: Array, seed: int):
    """a * 1234 + b * -777, as the first digits << 7 plus the second: a pass for each summand and digit.

    Returns the image, both inputs (16, 4) as one, the sums, the parameters, the Run.
    """
    rand, factors = Random(seed), (1234, -777)
    digits = [[factor >> 7, factor & 127] for factor in factors]
    run = Run(
        x=0, w=0, o=72, widen=True,
        **loops("n0 n1 p0 p1", (16, 2), (1, 0), (2, 32), (2, 0)),
        **drain((16, 2)),
    )  # fmt: skip
    x, eye = rand.bytes(2, 16, 4), np.eye(array.rows, 4, dtype=np.int64)
    w = np.stack([eye * digits[each][digit] for digit in (0, 1) for each in (0, 1)])
    parameters = rand.parameters(4)
    program = [take(array, 128), run, give(array, 64, 72)]
    sums = x[0].astype(np.int64) * factors[0] + x[1].astype(np.int64) * factors[1]
    return image(array, program, stream(array, [(parameters, w)]), 128, 64), x, sums, parameters, run
