"""A pseudo-terminal as a serial port that another program opens, and what serves it."""

from __future__ import annotations

import os
import select
import time
import tty
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from hwgen.mlperf.dut import Dut
from hwgen.runtime.serialport import Transport
from hwgen.support.errors import LinkError, UsageError

_WRITE_SECONDS = 10.0


class Terminal:
    """`Transport` of the near end of a pseudo-terminal. path: of its far end, for any program that takes a
    serial port. link: also make the far end known by this name, until it is closed."""

    def __init__(self, link: Path | None = None) -> None:
        self._near, self._far = os.openpty()
        for end in (self._near, self._far):
            tty.setraw(end)
        os.set_blocking(self._near, False)
        self.path = os.ttyname(self._far)
        self._link = link
        if link is not None:
            try:
                link.symlink_to(self.path)
            except OSError as error:
                self._link = None
                self.close()
                raise UsageError(f"cannot be made: {error}", where=str(link)) from error

    @property
    def name(self) -> str:
        """For messages."""
        return self.path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """The far end is gone then."""
        if self._link is not None:
            self._link.unlink(missing_ok=True)
        os.close(self._near)
        os.close(self._far)

    def write(self, data: bytes) -> None:
        """See `Transport`."""
        while data:
            if not select.select([], [self._near], [], _WRITE_SECONDS)[1]:
                raise LinkError("nobody reads what is written", where=self.path)
            data = data[os.write(self._near, data) :]

    def read(self, seconds: float) -> bytes:
        """See `Transport`."""
        return os.read(self._near, 4096) if select.select([self._near], [], [], seconds)[0] else b""

    def now(self) -> float:
        """See `Transport`."""
        return time.monotonic()


def speaker(port: Transport) -> Callable[[str], None]:
    """What sends a line."""
    return lambda line: port.write(line.encode("ascii", "replace") + b"\r\n")


def serve(dut: Dut, port: Transport, stopped: Callable[[], bool] = lambda: False) -> None:
    """Say that the device is there, then answer what comes, until `stopped`."""
    dut.start()
    while not stopped():
        data = port.read(0.1)
        if data:
            dut.receive(data)
