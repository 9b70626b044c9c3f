"""cocotb test of a generated core: play inputs, record every stream, compare with the golden model.

The environment variable HWGEN_JOB names a JSON file (paths relative to it):

- `manifest`; `vectors` (.npz: samples (N, H, W, C) under the name of each port and tap; a port or tap
  without an entry is recorded but not compared); `result` (the file to write, rewritten after each run);
- `runs`, each with `name`; `samples` (so many of the vectors, from the first, around and around);
  `gates`: {port: {go, stop, seed}} for every port that is no tap (see stream_source.v);
  `stuck_after`: clocks without any transfer after which the core counts as stuck;
  `reset_after`: null, or a clock in which the core is reset in the middle of its work, to start anew;
  `drain`: clocks to wait after the last word for words too many;
  `dump`: null, or [first, last] clock of a waveform (a build with tracing).

The first run starts from initial values, the others after a reset. Nothing runs in Python clock by
clock: players and recorders are Verilog (hundreds of thousands of clocks a second), this test looks at
them now and then. It ends with the first run in which anything is wrong.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, First, RisingEdge, Timer
from numpy.typing import NDArray
from records import Port, Recorded, pack

PERIOD = 10  # ns; an arbitrary unit of time
ERRORS = {1: "valid was withdrawn before ready", 2: "payload changed while it waited", 3: "unknown bits (X)"}
_LOOK_SECONDS = 0.3  # wall time between two looks at the recorders
_RESET_CLOCKS = 4


@cocotb.test()
async def bench_core(dut: Any) -> None:
    """All runs of the job; writes the result whatever it is."""
    path = Path(os.environ["HWGEN_JOB"])
    job = json.loads(path.read_text())
    manifest = json.loads((path.parent / job["manifest"]).read_text())
    with np.load(path.parent / job["vectors"]) as file:
        vectors = {name: file[name] for name in file.files}
    longest = max(run["samples"] for run in job["runs"])
    vectors = {name: array[np.arange(longest) % len(array)] for name, array in vectors.items()}
    for port in manifest["ports"]:
        if port["direction"] == "in":
            Path(f"{port['name']}.in").write_bytes(pack(port, vectors[port["name"]]))
    results = []
    for index, settings in enumerate(job["runs"]):
        run = Run(dut, manifest, vectors, settings)
        await run.start(fresh=index == 0)
        await run.play()
        results.append(run.result())
        _write(path.parent / job["result"], json.dumps({"runs": results}, indent=1))
        if run.wrong:
            break


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text)
    os.replace(temporary, path)


class Run:
    """One run on the bench shell (module `bench`)."""

    def __init__(
        self, dut: Any, manifest: dict[str, Any], vectors: dict[str, NDArray], settings: dict[str, Any]
    ) -> None:
        self.dut, self.settings = dut, settings
        self.samples: int = settings["samples"]
        self.ports: list[Port] = manifest["ports"]
        # In the order of the layers: the first that differs is the culprit.
        self.streams: list[Port] = [
            *(port for port in self.ports if port["direction"] == "in"),
            *manifest["taps"],
            *(port for port in self.ports if port["direction"] == "out"),
        ]
        self.records: dict[str, Recorded] = {}
        for port in self.streams:
            expected = vectors.get(port["name"])
            expected = None if expected is None else expected[: self.samples]
            self.records[port["name"]] = Recorded(port, Path.cwd(), expected, self.samples)
        self.stuck: dict[str, int] | None = None
        self.seconds = 0.0

    async def start(self, fresh: bool) -> None:
        """Set the gates; start the clock, or reset what ran before; reset in the middle if asked to."""
        dut = self.dut
        if fresh:
            dut.rst.value = 0
            dut.flush.value = 0
            dut.dump.value = 0
        for port in self.ports:
            name = port["name"]
            for field, value in self.settings["gates"][name].items():
                self._signal(name, field).value = value
            self._signal(name, "limit" if port["direction"] == "in" else "expect").value = self.records[
                name
            ].total
        if fresh:
            Clock(dut.clk, PERIOD, unit="ns").start(start_high=False)
        else:
            await self._reset()
        if self.settings["reset_after"] is not None:
            await Timer(self.settings["reset_after"] * PERIOD, unit="ns")
            await self._reset()
        await Timer(1, unit="ns")

    async def _reset(self) -> None:
        self.dut.rst.value = 1
        await Timer(_RESET_CLOCKS * PERIOD, unit="ns")
        self.dut.rst.value = 0

    async def play(self) -> None:
        """Clock until all outputs are complete, a difference is seen, or nothing moves any more."""
        started = time.monotonic()
        look = 1000
        if self.settings["dump"] is not None:
            await self._dump(*self.settings["dump"])
        while True:
            before = time.monotonic()
            finished = bool(self.dut.finished.value)
            if not finished:
                await First(RisingEdge(self.dut.finished), Timer(look * PERIOD, unit="ns"))
                finished = bool(self.dut.finished.value)
            if finished:
                await Timer(self.settings["drain"] * PERIOD, unit="ns")
            counts = await self._advance()
            if finished or self.wrong:
                break
            now = int(self.dut.cycle.value)
            last = max(int(self._signal(name, "last").value) for name in counts)
            if now - last > self.settings["stuck_after"]:
                self.stuck = {"cycle": now, "idle": now - last}
                break
            total = sum(self.records[port["name"]].total for port in self.ports)
            done = sum(counts[port["name"]] for port in self.ports) / total
            print(f"hwgen-progress {self.settings['name']} {done:.4f}", flush=True)
            if time.monotonic() - before < _LOOK_SECONDS:
                look *= 2
        self.seconds = time.monotonic() - started

    async def _dump(self, first: int, last: int) -> None:
        """Write the waveform of the clocks first..last."""
        now = int(self.dut.cycle.value)
        if first > now:
            await Timer((first - now) * PERIOD, unit="ns")
        self.dut.dump.value = 1
        await Timer(max(last - max(first, now), 1) * PERIOD, unit="ns")

    async def _advance(self) -> dict[str, int]:
        """Flush the recorders, read and compare what is new; returns the words of each stream."""
        # Counted first: a word of this very clock may be written after the flush.
        counts = {name: int(self._signal(name, "count").value) for name in self.records}
        # Away from the clock's rising edge: nothing is written while the recorders are read.
        await FallingEdge(self.dut.clk)
        self.dut.flush.value = 1
        await Timer(1, unit="ns")
        self.dut.flush.value = 0
        for name, record in self.records.items():
            record.advance(counts[name])
        return counts

    @property
    def wrong(self) -> bool:
        """Whether there is anything that the run must not show."""
        return self.stuck is not None or any(
            record.mismatch is not None
            or int(self._signal(name, "error").value)
            or int(self._signal(name, "count").value) > record.total
            for name, record in self.records.items()
        )

    def _signal(self, port: str, field: str) -> Any:
        return getattr(self.dut, f"{port}_{field}")

    def result(self) -> dict[str, Any]:
        """Everything that was seen, as plain data (read by hwgen/verify/result.py)."""
        return {
            "name": self.settings["name"],
            "samples": self.samples,
            "finished": bool(self.dut.finished.value),
            "cycles": int(self.dut.cycle.value),
            "seconds": self.seconds,
            "stuck": self.stuck,
            "streams": [self._stream(port) for port in self.streams],
        }

    def _stream(self, port: Port) -> dict[str, Any]:
        name, record = port["name"], self.records[port["name"]]
        error = int(self._signal(name, "error").value)
        count = int(self._signal(name, "count").value)
        cycle = int(self._signal(name, "error_cycle").value)
        return {
            "port": name,
            "direction": port["direction"],
            "layer": port["layer"],
            "tensor": port["tensor"],
            "words": count,
            "expected_words": record.total,
            "last": int(self._signal(name, "last").value) if count else None,
            "compared": record.compared,
            "mismatch": record.mismatch,
            "error": {"what": ERRORS[error], "cycle": cycle} if error else None,
            "starts": record.starts,
            "ends": record.ends,
        }
