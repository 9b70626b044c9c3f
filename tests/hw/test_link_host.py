"""The host's side of the link: CRC, frames, tensors as bytes. Pure functions."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from hwgen.runtime import link
from hwgen.runtime.link import Counters, Engine, Identity, Response, Status, UnitCounters
from hwgen.support.errors import ToolError, UsageError


def test_crc() -> None:
    assert link.crc32(b"123456789") == 0xCBF43926  # the check value of CRC-32/ISO-HDLC
    value = link.CRC_ONES  # bit by bit, as the hardware does it
    for byte in b"123456789":
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (link.CRC_POLYNOMIAL if value & 1 else 0)
    assert value ^ link.CRC_ONES == 0xCBF43926


def test_frame_layout():
    frame = link.encode_frame(1, b"\x07\xff", 0x42)
    assert frame[:9] == b"\xa5\x5a\x01\x42\x02\x00\x00\x07\xff" and len(frame) == 13 == link.frame_bytes(2)
    assert frame[9:] == zlib.crc32(frame[2:9]).to_bytes(4, "little")
    assert link.run_request(np.array([7, -1], dtype=np.int8), 8, 0x42) == frame
    with pytest.raises(UsageError, match="more than a frame holds"):
        link.encode_frame(1, bytes(1 << 24))


def test_identity() -> None:
    known = Identity(Engine.SYSTOLIC, (0, 12, 3), 33_000_000, 0xDEADBEEF, 490, 12, "icebreaker", 10, 2)
    data = known.to_bytes()
    assert len(data) == link.IDENTITY_BYTES and Identity.from_bytes(data) == known
    assert data[:8] == bytes([2, 1, 0, 12, 3, 10, 2, 0]) and data[24:] == b"icebreaker".ljust(16, b"\0")
    with pytest.raises(ToolError, match="the board speaks protocol 3, this hwgen 2; build and flash it"):
        Identity.from_bytes(b"\3" + data[1:])
    with pytest.raises(ToolError, match="engine 7"):
        Identity.from_bytes(b"\2\7" + data[2:])
    with pytest.raises(ToolError, match="40 bytes, not 39"):
        Identity.from_bytes(data[:39])


def test_counters() -> None:
    known = Counters(True, True, 3, 70000, 1 << 31, (UnitCounters(1, 2, 3), UnitCounters(4, 5, 0xFFFFFFFF)))
    data = known.to_bytes()
    assert Counters.from_bytes(data) == known and data[:8] == b"\3\0\0\0\3\0\0\0"
    for wrong in (data[:-1], data[:-4], data[:12], b""):
        with pytest.raises(ToolError, match="no counters"):
            Counters.from_bytes(wrong)


def test_decode_in_pieces_with_noise():
    frames = [
        link.encode_frame(0, b"\xa5\x5a\x00"),
        link.encode_frame(3, b"", 200),
        link.encode_frame(0, bytes(300)),
    ]
    data = b"\x5a\xa5\x00" + frames[0] + b"\xa5" + frames[1] + frames[2] + b"\xa5"
    buffer, found = b"", []
    for byte in data:
        response, buffer = link.decode_response(buffer + bytes([byte]))
        if response:
            found.append(response)
    assert found == [
        Response(Status.OK, b"\xa5\x5a\x00"),
        Response(Status.TRUNCATED, b"", 200),
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
    noise = b"\xa5\x5a\x00\x00\xff\xff\xff"
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
