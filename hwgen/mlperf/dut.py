"""The device under test as the EEMBC runner sees it: commands that end in %, lines that end in CR LF.

    name%                m-name-dut-[<name>]
    profile%             m-profile-[<firmware>] and m-model-[<task>]
    timestamp%           m-lap-us-<microseconds>
    db load <n>%         m-[Expecting <n> bytes]
    db <hex digits>%     bytes of the buffer; with its last one m-load-done
    db print%            m-buffer-xx-xx-..., eight bytes a line
    infer <n> [<w>]%     m-warmup-start-<w>, m-warmup-done, m-infer-start-<n>, m-lap-us-..., m-lap-us-...,
                         m-infer-done, and the results
    results%             m-results-[<x>,<x>,...], three decimals each
    help%                lines for people

Every command ends with m-ready. What cannot be done is told as e-[...]. At start the device says
m-timestamp-mode-performance, m-lap-us-<microseconds>, m-init-done, m-ready.
Source: mlcommons/tiny, benchmark/api (the commands and messages; the wording of errors is not fixed).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hwgen.mlperf.clocks import Clock
from hwgen.mlperf.task import Model
from hwgen.support.errors import HwgenError

PROFILE = "ULPMark for tinyML Firmware V0.0.1"
TERMINATOR = b"%"
WARMUPS = 10  # of an `infer` that names none
_LONGEST = 1 << 16  # bytes of a command: beyond that it is noise
_LINE = 8  # bytes of the buffer that `db print` puts into a line
_HELP = (
    "name: who is there",
    "profile: firmware and model",
    "timestamp: microseconds",
    "db load N, then db HH[HH]*: an input of N bytes",
    "db print: what is in the buffer",
    "infer N [W=10]: N inferences after W to warm up",
    "results: of the last inference",
)


class Runs(Protocol):
    """What infers: a `hwgen.Device`."""

    def run(self, x: NDArray) -> NDArray:
        """The model's output of one input."""


class Dut:
    """Answers commands. say: takes each line. device: what infers; its failures are told, not raised."""

    def __init__(
        self, name: str, model: Model, device: Runs, clock: Clock, say: Callable[[str], None]
    ) -> None:
        self.name, self.model, self.device, self.clock, self.say = name, model, device, clock, say
        self._command = b""
        self._buffer = b""
        self._wanted = 0
        self._results: list[float] | None = None

    def start(self) -> None:
        """What a device says when its power comes on."""
        self.say("m-timestamp-mode-performance")
        self._lap()
        self.say("m-init-done")
        self.say("m-ready")

    def receive(self, data: bytes) -> None:
        """Bytes of the runner; every command that is complete is done."""
        *complete, rest = (self._command + data).split(TERMINATOR)
        for command in complete:
            self._do(command)
        self._command = rest[-_LONGEST:]

    def _do(self, command: bytes) -> None:
        words = command.decode("ascii", "replace").split()
        verbs = {
            "name": self._name,
            "profile": self._profile,
            "timestamp": lambda _: self._lap(),
            "help": lambda _: [self.say(line) for line in _HELP],
            "db": self._db,
            "infer": self._infer,
            "results": lambda _: self._say_results(),
        }
        try:
            verbs[words[0]](words[1:]) if words and words[0] in verbs else self._error(
                f"Unknown command: {' '.join(words)[:80]}"
            )
        except HwgenError as error:
            self._error(str(error))
        self.say("m-ready")

    def _error(self, what: str) -> None:
        self.say(f"e-[{what.replace('[', '(').replace(']', ')')}]")

    def _lap(self) -> None:
        self.say(f"m-lap-us-{self.clock.microseconds()}")

    def _name(self, words: list[str]) -> None:
        self.say(f"m-name-dut-[{self.name}]")

    def _profile(self, words: list[str]) -> None:
        self.say(f"m-profile-[{PROFILE}]")
        self.say(f"m-model-[{self.model.task.model}]")

    def _db(self, words: list[str]) -> None:
        match words:
            case ["load", count] if (size := _number(count)) is not None and size > 0:
                if size > self.model.task.bytes:
                    self._error(f"{size} bytes are more than the {self.model.task.bytes} of an input")
                    return
                self._buffer, self._wanted = b"", size
                self.say(f"m-[Expecting {size} bytes]")
            case ["load", *_]:
                self._error("Command 'db load' requires the number of bytes")
            case ["print", *_]:
                for at in range(0, len(self._buffer), _LINE):
                    self.say("m-buffer-" + self._buffer[at : at + _LINE].hex("-"))
            case [digits]:
                self._load(digits)
            case _:
                self._error("Command 'db' requires a subcommand")

    def _load(self, digits: str) -> None:
        try:
            data = bytes.fromhex(digits)
        except ValueError:
            self._error(f"Not pairs of hex digits: {digits[:80]}")
            return
        if not self._wanted:
            self._error("Nothing is to be loaded: 'db load' comes first")
            return
        self._buffer = (self._buffer + data)[: self._wanted]  # what is too much is not wanted
        if len(self._buffer) == self._wanted:
            self._wanted = 0
            self.say("m-load-done")

    def _infer(self, words: list[str]) -> None:
        count = _number(words[0]) if words else 1
        warmups = _number(words[1]) if len(words) > 1 else WARMUPS
        if count is None or count < 1 or warmups is None or warmups < 0:
            self._error("Command 'infer' requires inferences > 0 and warmups >= 0")
            return
        x = self.model.enter(self._buffer)
        self.say(f"m-warmup-start-{warmups}")
        for _ in range(warmups):
            self._run(x)
        self.say("m-warmup-done")
        self.say(f"m-infer-start-{count}")
        self._lap()
        for _ in range(count):
            y = self._run(x)
        self._lap()
        self.say("m-infer-done")
        self._results = self.model.leave(self._buffer, y)
        self._say_results()

    def _run(self, x: NDArray[np.int8]) -> NDArray:
        y = self.device.run(x)
        self.clock.inferred()
        return y

    def _say_results(self) -> None:
        if self._results is None:
            self._error("No results: nothing has been inferred")
            return
        self.say(f"m-results-[{','.join(f'{value:.3f}' for value in self._results)}]")


def _number(word: str) -> int | None:
    return int(word) if word.isascii() and word.removeprefix("-").isdigit() and len(word) < 10 else None
