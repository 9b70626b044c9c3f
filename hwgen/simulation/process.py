"""The running simulator: started, asked, and always ended."""

from __future__ import annotations

import contextlib
import select
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from hwgen.support.errors import ToolError

_GRACE = 3.0  # seconds to end by itself, then to be killed


class SimulatorProcess:
    """sim/board/main.cpp, running. port: path of its pseudo-terminal.

    ToolError in every method when it has ended, with what it said last. It ends with `close`, and by itself
    when this process ends however that may be: its standard input is a pipe from here.
    """

    def __init__(self, argv: Sequence[str], folder: Path, start_seconds: float = 60.0) -> None:
        self._lock = threading.Lock()
        self._said = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed with the process)
        try:
            self._child = subprocess.Popen(
                list(argv), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said,
                bufsize=0, start_new_session=True,  # Ctrl-C is for the caller, who then closes this
            )  # fmt: skip
        except OSError as error:
            self._said.close()
            raise ToolError(f"cannot be started: {error.strerror}", where="simulator") from error
        try:
            self.port = self._answer("port", start_seconds)[0]
        except BaseException:
            self.close()
            raise

    def command(self, name: str, answer: str, seconds: float = 60.0) -> list[str]:
        """Send a command; the words behind `answer` in the line that comes back."""
        with self._lock:
            self.check()
            assert self._child.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.write(f"{name}\n".encode())
            return self._answer(answer, seconds)

    def check(self) -> None:
        """ToolError if it has ended."""
        if self._child.poll() is not None:
            raise self._ended()

    def close(self) -> None:
        """End it; does nothing the second time."""
        child = self._child
        if child.stdin is not None:
            with contextlib.suppress(OSError):
                child.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)
        if child.poll() is None:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()
        self._said.close()

    def _answer(self, wanted: str, seconds: float) -> list[str]:
        """The words behind `wanted` in the next line that begins with it."""
        assert self._child.stdout is not None
        ends, data = time.monotonic() + seconds, b""
        others: list[str] = []
        while True:
            left = ends - time.monotonic()
            if left <= 0 or not select.select([self._child.stdout], [], [], left)[0]:
                raise ToolError(f"no answer within {seconds:g} s", where="simulator")
            byte = self._child.stdout.read(1)  # a line a command: there is nothing to gain by more
            if not byte:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(_GRACE)
                raise self._ended(others)
            data += byte
            if byte == b"\n":
                words = data.decode(errors="replace").split()
                if words[:1] == [wanted]:
                    return words[1:]
                others.append(data.decode(errors="replace").strip())
                data = b""

    def _ended(self, printed: Sequence[str] = ()) -> ToolError:
        """What it said before it ended: the models' own words rather than Verilator's."""
        self._said.seek(0)
        lines = [*printed, *self._said.read().decode(errors="replace").splitlines()]
        said = next((line.strip() for line in lines if line.strip()), "it said nothing")
        return ToolError(f"ended with status {self._child.returncode}: {said}", where="simulator")
