"""cocotb test of a generated core: play inputs, record every stream, compare with the golden model.

The environment variable HWGEN_JOB names a JSON file (paths relative to it):

- `manifest`, `vectors` (.npz: samples (N, H, W, C) under the name of each port and tap; a port or tap
  without an entry is recorded but not compared), `result` (the file to write);
- `gates`: {port: {go, stop, seed}} for every port that is no tap (see stream_source.v);
- `stuck_after`: clocks without any transfer after which the core counts as stuck;
- `reset_after`: null, or a clock in which the core is reset in the middle of its work, to start anew;
- `drain`: clocks to wait after the last word for words too many;
- `dump`: null, or [first, last] clock of a waveform (a build with tracing).

Nothing runs in Python clock by clock: players and recorders are Verilog (hundreds of thousands of
clocks a second), this test looks at them now and then. It ends at the first difference.
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
from cocotb.triggers import First, RisingEdge, Timer
from records import Port, Recorded, pack

PERIOD = 10  # ns; an arbitrary unit of time
ERRORS = {1: "valid was withdrawn before ready", 2: "payload changed while it waited", 3: "unknown bits (X)"}
_LOOK_SECONDS = 0.3  # wall time between two looks at the recorders


@cocotb.test()
async def bench_core(dut: Any) -> None:
    """One pattern over all samples; writes the result whatever it is."""
    path = Path(os.environ["HWGEN_JOB"])
    job = json.loads(path.read_text())
    manifest = json.loads((path.parent / job["manifest"]).read_text())
    with np.load(path.parent / job["vectors"]) as file:
        vectors = {name: file[name] for name in file.files}
    bench = Bench(dut, manifest, vectors, job)
    await bench.start()
    stuck = await bench.run()
    result = json.dumps(bench.result(stuck), indent=1)
    target = path.parent / job["result"]
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.write_text(result)
    os.replace(temporary, target)


class Bench:
    """The bench shell (module `bench`) seen from Python."""

    def __init__(self, dut: Any, manifest: dict[str, Any], vectors: dict[str, Any], job: dict[str, Any]) -> None:
        self.dut, self.job = dut, job
        self.ports: list[Port] = manifest["ports"]
        # In the order of the layers: the first that differs is the culprit.
        self.streams: list[Port] = [
            *(port for port in self.ports if port["direction"] == "in"),
            *manifest["taps"],
            *(port for port in self.ports if port["direction"] == "out"),
        ]
        self.samples = len(next(vectors[port["name"]] for port in self.ports if port["direction"] == "in"))
        folder = Path.cwd()
        for port in self.ports:
            if port["direction"] == "in":
                (folder / f"{port['name']}.in").write_bytes(pack(port, vectors[port["name"]]))
        self.records = {
            port["name"]: Recorded(port, folder, vectors.get(port["name"]), self.samples) for port in self.streams
        }
        self.seconds = 0.0

    async def start(self) -> None:
        """Set the gates, start the clock, reset in the middle if the job says so."""
        dut = self.dut
        dut.rst.value = 0
        dut.flush.value = 0
        dut.dump.value = 0
        for port in self.ports:
            name = port["name"]
            for field, value in self.job["gates"][name].items():
                self._signal(name, field).value = value
            if port["direction"] == "out":
                self._signal(name, "expect").value = self.records[name].total
        Clock(dut.clk, PERIOD, unit="ns").start(start_high=False)
        if self.job["reset_after"] is not None:
            await Timer(self.job["reset_after"] * PERIOD, unit="ns")
            dut.rst.value = 1
            await Timer(4 * PERIOD, unit="ns")
            dut.rst.value = 0
        await Timer(PERIOD, unit="ns")

    async def run(self) -> dict[str, Any] | None:
        """Clock until all outputs are complete, a difference is seen, or nothing moves any more.

        Returns None, or where it is stuck.
        """
        started = time.monotonic()
        stuck = None
        look = 1000
        if self.job["dump"] is not None:
            await self._dump(*self.job["dump"])
        while True:
            before = time.monotonic()
            finished = bool(self.dut.finished.value)
            if not finished:
                await First(RisingEdge(self.dut.finished), Timer(look * PERIOD, unit="ns"))
                finished = bool(self.dut.finished.value)
            if finished:
                await Timer(self.job["drain"] * PERIOD, unit="ns")
            counts = await self._advance()
            now = int(self.dut.cycle.value)
            if finished or self._wrong():
                break
            last = max(int(self._signal(name, "last").value) for name in counts)
            if now - last > self.job["stuck_after"]:
                stuck = {"cycle": now, "idle": now - last}
                break
            done = sum(counts[p["name"]] for p in self.ports) / sum(self.records[p["name"]].total for p in self.ports)
            print(f"hwgen-progress {done:.4f}", flush=True)
            if time.monotonic() - before < _LOOK_SECONDS:
                look *= 2
        self.seconds = time.monotonic() - started
        return stuck

    async def _dump(self, first: int, last: int) -> None:
        """Write the waveform of the clocks first..last."""
        now = int(self.dut.cycle.value)
        if first > now:
            await Timer((first - now) * PERIOD, unit="ns")
        self.dut.dump.value = 1
        await Timer(max(last - max(first, now), 1) * PERIOD, unit="ns")

    async def _advance(self) -> dict[str, int]:
        """Flush the recorders, read and compare what is new; returns the words of each stream."""
        self.dut.flush.value = 1
        await Timer(1, unit="ns")
        self.dut.flush.value = 0
        counts = {name: int(self._signal(name, "count").value) for name in self.records}
        for name, record in self.records.items():
            record.advance(counts[name])
        return counts

    def _wrong(self) -> bool:
        return any(
            record.mismatch is not None or int(self._signal(name, "error").value)
            for name, record in self.records.items()
        )

    def _signal(self, port: str, field: str) -> Any:
        return getattr(self.dut, f"{port}_{field}")

    def result(self, stuck: dict[str, Any] | None) -> dict[str, Any]:
        """Everything that was seen, as plain data (see hwgen/verify/result.py)."""
        streams = []
        for port in self.streams:
            name, record = port["name"], self.records[port["name"]]
            error = int(self._signal(name, "error").value)
            count = int(self._signal(name, "count").value)
            streams.append(
                {
                    "port": name,
                    "direction": port["direction"],
                    "layer": port["layer"],
                    "tensor": port["tensor"],
                    "words": count,
                    "expected_words": record.total,
                    "last": int(self._signal(name, "last").value) if count else None,
                    "compared": record.compared,
                    "mismatch": record.mismatch,
                    "error": (
                        {"what": ERRORS[error], "cycle": int(self._signal(name, "error_cycle").value)}
                        if error
                        else None
                    ),
                    "starts": record.starts,
                    "ends": record.ends,
                }
            )
        return {
            "samples": self.samples,
            "finished": bool(self.dut.finished.value),
            "cycles": int(self.dut.cycle.value),
            "seconds": self.seconds,
            "stuck": stuck,
            "streams": streams,
        }
