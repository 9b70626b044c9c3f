"""The runner's side: what EEMBC's program does with a device, for accuracy and for performance.

Accuracy: each input once; the share of those whose largest result is their label. Performance: five inputs,
each inferred so often that ten seconds pass; the median of the five rates.
Source: mlcommons/tiny, benchmark/runner, and its submission rules.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hwgen.mlperf.dut import TERMINATOR
from hwgen.runtime.serialport import Transport
from hwgen.support.errors import LinkError
from hwgen.support.progress import Progress, silent

PIECE = 31  # bytes of a `db` command: with its digits as much as a device's 80 characters hold
WINDOWS, SECONDS, WARMUPS = 5, 10.0, 10
_MESSAGE = re.compile(r"m-(model|profile|name-dut|results)-\[(.*)\]")
_LAP = re.compile(r"m-lap-us-(\d+)")
_LONGEST = 1 << 16  # bytes of a line


@dataclass(frozen=True)
class Inferred:
    """What an `infer` answered. microseconds: between its two time stamps."""

    results: tuple[float, ...]
    microseconds: int


@dataclass(frozen=True)
class Accuracy:
    """right of total; results: of each input."""

    right: int
    total: int
    results: tuple[tuple[float, ...], ...]

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.right / self.total if self.total else 0.0


class Runner:
    """A runner at a port. timeout: longest silence before an answer's next line, in seconds."""

    def __init__(self, port: Transport, *, timeout: float = 5.0) -> None:
        self.port, self.timeout = port, timeout
        self._received = b""

    def command(self, text: str, timeout: float | None = None) -> list[str]:
        """Lines that a command is answered with, but for m-ready. LinkError: an error, or no answer."""
        self.port.write(text.encode() + TERMINATOR)
        lines = []
        while (line := self._line(text, self.timeout if timeout is None else timeout)) != "m-ready":
            lines.append(line)
        for line in lines:
            if line.startswith("e-["):
                raise LinkError(f"the device says {line} to {text[:40]!r}", where=self.port.name)
        return lines

    def identify(self) -> dict[str, str]:
        """name, profile and model; what the device said before is passed over."""
        while self.port.read(0.05):
            pass
        self._received = b""
        lines = self.command("name") + self.command("profile")
        found = (match for line in lines if (match := _MESSAGE.fullmatch(line)))
        return {match[1].removesuffix("-dut"): match[2] for match in found}

    def load(self, data: bytes) -> None:
        """An input into the device's buffer."""
        self.command(f"db load {len(data)}")
        pieces = [data[at : at + PIECE] for at in range(0, len(data), PIECE)]
        answers = [self.command(f"db {piece.hex()}") for piece in pieces]
        if "m-load-done" not in answers[-1]:
            raise LinkError(f"{len(data)} bytes were not all loaded", where=self.port.name)

    def infer(self, count: int = 1, warmups: int = 0, timeout: float | None = None) -> Inferred:
        """`count` inferences of what was loaded. LinkError: an answer without results or time stamps."""
        lines = self.command(f"infer {count} {warmups}", timeout)
        laps = [int(match[1]) for line in lines if (match := _LAP.fullmatch(line))]
        results = [m[2] for line in lines if (m := _MESSAGE.fullmatch(line)) and m[1] == "results"]
        if len(laps) != 2 or len(results) != 1:
            raise LinkError(f"not the answer to an infer: {' '.join(lines)[:200]}", where=self.port.name)
        try:
            values = tuple(float(value) for value in results[0].split(","))
        except ValueError as error:
            raise LinkError(f"no results: {results[0][:80]!r}", where=self.port.name) from error
        return Inferred(values, laps[1] - laps[0])

    def accuracy(
        self, inputs: Sequence[bytes], labels: Iterable[int], progress: Progress = silent
    ) -> Accuracy:
        """One inference each. For classifiers."""
        results, right = [], 0
        for data, label in zip(inputs, labels, strict=True):
            self.load(data)
            values = self.infer().results
            results.append(values)
            right += values.index(max(values)) == label
            progress("accuracy", len(results) / len(inputs))
        return Accuracy(right, len(results), tuple(results))

    def performance(
        self, inputs: Sequence[bytes], *, seconds: float = SECONDS, progress: Progress = silent
    ) -> list[float]:
        """Inferences a second of each of the first five inputs; their median is the result.

        How often each is inferred comes from a short run before. seconds: that each is to take by the
        device's own time.
        """
        self.load(inputs[0])
        once = self.infer(WARMUPS, 0)
        count = max(WARMUPS, -(-round(seconds * 1e6) * WARMUPS // max(once.microseconds, 1)))
        rates = []
        for number in range(WINDOWS):
            self.load(inputs[number % len(inputs)])
            # the device's time need not be ours: a simulated board is slow
            taken = self.infer(count, WARMUPS, timeout=max(self.timeout, 3600.0))
            rates.append(count * 1e6 / max(taken.microseconds, 1))
            progress("performance", (number + 1) / WINDOWS)
        return rates

    def _line(self, text: str, timeout: float) -> str:
        until = self.port.now() + timeout
        while b"\n" not in self._received:
            data = self.port.read(0.1)
            self._received += data
            if self.port.now() > until or len(self._received) > _LONGEST:
                raise LinkError(
                    f"no answer to {text[:40]!r} for {timeout:g} s", where=self.port.name,
                    hint="is it the device under test?",
                )  # fmt: skip
        line, self._received = self._received.split(b"\n", 1)
        return line.decode("ascii", "replace").strip()


def median(rates: Sequence[float]) -> float:
    """Of a performance run."""
    return statistics.median(rates)
