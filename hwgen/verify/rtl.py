"""Verilog against the golden model, integer for integer, under random gaps and back-pressure."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwgen.emit.manifest import Manifest, StreamPort
from hwgen.emit.testbench import bench_verilog
from hwgen.flow import process
from hwgen.support import resources
from hwgen.support.errors import ToolError, UsageError
from hwgen.verify import build
from hwgen.verify.patterns import PATTERNS, Pattern, seed_of
from hwgen.verify.result import PatternResult, RtlMismatch, VerifyResult

_DRAIN = 200  # clocks after the last word in which no further word may come
_TIMEOUT = 7200.0


@dataclass(frozen=True)
class Waveform:
    """Where to write a waveform if something is wrong, and how many clocks before and after it.

    path: ends in .vcd or .fst.
    """

    path: Path
    before: int = 300
    after: int = 50


def verify_rtl(
    verilog: Sequence[Path],
    manifest: Manifest,
    inputs: Mapping[str, NDArray],
    expected: Mapping[str, NDArray],
    build_dir: Path,
    *,
    seed: int = 1,
    patterns: Sequence[Pattern] = PATTERNS,
    waveform: Waveform | None = None,
    simulator: str | None = None,
    timeout: float = _TIMEOUT,
    progress: process.Progress = process.silent,
) -> VerifyResult:
    """Simulate the core and compare every integer of every stream that `expected` knows.

    inputs, expected: (N, H, W, C) integers by tensor name, as `golden.run.execute` takes and gives them;
    outputs must be among `expected`, tensors of taps may be (`execute(..., keep=True)`: every layer).
    The simulator is built in `build_dir` and reused; logs and, after a failure, records stay there.

    RtlMismatch: a difference (layer, pixel, channel, expected, got), a broken stream protocol, a core that
    is stuck, words missing or too many. UsageError: arrays that do not fit. ToolError: a tool failed.
    """
    vectors = _vectors(manifest, inputs, expected)
    build_dir = Path(build_dir)
    bench = bench_verilog(manifest)
    if waveform is not None and waveform.path.suffix not in build.FORMATS:
        raise UsageError("a waveform ends in .vcd or .fst", where=str(waveform.path))
    built = build.build(verilog, bench, build_dir / "simulator", simulator=simulator, progress=progress)
    interval = float(manifest.interval or 0)
    results: list[PatternResult] = []
    for index, pattern in enumerate(patterns):

        def report(what: str, fraction: float | None, done: int = index) -> None:
            progress(what, None if fraction is None else (done + fraction) / len(patterns))

        run = _Run(manifest, pattern, vectors, build_dir / "run" / pattern.name, seed, interval, results)
        result = run.simulate(built, timeout, report)
        results.append(result)
        interval = float(result.interval or interval or result.latency)
        failure = result.failure()
        if failure is not None:
            verdict = VerifyResult(tuple(results), built.label, built.seconds)
            dumped = None
            if waveform is not None and built.name == "verilator":
                progress("building the simulator again, with waveforms", None)
                traced = build.build(
                    verilog, bench, build_dir / "simulator-trace", trace=waveform.path.suffix, simulator="verilator"
                )
                dumped = run.dump(traced, waveform, _cycle_of(result), timeout)
            hint = f"waveform in {dumped}" if dumped else f"streams as simulated in {run.folder}"
            raise RtlMismatch(failure, verdict, waveform=dumped, hint=hint)
        run.clean()
    return VerifyResult(tuple(results), built.label, built.seconds)


class _Run:
    """One pattern: its folder, its job file, its process."""

    def __init__(
        self,
        manifest: Manifest,
        pattern: Pattern,
        vectors: Mapping[str, NDArray],
        folder: Path,
        seed: int,
        interval: float,
        before: Sequence[PatternResult],
    ) -> None:
        self.manifest, self.pattern, self.folder, self.seed = manifest, pattern, folder, seed
        count = len(next(iter(vectors.values())))
        self.distinct = min(count, pattern.samples or count)
        chosen = np.arange(max(self.distinct, pattern.repeat)) % self.distinct
        self.vectors = {name: array[chosen] for name, array in vectors.items()}
        latency = before[0].latency if before else int(interval)
        reset_after = seed_of(seed, pattern.name, "reset") % max(int(latency + interval), 20) + 5
        self.job: dict[str, Any] = {
            "manifest": "manifest.json",
            "vectors": "vectors.npz",
            "result": "result.json",
            "gates": {port.name: self._gate(port, interval) for port in manifest.ports},
            "stuck_after": _patience(manifest, interval),
            "reset_after": reset_after if pattern.reset else None,
            "drain": _DRAIN,
            "dump": None,
        }

    def _gate(self, port: StreamPort, interval: float) -> dict[str, int]:
        gate = self.pattern.input if port.direction == "in" else self.pattern.output
        return gate.settings(port.beats, interval or port.beats, seed_of(self.seed, self.pattern.name, port.name))

    def simulate(self, built: build.Simulator, timeout: float, progress: process.Progress) -> PatternResult:
        """Run it and read what it saw."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.manifest.write(self.folder / "manifest.json")
        np.savez(self.folder / "vectors.npz", **self.vectors)
        self._start(built, timeout, progress)
        path = self.folder / self.job["result"]
        if not path.is_file():
            log = self.folder / "simulation.log"
            raise ToolError(_last_error(log), where=built.name, hint=f"its log is {log}")
        return PatternResult.of(self.pattern.name, self.seed, self.distinct, json.loads(path.read_text()))

    def dump(self, built: build.Simulator, waveform: Waveform, cycle: int, timeout: float) -> str:
        """Run it again with a simulator that traces; the waveform's path."""
        self.job["dump"] = [max(cycle - waveform.before, 1), cycle + waveform.after]
        self._start(built, timeout, process.silent)
        written = self.folder / f"{build.WAVEFORM}{waveform.path.suffix}"
        if not written.is_file():
            raise ToolError("wrote no waveform", where=built.name, hint=f"its log is in {self.folder}")
        waveform.path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(written, waveform.path)
        return str(waveform.path)

    def clean(self) -> None:
        """Remove what nobody needs after a success; job, log and result stay."""
        for pattern in ("*.rec", "*.in", "vectors.npz", "results.xml"):
            for path in self.folder.glob(pattern):
                path.unlink()

    def _start(self, built: build.Simulator, timeout: float, progress: process.Progress) -> None:
        job = self.folder.resolve() / "job.json"
        job.write_text(json.dumps(self.job, indent=1))
        env = {**built.env, "HWGEN_JOB": str(job), "COCOTB_ANSI_OUTPUT": "0", "COCOTB_LOG_LEVEL": "INFO"}
        env.pop("PYTEST_CURRENT_TEST", None)
        argv = [sys.executable, str(resources.folder("sim") / "run.py"), str(built.folder.resolve()), "."]
        argv += ["--simulator", built.name, "--seed", str(seed_of(self.seed, self.pattern.name) & 0x7FFFFFFF)]

        def on_line(line: str) -> None:
            if line.startswith("hwgen-progress "):
                progress(f"simulating: {self.pattern.name}", min(float(line.split()[1]), 1.0))

        log = self.folder / "simulation.log"
        process.run(argv, tool=built.name, cwd=self.folder, log=log, timeout=timeout, env=env, on_line=on_line)


def _vectors(
    manifest: Manifest, inputs: Mapping[str, NDArray], expected: Mapping[str, NDArray]
) -> dict[str, NDArray]:
    """Arrays by port name, checked against the manifest."""
    vectors: dict[str, NDArray] = {}
    samples: int | None = None
    for port in (*manifest.ports, *manifest.taps):
        given = inputs if port.direction == "in" else expected
        if port.tensor not in given:
            if port.direction == "tap":
                continue
            raise UsageError(f"no integers for tensor {port.tensor}", where=port.name)
        array = np.asarray(given[port.tensor])
        if array.shape[1:] != port.shape or array.ndim != 4 or len(array) < 1:
            raise UsageError(f"integers must be (N, {port.shape}), not {array.shape}", where=port.name)
        if samples is not None and len(array) != samples:
            raise UsageError(f"{len(array)} samples where others have {samples}", where=port.name)
        samples = len(array)
        if array.min() < port.range.lo or array.max() > port.range.hi:
            raise UsageError(f"integers {array.min()}..{array.max()} leave {port.range}", where=port.name)
        vectors[port.name] = array.astype(np.int64)
    if not manifest.inputs or not manifest.outputs:
        raise UsageError("a core needs a stream in and a stream out", where="manifest")
    return vectors


def _patience(manifest: Manifest, interval: float) -> int:
    """Clocks without a transfer after which the core counts as stuck.

    A core that works moves a word at least once an interval, and gates stretch that by less than 8.
    Where the interval is not known, a dense layer may be silent for its multiplications, one a clock.
    """
    guess = interval or float(sum(layer.macs for layer in manifest.layers)) or 2000.0
    return int(8 * guess) + 2000


def _cycle_of(result: PatternResult) -> int:
    """The clock to look at in a waveform."""
    cycles = [int(s.mismatch["cycle"]) for s in result.streams if s.mismatch is not None]
    cycles += [int(s.error["cycle"]) for s in result.streams if s.error is not None]
    if cycles:
        return min(cycles)
    return max((s.last for s in result.streams if s.last is not None), default=result.cycles)


def _last_error(log: Path) -> str:
    """What a test that ended without a result said last."""
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    for line in reversed(lines):
        text = line.strip()
        if "Error" in text and "TESTS=" not in text:
            return text[-300:]
    return f"the simulation ended without a result{os.linesep if not lines else ': ' + lines[-1].strip()}"
