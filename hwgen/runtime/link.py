"""The small link protocol between host and board: frames, CRC, tensors as bytes. Pure functions.

One request, one response, over a byte stream (8N1 UART, 1 Mbaud by default). Both have the form

    0xA5 0x5A | code | length (3 bytes, little endian) | payload (`length` bytes) | CRC (2 bytes)

The CRC is CRC-16/IBM-3740 (polynomial 0x1021, initial value 0xFFFF, "CCITT-FALSE") over code, length
and payload, high byte first, so that the CRC of a good frame with its CRC is 0.

Requests. RUN: the payload is one input tensor; the response's is the output tensor. IDENTIFY: no
payload; the response's is the 32-bit design id, little endian: of the systolic engine the CRC-32 of the
program image, 0 while it has none.

Tensors: H, W, C order; each element in ceil(width / 8) bytes, little endian, two's complement where it
is signed. `width` is the element's width in the hardware (manifest.json).

Responses carry a Status as code; all but OK have no payload and mean that no result was kept. The device
answers one request at a time; bytes that arrive before its answer has been sent are lost. After a pause
within a frame of longer than the device's idle time (20 ms by default) it answers TRUNCATED and waits
for the next sync bytes; after a request that it does not know, and after a RUN while it has no program
(NO_PROGRAM), it waits for such a pause, then answers.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from hwgen.support.errors import ToolError, UsageError

SYNC = b"\xa5\x5a"
HEADER_BYTES = 4  # code and length
CRC_BYTES = 2
CRC_POLYNOMIAL = 0x1021
CRC_INITIAL = 0xFFFF
MAX_LENGTH = (1 << 24) - 1
ID_BYTES = 4
BAUD = 1_000_000
IDLE_SECONDS = 0.02


class Request(enum.IntEnum):
    """Code of a frame from the host."""

    RUN = 0x01
    IDENTIFY = 0x02


class Status(enum.IntEnum):
    """Code of a frame from the device."""

    OK = 0x00
    BAD_CRC = 0x01
    BAD_REQUEST = 0x02
    TRUNCATED = 0x03
    NO_PROGRAM = 0x04


_MEANING = {
    Status.BAD_CRC: "the frame arrived damaged",
    Status.BAD_REQUEST: "the board does not know the request, or the input's size is not its model's",
    Status.TRUNCATED: "the frame stopped before its end, or came faster than the board could take it",
    Status.NO_PROGRAM: "the board's flash holds no good program image for this bitstream",
}


_CODES = frozenset(int(status) for status in Status)


@dataclass(frozen=True)
class Response:
    """A whole, undamaged frame from the device."""

    status: Status
    payload: bytes

    def checked(self) -> bytes:
        """The payload; ToolError when the device reports an error."""
        if self.status is not Status.OK:
            raise ToolError(
                f"{_MEANING[self.status]} ({self.status.name})", where="link", hint="send it again"
            )
        return self.payload


def crc16(data: bytes, crc: int = CRC_INITIAL) -> int:
    """CRC-16/IBM-3740 of `data`; `crc` continues an earlier one. crc16(b"123456789") == 0x29B1."""
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (CRC_POLYNOMIAL if crc & 0x8000 else 0)) & 0xFFFF
    return crc


def encode_frame(code: int, payload: bytes = b"") -> bytes:
    """A frame in either direction. UsageError when the payload is too long for its length field."""
    if len(payload) > MAX_LENGTH:
        raise UsageError(f"{len(payload)} bytes are more than a frame holds ({MAX_LENGTH})", where="link")
    body = bytes([code]) + len(payload).to_bytes(HEADER_BYTES - 1, "little") + payload
    return SYNC + body + crc16(body).to_bytes(CRC_BYTES, "big")


def run_request(values: np.ndarray, width: int) -> bytes:
    """The frame that runs one input tensor of `width`-bit elements."""
    return encode_frame(Request.RUN, pack_tensor(values, width))


def identify_request() -> bytes:
    """The frame that asks for the design id."""
    return encode_frame(Request.IDENTIFY)


def decode_response(data: bytes, max_length: int = MAX_LENGTH) -> tuple[Response | None, bytes]:
    """The first good frame in `data` and the bytes behind it; (None, what to keep) while it is incomplete.

    Whatever is no frame is skipped: noise before the sync bytes, a frame with a wrong CRC, an unknown
    status or a length above `max_length` (so that noise cannot make the host wait for 16 MB).
    """
    at = 0
    while True:
        at = data.find(SYNC, at)
        if at < 0:
            return None, data[-1:] if data[-1:] == SYNC[:1] else b""
        body = data[at + len(SYNC) :]
        if len(body) < HEADER_BYTES:
            return None, data[at:]
        length = int.from_bytes(body[1:HEADER_BYTES], "little")
        end = HEADER_BYTES + length + CRC_BYTES
        if length <= max_length and body[0] in _CODES:
            if len(body) < end:
                return None, data[at:]
            if crc16(body[:end]) == 0:
                return Response(Status(body[0]), body[HEADER_BYTES : HEADER_BYTES + length]), body[end:]
        at += 1


def element_bytes(width: int) -> int:
    """Bytes that one element of `width` bits takes on the link."""
    if not 1 <= width <= 64:
        raise UsageError(f"elements of {width} bits cannot be sent", where="link")
    return -(-width // 8)


def pack_tensor(values: np.ndarray, width: int) -> bytes:
    """Integers to link bytes. UsageError for a value that `width` bits hold neither signed nor unsigned."""
    flat = np.asarray(values)
    if not np.issubdtype(flat.dtype, np.integer):
        raise UsageError(f"an integer tensor is needed, not {flat.dtype}", where="link")
    size = element_bytes(width)
    if flat.size and (int(flat.min()) < -(1 << (width - 1)) or int(flat.max()) >= 1 << width):
        raise UsageError(f"values {flat.min()}..{flat.max()} do not fit {width} bits", where="link")
    wide = np.ascontiguousarray(flat.reshape(-1).astype("<u8" if flat.dtype.kind == "u" else "<i8"))
    return wide.view(np.uint8).reshape(-1, 8)[:, :size].tobytes()


def unpack_tensor(data: bytes, width: int, signed: bool) -> np.ndarray:
    """Link bytes to a flat int64 tensor. ToolError when they are no whole number of elements."""
    size = element_bytes(width)
    if len(data) % size:
        raise ToolError(f"{len(data)} bytes are no whole number of {size}-byte elements", where="link")
    wide = np.zeros((len(data) // size, 8), dtype=np.uint8)
    wide[:, :size] = np.frombuffer(data, dtype=np.uint8).reshape(-1, size)
    values = wide.view("<u8").reshape(-1).astype(np.uint64)
    shift = np.uint64(64 - width)  # the bits above `width` are extension
    values = values << shift
    return (values.view(np.int64) >> np.int64(shift)) if signed else (values >> shift).astype(np.int64)


def unpack_id(payload: bytes) -> int:
    """Design id of an IDENTIFY response."""
    if len(payload) != ID_BYTES:
        raise ToolError(f"a design id has {ID_BYTES} bytes, not {len(payload)}", where="link")
    return int.from_bytes(payload, "little")
