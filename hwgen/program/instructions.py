"""The instructions. Each is one 16-bit word of opcode and flags, then one 16-bit word a field.

Counts are stored less one. Addresses of activations are in granules of two bytes, of weights in words of
`columns` bytes. Loops are nested, the first named innermost; a `delta` is what its address moves by when that
loop advances, modulo 2^16: `deltas` makes them of strides.

RUN computes tiles of outputs of one layer, block by block of `columns` output channels:

    for t in tiles: for b in blocks:             (accumulator banks alternate; weights restart each tile)
        parameters = PARAMETER_WORDS weight words
        for p1: for p0:                          a pass; its weights: `rows` weight words, row 0 first
            for n1: for n0:                      a step: one activation word x
                n = n1 * |n0| + n0
                acc[n] = (0 if first pass, acc[n] << 7 if `widen` and p0 == 0, else acc[n]) + sums(n)
        then, while the next block is computed:
        for d1: for d0: out[address] = requantised(acc[index])              `columns` bytes; index starts at 0
                        and moves by d0_index, d1_index (deltas modulo 256) as the address does by d0_delta..

    dense       sums(n)[c] = sum over r of w[r][c] * x_n[r]
    depthwise   sums(n)[c] = sum over r of w[r][c] * x_{n+r}[c]      (columns <= rows; the rows are taps along
                n; x beyond the pass is that of the next pass: such n are not to be stored)
    `maximum`   acc[n] = max(acc[n], sums(n)) but in the first pass
    `hold`      the first pass's weights serve all passes of the block: the stream has them once

    requantised(a)[c]:  d = clip(a + bias[c]) to `operand` signed bits
                        q = (multiplier[c] * d + round * 2^(pre-1)) >> pre
                        y = (q + 2^(shift[c]-1) - (q < 0 and `away`)) >> shift[c]         (q if shift[c] is 0)
                        clip(y + zero, lo, hi)
    pre = bits of the multiplier, round = `twice`: TFLite's doubly rounded product; without, it is cut off.

Instructions take effect one after the other, but for `Load`. A Run's blocks overlap as above: a block that
reads what the block before it stores is a mistake. acc[n] has to fit `accumulator` bits after every pass, for
every n that is stored and whose sums want no x beyond the pass; every stored index is below |n0|*|n1|. Words
of `rows` and of `columns` bytes begin at any granule and end inside the memory: addresses do not wrap but
where loops add deltas. `maximum` goes with arrays that have it, and not with `widen`.

A column's parameters are 64 bits, lowest first: multiplier (28), shift (5), bias (28), 3 zeros. The four
columns of a group lie in its 32-bit lane of the PARAMETER_WORDS words: low half, high half of the first
column, then the next column's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

OPCODE_BITS = 4
WORD = 16
MULTIPLIER_BITS, SHIFT_BITS, BIAS_BITS = 28, 5, 28
WIDEN = 7  # bits that an accumulator moves up by for a second digit of weights


class BadProgram(ValueError):
    """A field out of range or words that are no program; the message says which."""


def deltas(counts: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """What an address moves by when loop k advances and the loops inside it start again, modulo 2^16."""
    result, inner = [], 0
    for count, stride in zip(counts, strides, strict=True):
        result.append((stride - inner) % (1 << WORD))
        inner += (count - 1) * stride
    return tuple(result)


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """Base: fields named *_count are stored less one; names in `flags` are bits above the opcode."""

    opcode: ClassVar[int]
    flags: ClassVar[tuple[str, ...]] = ()
    limits: ClassVar[dict[str, int]] = {}  # bits of a field, where fewer than 16

    @classmethod
    def operands(cls) -> tuple[str, ...]:
        """Names of the 16-bit fields, in the order of their words."""
        return tuple(field.name for field in fields(cls) if field.name not in cls.flags)

    def encode(self) -> list[int]:
        """The instruction's words. BadProgram for a field out of range."""
        first = self.opcode | sum(
            bool(getattr(self, name)) << (OPCODE_BITS + place) for place, name in enumerate(self.flags)
        )
        words = [first]
        for name in self.operands():
            value = getattr(self, name) - name.endswith("_count")
            bits = self.limits.get(name, 8 if name.endswith("_count") else WORD)
            if not 0 <= value < 1 << bits:
                raise BadProgram(f"{type(self).__name__}.{name} is {getattr(self, name)}, of {bits} bits")
            words.append(value)
        return words


@dataclass(frozen=True, kw_only=True)
class Run(Instruction):
    """See the module. x, o: first addresses read and written; w: first weight word."""

    opcode: ClassVar[int] = 1
    flags: ClassVar[tuple[str, ...]] = ("depthwise", "hold", "widen", "maximum", "twice", "away")
    limits: ClassVar[dict[str, int]] = {"d0_index": 8, "d1_index": 8, "zero": 8, "lo": 8, "hi": 8}

    depthwise: bool = False
    hold: bool = False
    widen: bool = False
    maximum: bool = False
    twice: bool = True
    away: bool = True
    o: int
    d0_count: int
    d0_delta: int
    d1_count: int = 1
    d1_delta: int = 0
    ob_delta: int = 0
    ot_delta: int = 0
    d0_index: int = 1
    d1_index: int = 0
    zero: int = 0  # int8 as 8 bits, like lo and hi
    lo: int = 128
    hi: int = 127
    b_count: int = 1
    t_count: int = 1
    x: int
    n0_count: int
    n0_delta: int
    n1_count: int = 1
    n1_delta: int = 0
    p0_count: int = 1
    p0_delta: int = 0
    p1_count: int = 1
    p1_delta: int = 0
    b_delta: int = 0
    t_delta: int = 0
    w: int


@dataclass(frozen=True, kw_only=True)
class Load(Instruction):
    """Start to copy `words` weight words from the image's byte `high` * 2^16 + `low` to weight word `w`.

    Waits for the load before. words is stored as it is, 1 to 65,535.
    """

    opcode: ClassVar[int] = 2
    limits: ClassVar[dict[str, int]] = {"high": 8}
    low: int
    high: int
    w: int
    words: int


@dataclass(frozen=True, kw_only=True)
class Wait(Instruction):
    """Until the load under way has finished."""

    opcode: ClassVar[int] = 3


@dataclass(frozen=True, kw_only=True)
class Take(Instruction):
    """The input stream's bytes into memory, words of `columns` bytes at the addresses of the loops d0, d1.

    The words' bytes are, over and over: `lead` fill bytes, `take` bytes of the stream, `trail` fill bytes;
    the last word may end anywhere in them.
    """

    opcode: ClassVar[int] = 4
    limits: ClassVar[dict[str, int]] = {"lead": 8, "trail": 8, "fill": 8}
    o: int
    d0_count: int
    d0_delta: int
    d1_count: int = 1
    d1_delta: int = 0
    lead: int = 0
    take: int
    trail: int = 0
    fill: int = 0


@dataclass(frozen=True, kw_only=True)
class Fill(Instruction):
    """Words of `columns` bytes of `value` at the addresses of the loops d0, d1."""

    opcode: ClassVar[int] = 5
    limits: ClassVar[dict[str, int]] = {"value": 8}
    o: int
    d0_count: int
    d0_delta: int
    d1_count: int = 1
    d1_delta: int = 0
    value: int


@dataclass(frozen=True, kw_only=True)
class Give(Instruction):
    """Memory into the output stream: of the words at the addresses of loop n0, the first `take` bytes (one
    run of bytes, word after word); so for each n1. Addresses are those of whole words of `columns` bytes."""

    opcode: ClassVar[int] = 6
    x: int
    n0_count: int
    n0_delta: int
    n1_count: int = 1
    n1_delta: int = 0
    take: int


@dataclass(frozen=True, kw_only=True)
class End(Instruction):
    """Begin again at the first instruction."""

    opcode: ClassVar[int] = 7


INSTRUCTIONS: tuple[type[Instruction], ...] = (Run, Load, Wait, Take, Fill, Give, End)
BY_OPCODE = {kind.opcode: kind for kind in INSTRUCTIONS}


def assemble(program: Sequence[Instruction]) -> list[int]:
    """Words of a program. BadProgram where a field is out of range or the end is missing."""
    if not program or not isinstance(program[-1], End):
        raise BadProgram("a program ends with End")
    return [word for instruction in program for word in instruction.encode()]


def disassemble(words: Sequence[int]) -> list[Instruction]:
    """The instructions of `words`; assemble's inverse. BadProgram with the place of what is none."""
    program: list[Instruction] = []
    at = 0
    while at < len(words):
        kind = BY_OPCODE.get(words[at] & ((1 << OPCODE_BITS) - 1))
        if kind is None:
            raise BadProgram(f"word {at}: {words[at]:#06x} is no instruction")
        names = kind.operands()
        taken = words[at + 1 : at + 1 + len(names)]
        if len(taken) < len(names) or words[at] >> (OPCODE_BITS + len(kind.flags)):
            raise BadProgram(f"word {at}: a broken {kind.__name__}")
        values = {name: value + name.endswith("_count") for name, value in zip(names, taken)}
        flags = {name: bool(words[at] >> (OPCODE_BITS + place) & 1) for place, name in enumerate(kind.flags)}
        program.append(kind(**values, **flags))
        try:
            program[-1].encode()
        except BadProgram as error:
            raise BadProgram(f"word {at}: {error}") from None
        at += 1 + len(names)
    if not program or not isinstance(program[-1], End):
        raise BadProgram("a program ends with End")
    return program


def listing(program: Sequence[Instruction]) -> str:
    """A program as text, one instruction a line, fields that differ from their default."""
    lines = []
    for number, instruction in enumerate(program):
        shown = [
            f"{field.name}={getattr(instruction, field.name)}"
            for field in fields(instruction)
            if getattr(instruction, field.name) != field.default
        ]
        lines.append(f"{number:4d}  {type(instruction).__name__.lower():5s} {' '.join(shown)}".rstrip())
    return "\n".join(lines)
