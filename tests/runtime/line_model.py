"""A device and its serial line in virtual time: what protocol 2 says, and what can go wrong with it."""

from __future__ import annotations

import random
import zlib
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from hwgen.runtime.link import Counters, Engine, Identity, Request, Status, encode_frame
from hwgen.support.errors import LinkError

BYTE = 1e-5  # seconds of a byte on the line
IDLE = 0.02


def compute(payload: bytes, outputs: int) -> bytes:
    """What the model device answers: every byte depends on every byte of the payload."""
    return b"".join(zlib.crc32(payload, k).to_bytes(4, "little") for k in range(outputs // 4 + 1))[:outputs]


@dataclass
class ModelDevice:
    """Takes bytes at times, gives bytes at times. queue: see `Identity`; busy: seconds of a RUN."""

    inputs: int = 20
    outputs: int = 10
    queue: int = 1
    busy: float = 0.001
    engine: Engine = Engine.STREAM
    design_id: int = 0x12345678
    work: Callable[[bytes, int], bytes] = compute
    boot: float = 0.0  # seconds after a reset until there is a program
    answers: deque[tuple[float, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.restart(0.0)

    def restart(self, now: float) -> None:
        """As after power on: whatever was under way is gone."""
        self.frame: bytearray | None = None  # what came since the sync bytes
        self.sync = self.silence = False
        self.last = self.free = self.deaf = now
        self.ready_at = now + self.boot
        self.runs = self.damaged = 0
        self.error = False
        while self.answers and self.answers[-1][0] > now:
            self.answers.pop()

    def ready(self, now: float) -> bool:
        return now >= self.ready_at

    def identity(self, now: float) -> Identity:
        sizes = (self.design_id, self.inputs, self.outputs) if self.ready(now) else (0, 0, 0)
        return Identity(self.engine, (0, 1, 0), 30_000_000, *sizes, "model", queue=self.queue)

    def advance(self, now: float) -> None:
        """The idle time may be over."""
        waiting = self.frame is not None or self.silence
        if waiting and now > self.last + IDLE:
            self._verdict(Status.TRUNCATED if self.silence is False else self.silenced, self.last + IDLE)

    def take(self, byte: int, now: float) -> None:
        """A byte of the line."""
        self.advance(now)
        self.last = now
        if now < self.deaf or self.silence:
            return
        if self.frame is None:
            if self.sync and byte == 0x5A:
                self.frame, self.sync = bytearray(), False
            else:
                self.sync = byte == 0xA5
            return
        self.frame.append(byte)
        frame = self.frame
        if len(frame) < 5:
            return
        code, length = frame[0], int.from_bytes(frame[2:5], "little")
        if len(frame) == 5:
            wanted = self.inputs if code == Request.RUN else 0
            if code not in set(Request) or length != wanted or (code == Request.RUN and not self.ready(now)):
                known = code == Request.RUN and not self.ready(now)
                self.silence, self.silenced = True, Status.NO_PROGRAM if known else Status.BAD_REQUEST
        if len(frame) == 9 + length:
            good = zlib.crc32(frame[:-4]) == int.from_bytes(frame[-4:], "little")
            self._verdict(Status.OK if good else Status.BAD_CRC, now)

    def _verdict(self, status: Status, now: float) -> None:
        frame, self.frame, self.silence = self.frame or bytearray(), None, False
        code, sequence = (frame[0] if frame else 0), (frame[1] if len(frame) > 1 else 0)
        start = max(now, self.free)
        answer, seconds = b"", 0.0
        if status is Status.OK and code == Request.RUN:
            answer, seconds = self.work(bytes(frame[5:-4]), self.outputs), self.busy
            self.runs += 1
        elif status is Status.OK and code == Request.IDENTIFY:
            answer = self.identity(now).to_bytes()
        elif status is Status.OK and code == Request.STATUS:
            counters = Counters(self.ready(now), self.error, self.runs, self.damaged, 4321)
            answer = counters.to_bytes()
        elif status is Status.OK:
            self.runs = self.damaged = 0
            self.ready_at = now + self.boot
        self.damaged += status not in (Status.OK, Status.NO_PROGRAM)
        self.error = status is not Status.OK
        at = start + seconds
        for byte in encode_frame(status, answer, sequence):
            at += BYTE
            self.answers.append((at, byte))
        self.free = at
        self.deaf = start if self.queue > 1 else at


class Line:
    """`Transport` to a `ModelDevice` in virtual time; bytes are flipped, lost, doubled, made up.

    rate: faults a byte. resets: of the device, a byte. kinds: what happens, by name.
    """

    name = "line"
    KINDS = ("flip", "drop", "double", "noise", "swallow", "burst")

    def __init__(self, device: ModelDevice, *, rate: float = 0.0, resets: float = 0.0, seed: int = 1) -> None:
        self.device, self.rate, self.resets = device, rate, resets
        self.random = random.Random(seed)
        self.time = 0.0
        self.closed = False
        self.happened: Counter[str] = Counter()
        self.skip = 0

    def now(self) -> float:
        return self.time

    def close(self) -> None:
        self.closed = True

    def write(self, data: bytes) -> None:
        if self.closed:
            raise LinkError("the port is gone", where=self.name)
        for byte in data:
            self.time += BYTE
            for each in self._through(byte):
                self.device.take(each, self.time)
            if self.resets and self.random.random() < self.resets:
                self.happened["reset"] += 1
                self.device.restart(self.time)

    def read(self, seconds: float) -> bytes:
        until = self.time + seconds
        while True:
            self.device.advance(self.time)
            data = bytearray()
            while self.device.answers and self.device.answers[0][0] <= self.time:
                data += self._through(self.device.answers.popleft()[1])
                if self.resets and self.random.random() < self.resets:
                    self.happened["reset"] += 1
                    self.device.restart(self.time)
            if data or self.time >= until:
                return bytes(data)
            following = self.device.answers[0][0] if self.device.answers else until
            idle = self.device.last + IDLE + 1e-9
            self.time = min(until, following, idle if idle > self.time else until)

    def _through(self, byte: int) -> bytes:
        """What arrives of a byte."""
        if self.skip:
            self.skip -= 1
            return b""
        if not self.rate or self.random.random() >= self.rate:
            return bytes([byte])
        kind = self.random.choice(self.KINDS)
        self.happened[kind] += 1
        match kind:
            case "flip":
                return bytes([byte ^ 1 << self.random.randrange(8)])
            case "drop":
                return b""
            case "double":
                return bytes([byte, byte])
            case "noise":
                return bytes([byte]) + self.random.choice(
                    (self.random.randbytes(3), b"\xa5\x5a", b"\xa5\x5a\x00", encode_frame(1, b"x", byte))
                )
            case "swallow":  # what is behind it too
                self.skip = self.random.randrange(1, 20)
                return b""
            case _:
                return self.random.randbytes(self.random.randrange(1, 5))
