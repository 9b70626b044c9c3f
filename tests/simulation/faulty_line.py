"""A bad cable: bytes go to a port and back, some of them flipped, dropped, doubled, others put in."""

from __future__ import annotations

import contextlib
import os
import pty
import random
import select
import threading
import tty
from collections import Counter
from collections.abc import Callable


class FaultyLine:
    """Context manager: `port` is where the host goes, `behind` the device's port.

    to_device, to_host: faults a byte in each direction. cut: called instead of a fault now and then, with
    bytes of a transfer on either side of it. faults: how many of each kind so far.
    """

    def __init__(
        self,
        behind: str,
        seed: int,
        *,
        to_device: float,
        to_host: float,
        cut: Callable[[], None] | None = None,
        cut_share: float = 0.02,
    ) -> None:
        self._behind, self._random, self._rates = behind, random.Random(seed), (to_device, to_host)
        self._cut, self._cut_share = cut, cut_share
        self.faults: Counter[str] = Counter()
        self._stop = threading.Event()

    def __enter__(self) -> FaultyLine:
        self._device = os.open(self._behind, os.O_RDWR | os.O_NOCTTY)
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        for file in (self._device, self._master, self._slave):
            os.close(file)

    def _relay(self) -> None:
        ways = {
            self._master: (self._device, self._rates[0]),
            self._device: (self._master, self._rates[1]),
        }
        while not self._stop.is_set():
            for source in select.select(list(ways), [], [], 0.05)[0]:
                sink, rate = ways[source]
                with contextlib.suppress(OSError):
                    data = self._worse(os.read(source, 64), rate)
                    while data:
                        data = data[os.write(sink, data) :]

    def _worse(self, data: bytes, rate: float) -> bytes:
        out = bytearray()
        for byte in data:
            if self._random.random() >= rate:
                out.append(byte)
                continue
            kind = self._random.choice(("flip", "drop", "double", "insert"))
            if self._cut is not None and self._random.random() < self._cut_share:
                kind = "cut"
                self._cut()
            self.faults[kind] += 1
            if kind == "flip":
                out.append(byte ^ 1 << self._random.randrange(8))
            elif kind == "double":
                out += bytes((byte, byte))
            elif kind == "insert":
                out += bytes((byte, self._random.randrange(256)))
            elif kind == "cut":
                out.append(byte)
        return bytes(out)
