"""A host that sees every byte of a simulated board's line: for requests that no runtime would send."""

from __future__ import annotations

import os
import select
import time

from hwgen.runtime.link import Response, decode_response


class Line:
    """Context manager: the port, opened."""

    def __init__(self, port: str) -> None:
        self.port = port
        self._data = b""

    def __enter__(self) -> Line:
        self._file = os.open(self.port, os.O_RDWR | os.O_NOCTTY)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._file, data) :]

    def answers(self, sequence: int, seconds: float = 60.0) -> list[Response]:
        """All answers up to the first OK with that sequence number; AssertionError if that does not come."""
        ends = time.monotonic() + seconds
        found: list[Response] = []
        while True:
            while True:
                response, self._data = decode_response(self._data, 1 << 16)
                if response is None:
                    break
                found.append(response)
                if response.status == 0 and response.sequence == sequence:
                    return found
            left = ends - time.monotonic()
            assert left > 0, f"no answer to request {sequence}, only {found}"
            if select.select([self._file], [], [], left)[0]:
                self._data += os.read(self._file, 65536)
