"""Images: bytes and back; everything that is wrong with one is refused and named."""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np
import pytest

from hwgen.program.array import ECP5_85F, UP5K, Array
from hwgen.program.image import HEADER_BYTES, MAGIC, VERSION, Image, parameters, read_image
from hwgen.program.instructions import BadProgram, End, Fill, Load, Wait, assemble

PROGRAM = (Fill(o=0, d0_count=3, d0_delta=2, value=7), Load(low=80, high=0, w=9, words=2), Wait(), End())


def example(array: Array = UP5K, **changes) -> Image:
    """Odd in program words and in the bytes to be loaded."""
    return dataclasses.replace(
        Image(array, PROGRAM, bytes(range(8 * array.columns)), b"\1\2\3", 700, 10), **changes
    )


def sealed(words: list[int], body: bytes) -> bytes:
    """A header with the right checksum."""
    head = np.array(words, dtype="<u4").tobytes()
    return head + zlib.crc32(body, zlib.crc32(head)).to_bytes(4, "little") + body


def header(data: bytes) -> list[int]:
    return [int(word) for word in np.frombuffer(data[:28], dtype="<u4")]


@pytest.mark.parametrize("array", [UP5K, ECP5_85F])
def test_round_trip(array):
    image = example(array)
    data = image.to_bytes()
    assert len(data) % 4 == 0
    assert header(data)[:2] == [MAGIC, VERSION]
    again = read_image(data, array)
    assert again == dataclasses.replace(image, later=image.later + b"\0" * (-len(image.later) % 4))
    assert data[image.later_offset :].startswith(image.later)
    assert read_image(again.to_bytes(), array) == again
    assert len(assemble(PROGRAM)) % 2 == 0 or header(data)[3] == len(assemble(PROGRAM)) + 1


def test_every_changed_byte_is_noticed():
    data = example().to_bytes()
    for place in range(len(data)):
        broken = bytearray(data)
        broken[place] ^= 1 << place % 8
        with pytest.raises(BadProgram):
            read_image(bytes(broken), UP5K)


def test_refusals_say_what_is_wrong():
    data = example().to_bytes()
    words, body = header(data), data[HEADER_BYTES:]
    for bad, message in (
        (b"", "0 bytes are no image"),
        (data[:31], "31 bytes are no image"),
        (b"\0" + data[1:], "not an hwgen image"),
        (sealed([MAGIC, VERSION + 1, *words[2:]], body), "version 2"),
        (data[:-4], "its header says"),
        (data + b"\0\0\0\0", "its header says"),
        (data[:-1] + b"\7", "wrong checksum"),
        (sealed([*words[:3], 60_000, *words[4:]], body), "lengths"),
        (sealed([*words[:4], 20_000, *words[5:]], body), "lengths"),
        (sealed([*words[:4], 100, *words[5:]], body), "lengths"),
        (sealed([*words[:3], 0, *words[4:]], body), "End"),
    ):
        with pytest.raises(BadProgram, match=message):
            read_image(bad, UP5K)
    for name in ("rows", "depth", "accumulator", "weight_words"):
        other = dataclasses.replace(UP5K, **{name: getattr(UP5K, name) * 2 if name != "depth" else 128})
        with pytest.raises(BadProgram, match="another array"):
            read_image(data, other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resident": b"\0" * 5}, "5 bytes of weights"),
        ({"resident": b"\0" * 4 * 16_388}, "bytes of weights"),
        ({"inputs": 0}, "0 bytes in"),
        ({"inputs": 1 << 20}, "bytes in"),
        ({"outputs": 1 << 12}, "bytes out"),
        ({"program": (Wait(),)}, "End"),
        ({"program": (*([Wait()] * UP5K.program_words), End())}, "program words, the array holds"),
        ({"later": b"\0" * (1 << 24)}, "an image of"),
    ],
)
def test_what_no_image_can_hold(changes, message):
    with pytest.raises(BadProgram, match=message):
        example(**changes).to_bytes()


def test_arrays_that_cannot_be():
    for changes in ({"rows": 6}, {"columns": 2}, {"rows": 4, "columns": 8}, {"depth": 8}, {"depth": 512}):
        with pytest.raises(ValueError):
            dataclasses.replace(UP5K, **changes)


def test_parameters_lie_in_their_groups():
    rng = np.random.default_rng(1)
    columns = 16
    multiplier = [int(each) for each in rng.integers(0, 1 << 28, columns)]
    shift = [int(each) for each in rng.integers(0, 32, columns)]
    bias = [int(each) for each in rng.integers(-(1 << 27), 1 << 27, columns)]
    words = np.frombuffer(parameters(multiplier, shift, bias, columns), dtype="<u4").reshape(8, 4)
    for column in range(columns):
        low, high = (int(words[column % 4 * 2 + half, column // 4]) for half in (0, 1))
        value = low | high << 32
        assert value & 0xFFFFFFF == multiplier[column]
        assert value >> 28 & 31 == shift[column]
        assert value >> 33 == bias[column] % (1 << 28)
