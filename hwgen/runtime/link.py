"""The link protocol between host and board, version 2: frames, CRC, records, tensors as bytes.

One request, one answer, over a byte stream (8N1 UART, 1 Mbaud by default). Both have the form

    0xA5 0x5A | code | sequence | length (3 bytes, little endian) | payload (`length` bytes) | CRC (4 bytes)

The CRC is CRC-32 (zlib's: polynomial 0x04C11DB7, reflected, start and end inverted) over code, sequence,
length and payload, little endian.

Requests (`Request`). RUN: the payload is one input tensor; the answer's is the output tensor. IDENTIFY: no
payload; the answer's is an `Identity`. STATUS: no payload; the answer's is a `Counters`. RESET: no payload,
nor has the answer; what is being computed is dropped, counters are 0, a systolic engine loads its program
anew. All can be sent again without harm.

Tensors: H, W, C order; each element in ceil(width / 8) bytes, little endian, two's complement where it
is signed. `width` is the element's width in the hardware (manifest.json).

An answer has a `Status` as code and the request's sequence number; all but OK have no payload and mean that
no result was kept. The host numbers its requests, and drops answers of another number: those of a request
that it has sent again. A damaged request's number may be damaged too.

The device takes `Identity.queue` requests before it has answered the first one; further bytes are lost. After
a pause within a frame of longer than the device's idle time (20 ms by default) it answers TRUNCATED and waits
for the next sync bytes; after a request that it does not know, and after a RUN while it has no program
(NO_PROGRAM), it waits for such a pause, then answers.
"""

from __future__ import annotations

import enum
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from hwgen.support.errors import ToolError, UsageError

PROTOCOL = 2
SYNC = b"\xa5\x5a"
HEADER_BYTES = 5  # code, sequence, length
LENGTH_BYTES = 3
CRC_BYTES = 4
CRC_POLYNOMIAL = 0xEDB88320  # reflected: the low bit is the first
CRC_ONES = (1 << 32) - 1
MAX_LENGTH = (1 << 24) - 1
ID_BYTES = 4
NAME_BYTES = 16
IDENTITY_BYTES = 40
WORD_BYTES = 4
WORDS = 4  # of STATUS, without profile
UNIT_WORDS = 3  # more for each unit of the profile
BAUD = 1_000_000
IDLE_SECONDS = 0.02


class Request(enum.IntEnum):
    """Code of a frame from the host."""

    RUN = 0x01
    IDENTIFY = 0x02
    STATUS = 0x03
    RESET = 0x04


class Status(enum.IntEnum):
    """Code of a frame from the device."""

    OK = 0x00
    BAD_CRC = 0x01
    BAD_REQUEST = 0x02
    TRUNCATED = 0x03
    NO_PROGRAM = 0x04


MEANING = {
    Status.OK: "all is well",
    Status.BAD_CRC: "the frame arrived damaged",
    Status.BAD_REQUEST: "the board does not know the request, or the input's size is not its model's",
    Status.TRUNCATED: "the frame stopped before its end, or came faster than the board could take it",
    Status.NO_PROGRAM: "the board's flash holds no good program image for this bitstream",
}

_CODES = frozenset(int(status) for status in Status)


class Engine(enum.IntEnum):
    """What a board computes with."""

    STREAM = 0
    SYSTOLIC = 1


@dataclass(frozen=True)
class Response:
    """A whole, undamaged frame from the device."""

    status: Status
    payload: bytes
    sequence: int = 0

    def checked(self) -> bytes:
        """The payload; ToolError when the device reports an error."""
        if self.status is not Status.OK:
            raise ToolError(
                f"{MEANING[self.status]} ({self.status.name})", where="link", hint="send it again"
            )
        return self.payload


@dataclass(frozen=True)
class Identity:
    """What IDENTIFY answers, 40 bytes: who the board is.

    engine: 0 stream, 1 systolic. version: hwgen's when the bitstream was made. words: of STATUS. queue:
    requests that may be under way, 2: the next RUN may be sent before the answer to the last one. clock: Hz.
    design_id: the first 32 bits of the model's SHA-256, or the CRC-32 of the systolic engine's image; inputs,
    outputs: bytes of a RUN and of its answer; all three are 0 while there is no program. board: its name,
    cut to 16 bytes.

    Layout, little endian: protocol, engine, version (3 bytes), words, queue, 0 | clock (4 bytes), design id
    (4), inputs (4), outputs (4), board (16, ASCII, zeros behind).
    """

    engine: Engine
    version: tuple[int, int, int]
    clock: int
    design_id: int
    inputs: int
    outputs: int
    board: str
    words: int = WORDS
    queue: int = 1
    protocol: int = PROTOCOL

    _LAYOUT = struct.Struct("<B B 3B B B B I I I I 16s")

    def to_bytes(self) -> bytes:
        """As the device sends it."""
        return self._LAYOUT.pack(
            self.protocol, self.engine, *self.version, self.words, self.queue, 0, self.clock, self.design_id,
            self.inputs, self.outputs, self.board.encode("ascii", "replace")[:NAME_BYTES],
        )  # fmt: skip

    @classmethod
    def from_bytes(cls, data: bytes) -> Identity:
        """Back. ToolError when they are no identity of this protocol."""
        if len(data) != cls._LAYOUT.size:
            raise ToolError(f"an identity has {cls._LAYOUT.size} bytes, not {len(data)}", where="link")
        protocol, engine, *version, words, queue, _, clock, design_id, inputs, outputs, name = (
            cls._LAYOUT.unpack(data)
        )
        if protocol != PROTOCOL:
            raise ToolError(
                f"the board speaks protocol {protocol}, this hwgen {PROTOCOL}", where="link",
                hint="build and flash it again",
            )  # fmt: skip
        if engine not in set(Engine):
            raise ToolError(f"engine {engine} is not known", where="link")
        board = name.rstrip(b"\0").decode("ascii", "replace")
        major, minor, patch = version
        return cls(
            Engine(engine), (major, minor, patch), clock, design_id, inputs, outputs, board, words, queue
        )


@dataclass(frozen=True)
class UnitCounters:
    """Clocks of the last RUN that a unit was busy, waited for its input, waited for its output."""

    busy: int
    starved: int
    blocked: int


@dataclass(frozen=True)
class Counters:
    """What STATUS answers: 32-bit words, little endian.

    0: flags (bit 0 ready: there is a program; bit 1 error: the last answer was not OK). 1 runs: answered OK.
    2 damaged: requests that were not answered OK, but for NO_PROGRAM. Both begin anew at RESET and at their
    end, which is below 32 bits (16 and 8). 3 clocks: of the last RUN, from its first input beat to its last
    output beat, both included; a systolic engine, whose bytes come and go as slowly as the line: from its
    last input byte to its first output byte. Then, with profiling, three words a unit, in the core's order.
    """

    ready: bool
    error: bool
    runs: int
    damaged: int
    clocks: int
    units: tuple[UnitCounters, ...] = ()

    def to_bytes(self) -> bytes:
        """As the device sends it."""
        words = [self.ready | self.error << 1, self.runs, self.damaged, self.clocks]
        for unit in self.units:
            words += [unit.busy, unit.starved, unit.blocked]
        return struct.pack(f"<{len(words)}I", *words)

    @classmethod
    def from_bytes(cls, data: bytes) -> Counters:
        """Back. ToolError when they are none."""
        count, rest = divmod(len(data), WORD_BYTES)
        if rest or count < WORDS or (count - WORDS) % UNIT_WORDS:
            raise ToolError(f"{len(data)} bytes are no counters", where="link")
        flags, runs, damaged, clocks, *profile = struct.unpack(f"<{count}I", data)
        units = (UnitCounters(*profile[at : at + UNIT_WORDS]) for at in range(0, len(profile), UNIT_WORDS))
        return cls(bool(flags & 1), bool(flags & 2), runs, damaged, clocks, tuple(units))


def crc32(data: bytes) -> int:
    """CRC-32 of `data`. crc32(b"123456789") == 0xCBF43926."""
    return zlib.crc32(data)


def encode_frame(code: int, payload: bytes = b"", sequence: int = 0) -> bytes:
    """A frame in either direction. UsageError when the payload is too long for its length field."""
    if len(payload) > MAX_LENGTH:
        raise UsageError(f"{len(payload)} bytes are more than a frame holds ({MAX_LENGTH})", where="link")
    body = bytes([code, sequence]) + len(payload).to_bytes(LENGTH_BYTES, "little") + payload
    return SYNC + body + crc32(body).to_bytes(CRC_BYTES, "little")


def frame_bytes(payload: int) -> int:
    """Length of a frame with a payload of that many bytes."""
    return len(SYNC) + HEADER_BYTES + payload + CRC_BYTES


def run_request(values: np.ndarray, width: int, sequence: int = 0) -> bytes:
    """The frame that runs one input tensor of `width`-bit elements."""
    return encode_frame(Request.RUN, pack_tensor(values, width), sequence)


def identify_request(sequence: int = 0) -> bytes:
    """The frame that asks who the board is."""
    return encode_frame(Request.IDENTIFY, sequence=sequence)


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
        start = at + len(SYNC)
        body = data[start : start + HEADER_BYTES]
        if body and body[0] not in _CODES:
            at += 1
            continue
        if len(body) < HEADER_BYTES:
            return None, data[at:]
        length = int.from_bytes(body[HEADER_BYTES - LENGTH_BYTES :], "little")
        if length <= max_length and (body[0] == Status.OK or length == 0):
            end = start + HEADER_BYTES + length
            if len(data) < end + CRC_BYTES:
                return None, data[at:]
            if crc32(data[start:end]) == int.from_bytes(data[end : end + CRC_BYTES], "little"):
                payload = data[start + HEADER_BYTES : end]
                return Response(Status(body[0]), payload, body[1]), data[end + CRC_BYTES :]
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
