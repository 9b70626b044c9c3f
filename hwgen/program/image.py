"""The image that the board's flash holds: header, program, resident weights, weights to be loaded later.

Header: eight 32-bit words, little endian:

    0 MAGIC   1 version   2 array id   3 program length (16-bit words, even)   4 resident weight words
    5 input bytes | output bytes << 20 (12 bits)   6 bytes after the header   7 CRC-32 (zlib) of words 0 to 6
        and of all that follows the header

The program (16-bit words, little endian, an even number) follows, then the resident weights, which go to
weight word 0 and on when the board starts, then what `Load` fetches; offsets of `Load` count from the
header's first byte. Everything is padded to a multiple of four bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwgen.program.array import Array
from hwgen.program.instructions import BadProgram, Instruction, assemble, disassemble

MAGIC = 0x4E475748  # "HWGN"
VERSION = 1
HEADER_BYTES = 32
MAX_BYTES = 1 << 24
MOST_INPUTS, MOST_OUTPUTS = (1 << 20) - 1, (1 << 12) - 1  # bytes of an inference


@dataclass(frozen=True)
class Image:
    """A program with its weights. resident, later: bytes; inputs, outputs: bytes of one inference."""

    array: Array
    program: tuple[Instruction, ...]
    resident: bytes
    later: bytes = b""
    inputs: int = 1
    outputs: int = 1

    def to_bytes(self) -> bytes:
        """The image. BadProgram where something does not fit the array or the header."""
        words = assemble(self.program)
        words += [0] * (len(words) % 2)
        resident = len(self.resident) // self.array.columns
        if len(words) > self.array.program_words:
            raise BadProgram(f"{len(words)} program words, the array holds {self.array.program_words}")
        if len(self.resident) % self.array.columns or resident > self.array.weight_words:
            raise BadProgram(f"{len(self.resident)} bytes of weights for {self.array.weight_words} words")
        if not (0 < self.inputs <= MOST_INPUTS and 0 < self.outputs <= MOST_OUTPUTS):
            raise BadProgram(f"{self.inputs} bytes in, {self.outputs} bytes out")
        body = np.array(words, dtype="<u2").tobytes() + self.resident + self.later
        body += b"\0" * (-len(body) % 4)
        if len(body) > MAX_BYTES - HEADER_BYTES:
            raise BadProgram(f"an image of {len(body)} bytes")
        edge = self.inputs | self.outputs << 20
        head = np.array([MAGIC, VERSION, self.array.id, len(words), resident, edge, len(body)], dtype="<u4")
        crc = zlib.crc32(body, zlib.crc32(head.tobytes()))
        return head.tobytes() + np.array([crc], dtype="<u4").tobytes() + body

    @property
    def later_offset(self) -> int:
        """Byte offset of `later` in the image."""
        words = len(assemble(self.program))
        return HEADER_BYTES + 2 * (words + words % 2) + len(self.resident)


def read_image(data: bytes, array: Array) -> Image:
    """Parse and check an image for `array`. BadProgram: what is wrong with it."""
    if len(data) < HEADER_BYTES:
        raise BadProgram(f"{len(data)} bytes are no image")
    head = np.frombuffer(data[:HEADER_BYTES], dtype="<u4")
    magic, version, target, words, resident, edge, length, crc = (int(word) for word in head)
    if magic != MAGIC:
        raise BadProgram("not an hwgen image")
    if version != VERSION:
        raise BadProgram(f"an image of version {version}; this hwgen knows {VERSION}")
    if target != array.id:
        raise BadProgram(f"an image for another array ({target:08x}, this one is {array.id:08x})")
    if len(data) != HEADER_BYTES + length:
        raise BadProgram(f"{len(data)} bytes, its header says {HEADER_BYTES + length}")
    body = data[HEADER_BYTES:]
    if zlib.crc32(body, zlib.crc32(data[: HEADER_BYTES - 4])) != crc:
        raise BadProgram("wrong checksum")
    weights = 2 * words + array.columns * resident
    if words > array.program_words or resident > array.weight_words or weights > length:
        raise BadProgram("lengths in the header that the array or the image does not have")
    code = [int(word) for word in np.frombuffer(body[: 2 * words], dtype="<u2")]
    while code and code[-1] == 0:
        code.pop()
    program = tuple(disassemble(code))
    return Image(array, program, body[2 * words : weights], body[weights:], edge & 0xFFFFF, edge >> 20)


def parameters(multiplier: Sequence[int], shift: Sequence[int], bias: Sequence[int], columns: int) -> bytes:
    """The PARAMETER_WORDS weight words of a block: one entry a column, see instructions.py."""
    packed = np.zeros((columns,), dtype=np.uint64)
    for column, (m, s, b) in enumerate(zip(multiplier, shift, bias, strict=True)):
        packed[column] = m | s << 28 | (b & 0xFFFFFFF) << 33
    lanes = packed.view("<u4").reshape(columns // 4, 8)  # group, 32-bit half
    return np.ascontiguousarray(lanes.T).astype("<u4").tobytes()
