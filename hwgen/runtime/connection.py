"""Requests to a device over a line that loses and damages bytes: each has its answer, or there is an error.

What can go wrong, and what is done:

- a request arrives damaged: the device says so, it is sent again at once;
- a request or an answer is lost: there is no answer in time, it is sent again. The time is longer than the
  device's idle time, so that whatever it has taken for a frame has ended by then;
- an answer of an earlier try comes late: requests are idempotent, and it has the same number: it is as good;
- an answer of an earlier request comes late: it has another number, and is dropped;
- noise, half frames: not a frame, or its CRC is wrong, or its length is not that of the answer: dropped.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hwgen.runtime.link import (
    BAUD,
    IDLE_SECONDS,
    MEANING,
    Request,
    Response,
    Status,
    decode_response,
    encode_frame,
    frame_bytes,
)
from hwgen.runtime.serialport import SerialPort, Transport
from hwgen.support.errors import LinkError, UsageError

BITS_PER_BYTE = 10  # on the line: start and stop bit
MIN_BAUD, MAX_BAUD = 1, 1_000_000_000
TIMEOUT = 0.5
RETRIES = 5


@dataclass
class _Pending:
    """A request that has been sent. failed: what the device last said of it, if not OK."""

    frame: bytes
    sequence: int
    deadline: float
    payload: bytes | None = None
    failed: Status | None = None

    @property
    def settled(self) -> bool:
        return self.payload is not None or self.failed is not None


class Connection:
    """A device at a serial port (name, pyserial URL) or any `Transport`.

    baud: of the line. timeout: seconds, more than the bytes' own time on the line and the device's work,
    until a request is sent again; twice as long the next time, and so on, up to `retries` times. LinkError:
    the port cannot be opened, or there was no good answer after all that; the connection can still be used.
    UsageError: no baud rate.

    sent_again, dropped: requests that were sent again, and good frames that nobody waited for, so far.
    """

    def __init__(
        self,
        port: str | Transport,
        *,
        baud: float = BAUD,
        timeout: float = TIMEOUT,
        retries: int = RETRIES,
    ) -> None:
        self.baud, self.timeout, self.retries = baud, max(timeout, 2 * IDLE_SECONDS), retries
        if not MIN_BAUD <= baud <= MAX_BAUD:
            raise UsageError(f"{baud:g} baud", where="link", hint=f"give {MIN_BAUD} to {MAX_BAUD:,}")
        self._port = SerialPort(port, baud) if isinstance(port, str) else port
        self._buffer = b""
        self._sequence = random.randrange(256)  # another one than that of the host before
        self._noise = 0
        self.sent_again = self.dropped = 0

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Of the port, for messages."""
        return self._port.name

    def now(self) -> float:
        """Seconds by the port's clock."""
        return self._port.now()

    def pause(self, seconds: float) -> None:
        """Wait; what comes meanwhile is not lost."""
        until = self.now() + seconds
        while (left := until - self.now()) > 0:
            self._buffer += self._received(left)

    def close(self) -> None:
        """Give the port back."""
        self._port.close()

    def request(self, code: Request, payload: bytes = b"", *, answer: int = 0, seconds: float = 0.0) -> bytes:
        """Payload of the answer, which has `answer` bytes. seconds: that the device's work takes."""
        (result,) = self.requests(code, [payload], answer=answer, seconds=seconds)
        return result

    def requests(
        self,
        code: Request,
        payloads: Iterable[bytes],
        *,
        answer: int = 0,
        seconds: float = 0.0,
        queue: int = 1,
    ) -> Iterator[bytes]:
        """`request` for one payload after the other; answers in their order.

        queue: that the device has (`Identity.queue`): as many requests are under way at a time.
        """
        pending: deque[_Pending] = deque()
        waiting = iter(payloads)
        more = True
        while True:
            while more and len(pending) < queue:
                payload = next(waiting, None)
                if payload is None:
                    more = False
                    break
                self._sequence, self._noise = (self._sequence + 1) % 256, 0
                frame = encode_frame(code, payload, self._sequence)
                each = _Pending(frame, self._sequence, 0.0)
                pending.append(each)
                self._send(each, answer, seconds, len(pending), 0)
            if not pending:
                return
            head = pending[0]
            self._await(pending, answer, head)
            if head.payload is None:
                self._recover(pending, answer, seconds)
            assert head.payload is not None
            pending.popleft()
            yield head.payload

    def _recover(self, pending: deque[_Pending], answer: int, seconds: float) -> None:
        """When one has failed: wait until nothing is under way, then one after the other."""
        self._await(pending, answer, *pending)
        for each in pending:
            for attempt in range(1, self.retries + 1):
                if each.payload is not None:
                    break
                if each.failed is Status.NO_PROGRAM:
                    raise LinkError(MEANING[each.failed], where=self.name, hint="write it with `hwgen flash`")
                self.sent_again += 1
                each.failed = None
                self._send(each, answer, seconds, 1, attempt)
                self._await(pending, answer, each)
            if each.payload is None:
                raise self._hopeless(each)

    def _send(self, each: _Pending, answer: int, seconds: float, under_way: int, attempt: int) -> None:
        """Send it, and say until when its answer should be there."""
        self._port.write(each.frame)
        line = (len(each.frame) + frame_bytes(answer)) * BITS_PER_BYTE / self.baud
        patience = self.timeout * (1 << attempt)
        each.deadline = self._port.now() + under_way * (line + seconds) + patience

    def _await(self, pending: Iterable[_Pending], answer: int, *wanted: _Pending) -> None:
        """Take answers until those wanted are there, or their time is over."""
        while late := [each.deadline for each in wanted if not each.settled]:
            until = max(late)
            response = self._next(answer, until)
            if response is None:
                return
            each = next((each for each in pending if each.sequence == response.sequence), None)
            if each is None or each.payload is not None:
                self.dropped += 1
                if self.now() > until + self.timeout:  # they never cease
                    return
            elif response.status is not Status.OK:
                each.failed = response.status
            elif len(response.payload) != answer:
                self.dropped += 1
            else:
                each.payload = response.payload

    def _next(self, answer: int, deadline: float) -> Response | None:
        """The next good frame, None if none comes until the deadline; what has come already is looked at."""
        looked = False
        while True:
            response, rest = decode_response(self._buffer, answer)
            if response is not None:
                self._buffer = rest
                return response
            left = deadline - self._port.now()
            if left > 0 or not looked:
                self._buffer, looked = rest + self._received(max(left, 0.0)), True
                continue
            # what began like a frame, and hides one, was none
            self._buffer = rest[1:]
            if not self._buffer:
                return None

    def _received(self, seconds: float) -> bytes:
        data = self._port.read(seconds)
        self._noise += len(data)
        return data

    def _hopeless(self, each: _Pending) -> LinkError:
        tries = f"{self.retries + 1} tries"
        if each.failed is not None:
            return LinkError(f"{MEANING[each.failed]}, in {tries}", where=self.name, hint=_BAUD)
        if self._noise:
            return LinkError(f"no good answer in {tries}", where=self.name, hint=_BAUD)
        return LinkError(
            f"no answer in {tries}", where=self.name,
            hint="is the bitstream loaded, and is this the board's port?",
        )  # fmt: skip


_BAUD = "is it the baud rate that the board was built with, and the cable a good one?"
