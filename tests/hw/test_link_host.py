"""The host's side of the link: CRC, frames, tensors as bytes. Pure functions."""

from __future__ import annotations

import binascii
import random

import numpy as np
import pytest

from hwgen.runtime import link
from hwgen.runtime.link import Response, Status
from hwgen.support.errors import ToolError, UsageError


def test_crc_against_the_standard_library():
    assert link.crc16(b"123456789") == 0x29B1  # the check value of CRC-16/IBM-3740
    generator = random.Random(1)
    for length in (0, 1, 2, 50):
        data = generator.randbytes(length)
        assert link.crc16(data) == binascii.crc_hqx(data, 0xFFFF)
        assert link.crc16(data + link.crc16(data).to_bytes(2, "big")) == 0


def test_frame_layout():
    frame = link.encode_frame(1, b"\x07\xff")
    assert frame[:8] == b"\xa5\x5a\x01\x02\x00\x00\x07\xff" and len(frame) == 10
    assert link.run_request(np.array([7, -1], dtype=np.int8), 8) == frame
    with pytest.raises(UsageError, match="more than a frame holds"):
        link.encode_frame(1, bytes(1 << 24))


def test_decode_in_pieces_with_noise():
    frames = [link.encode_frame(0, b"\xa5\x5a\x00"), link.encode_frame(3), link.encode_frame(0, bytes(300))]
    data = b"\x5a\xa5\x00" + frames[0] + b"\xa5" + frames[1] + frames[2] + b"\xa5"
    buffer, found = b"", []
    for byte in data:
        response, buffer = link.decode_response(buffer + bytes([byte]))
        if response:
            found.append(response)
    assert found == [
        Response(Status.OK, b"\xa5\x5a\x00"),
        Response(Status.TRUNCATED, b""),
        Response(Status.OK, bytes(300)),
    ]
    assert buffer == b"\xa5"


def test_damaged_frames_are_skipped():
    good = link.encode_frame(0, b"abc")
    for at in range(len(good)):
        for bit in range(8):
            bad = bytearray(good)
            bad[at] ^= 1 << bit
            response, _ = link.decode_response(bytes(bad) + good, max_length=16)
            assert response == Response(Status.OK, b"abc"), (at, bit)


def test_length_limit_keeps_noise_from_stalling_the_host():
    noise = b"\xa5\x5a\x00\xff\xff\xff"
    good = link.encode_frame(0, b"x")
    assert link.decode_response(noise + good)[0] is None
    assert link.decode_response(noise + good, max_length=100)[0] == Response(Status.OK, b"x")


def test_error_status_is_an_error():
    assert Response(Status.OK, b"z").checked() == b"z"
    with pytest.raises(ToolError, match="link: the frame arrived damaged"):
        Response(Status.BAD_CRC, b"").checked()


@pytest.mark.parametrize(
    ("width", "signed", "values", "data"),
    [
        (8, True, [-128, -1, 127], b"\x80\xff\x7f"),
        (8, False, [0, 255], b"\x00\xff"),
        (1, False, [0, 1], b"\x00\x01"),
        (4, True, [-8, 7], b"\xf8\x07"),
        (12, True, [-2048, 2047, -1], b"\x00\xf8\xff\x07\xff\xff"),
        (17, True, [-65536, 65535], b"\x00\x00\xff\xff\xff\x00"),
        (64, True, [-(2**63), 2**63 - 1], bytes(7) + b"\x80" + b"\xff" * 7 + b"\x7f"),
    ],
)
def test_tensors(width, signed, values, data):
    assert link.pack_tensor(np.array(values), width) == data
    assert link.unpack_tensor(data, width, signed).tolist() == values


def test_tensor_errors():
    with pytest.raises(UsageError, match="integer tensor"):
        link.pack_tensor(np.array([1.0]), 8)
    for value in (256, -129):
        with pytest.raises(UsageError, match="do not fit 8 bits"):
            link.pack_tensor(np.array([0, value]), 8)
    with pytest.raises(UsageError, match="65 bits"):
        link.element_bytes(65)
    with pytest.raises(ToolError, match="no whole number"):
        link.unpack_tensor(b"abc", 12, True)
    with pytest.raises(ToolError, match="design id"):
        link.unpack_id(b"abc")
    assert link.unpack_id(b"\x01\x00\x00\x80") == 0x80000001
