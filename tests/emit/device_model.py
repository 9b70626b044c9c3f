"""A model of the board behind a socket, for hosts' drivers: protocol 2, and a line that damages bytes.

Written from the protocol's description, with nothing of hwgen's own host side.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import threading
import zlib
from collections.abc import Callable

IDLE_SECONDS = 0.004
SYNC = b"\xa5\x5a"
OK, BAD_CRC, BAD_REQUEST, TRUNCATED, NO_PROGRAM = range(5)


class Line:
    """Damages a byte in `every` (0: none): flips a bit, drops it, doubles it, or puts noise before it."""

    def __init__(self, every: int, seed: int) -> None:
        self.every, self.random, self.damaged = every, random.Random(seed), 0

    def __call__(self, data: bytes) -> bytes:
        if not self.every:
            return data
        out = bytearray()
        for byte in data:
            if self.random.randrange(self.every):
                out.append(byte)
                continue
            self.damaged += 1
            noise = self.random.randbytes(self.random.randrange(1, 12))
            kinds = [bytes([byte ^ 1 << self.random.randrange(8)]), b"", bytes([byte, byte])]
            out += self.random.choice([*kinds, noise + bytes([byte]), SYNC + bytes([byte])])
        return bytes(out)


class ModelDevice:
    """Serves `self.host` until closed. compute: input bytes to output bytes, or None: no program."""

    def __init__(
        self, inputs: int, outputs: int, compute: Callable[[bytes], bytes | None], *, design_id: int = 0,
        every: int = 0, seed: int = 1, protocol: int = 2, words: int = 4,
        late: Callable[[int], float] | None = None,
    ) -> None:  # fmt: skip
        self.host, self._own = socket.socketpair()
        self.inputs, self.outputs, self.compute, self.late = inputs, outputs, compute, late
        self.inward, self.outward = Line(every, seed), Line(every, seed + 1)
        self.identity = struct.pack(
            "<BB3BBBBIIII16s", protocol, 0, 1, 2, 3, words, 1, 0, 25000, design_id, inputs, outputs, b"me"
        )
        self.words, self.runs, self.bad, self.resets = words, 0, 0, 0
        self._buffer = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the service."""
        self.host.close()
        self._own.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._own.close()

    def _more(self, seconds: float | None) -> bool:
        if not select.select([self._own], [], [], seconds)[0]:
            return False
        data = self._own.recv(4096)
        if not data:
            raise EOFError
        self._buffer += self.inward(data)
        return True

    def _take(self, count: int) -> bytes | None:
        while len(self._buffer) < count:
            if not self._more(IDLE_SECONDS):
                return None
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _serve(self) -> None:
        try:
            while True:
                at = self._buffer.find(SYNC)
                if at < 0:
                    self._buffer = self._buffer[-1:] if self._buffer[-1:] == SYNC[:1] else b""
                    self._more(None)
                    continue
                self._buffer = self._buffer[at + 2 :]
                status, sequence, payload = self._request()
                answer = self._answer(status, sequence, payload)
                if self.late is not None:
                    threading.Event().wait(self.late(self.runs))
                self._own.sendall(self.outward(answer))
        except (EOFError, OSError):
            pass

    def _request(self) -> tuple[int, int, bytes]:
        head = self._take(5)
        if head is None:
            return TRUNCATED, 0, b""
        code, sequence, length = head[0], head[1], int.from_bytes(head[2:], "little")
        if code not in (1, 2, 3, 4) or length != (self.inputs if code == 1 else 0):
            self._pause()
            return BAD_REQUEST, sequence, b""
        rest = self._take(length + 4)
        if rest is None:
            return TRUNCATED, sequence, b""
        payload, crc = rest[:length], int.from_bytes(rest[length:], "little")
        if zlib.crc32(head + payload) != crc:
            return BAD_CRC, sequence, b""
        return self._run(code, sequence, payload)

    def _run(self, code: int, sequence: int, payload: bytes) -> tuple[int, int, bytes]:
        if code == 1:
            made = self.compute(payload)
            if made is None:
                return NO_PROGRAM, sequence, b""
            assert len(made) == self.outputs
            self.runs += 1
            return OK, sequence, made
        if code == 2:
            return OK, sequence, self.identity
        if code == 4:
            self.resets, self.runs, self.bad = self.resets + 1, 0, 0
            return OK, sequence, b""
        words = [1, self.runs, self.bad, 1234, *range(100, 96 + self.words)]
        return OK, sequence, struct.pack(f"<{self.words}I", *words[: self.words])

    def _pause(self) -> None:
        self._buffer = b""
        while self._more(IDLE_SECONDS):
            self._buffer = b""

    def _answer(self, status: int, sequence: int, payload: bytes) -> bytes:
        self.bad += status != OK
        body = bytes([status, sequence]) + len(payload).to_bytes(3, "little") + payload
        return SYNC + body + zlib.crc32(body).to_bytes(4, "little")
