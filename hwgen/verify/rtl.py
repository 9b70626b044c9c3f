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

from hwgen.emit.manifest import Manifest
from hwgen.emit.testbench import bench_verilog
from hwgen.flow import process
from hwgen.support import resources
from hwgen.support.errors import ToolError, UsageError
from hwgen.verify import build
from hwgen.verify.patterns import PATTERNS, Pattern, seed_of
from hwgen.verify.result import PatternResult, RtlMismatch, VerifyResult

_DRAIN = 200  # clocks after the last word in which no further word may come
_TIMEOUT = 7200.0
_LOG = "simulation.log"


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
    files: Mapping[str, bytes] | None = None,
    progress: process.Progress = process.silent,
) -> VerifyResult:
    """Simulate the core and compare every integer of every stream that `expected` knows.

    inputs, expected: (N, H, W, C) integers by tensor name, as `golden.run.execute` takes and gives them;
    outputs must be among `expected`, tensors of taps may be (`execute(..., keep=True)`: every layer).
    files: what the core's models read in the folder where they run, e.g. the contents of a flash.
    The simulator is built in `build_dir` and reused; logs and, after a failure, records stay there.

    RtlMismatch: a difference (layer, pixel, channel, expected, got), a broken stream protocol, a core that
    is stuck, words missing or too many. UsageError: arrays that do not fit. ToolError: a tool failed.
    """
    vectors = _vectors(manifest, inputs, expected)
    build_dir = Path(build_dir)
    if waveform is not None and waveform.path.suffix not in build.FORMATS:
        raise UsageError("a waveform ends in .vcd or .fst", where=str(waveform.path))
    bench = bench_verilog(manifest)
    built = build.build(verilog, bench, build_dir / "simulator", simulator=simulator, progress=progress)
    interval = float(manifest.interval or 0)
    results: list[PatternResult] = []
    # The first pattern measures the pace that the others are relative to.
    for number, batch in enumerate((patterns[:1], patterns[1:])):
        if not batch:
            continue
        run = _Batch(manifest, vectors, batch, build_dir / f"run-{number}", seed, interval, files or {})
        results += run.simulate(built, timeout, _share(progress, len(results), patterns))
        failure = results[-1].failure()
        if failure is not None:
            verdict = VerifyResult(tuple(results), built.label, built.seconds)
            dumped = None
            if waveform is not None and built.name == "verilator":
                progress("building the simulator again, with waveforms", None)
                folder, kind = build_dir / "simulator-trace", waveform.path.suffix
                traced = build.build(verilog, bench, folder, trace=kind, simulator="verilator")
                dumped = run.dump(traced, waveform, results[-1], timeout)
            hint = f"waveform in {dumped}" if dumped else f"streams as simulated in {run.folder}"
            raise RtlMismatch(failure, verdict, waveform=dumped, hint=hint)
        run.clean()
        interval = float(results[0].interval or interval or results[0].latency)
    return VerifyResult(tuple(results), built.label, built.seconds)


class _Batch:
    """Patterns that one simulator process runs: its folder, its job file."""

    def __init__(
        self,
        manifest: Manifest,
        vectors: Mapping[str, NDArray],
        patterns: Sequence[Pattern],
        folder: Path,
        seed: int,
        interval: float,
        files: Mapping[str, bytes],
    ) -> None:
        self.manifest, self.vectors, self.folder, self.seed = manifest, vectors, folder, seed
        self.interval, self.files = interval, files
        self.distinct = len(next(iter(vectors.values())))
        self.job: dict[str, Any] = {
            "manifest": "manifest.json",
            "vectors": "vectors.npz",
            "result": "result.json",
            "runs": [self._run(pattern) for pattern in patterns],
        }

    def _run(self, pattern: Pattern) -> dict[str, Any]:
        gates = {}
        for port in self.manifest.ports:
            gate = pattern.input if port.direction == "in" else pattern.output
            seed = seed_of(self.seed, pattern.name, port.name)
            gates[port.name] = gate.settings(port.beats, self.interval or port.beats, seed)
        # Anywhere in the first two samples, as long as they are under way.
        reset_after = seed_of(self.seed, pattern.name, "reset") % max(int(2 * self.interval), 20) + 5
        return {
            "name": pattern.name,
            "samples": max(min(self.distinct, pattern.samples or self.distinct), pattern.repeat),
            "gates": gates,
            "stuck_after": _patience(self.manifest, self.interval),
            "reset_after": reset_after if pattern.reset else None,
            "drain": _DRAIN,
            "dump": None,
        }

    def simulate(
        self, built: build.Simulator, timeout: float, progress: process.Progress
    ) -> list[PatternResult]:
        """Run the patterns, up to the first that fails; what they showed."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.manifest.write(self.folder / "manifest.json")
        for name, content in self.files.items():
            (self.folder / name).write_bytes(content)
        np.savez(self.folder / "vectors.npz", allow_pickle=False, **self.vectors)
        self._start(built, timeout, progress)
        path = self.folder / self.job["result"]
        runs = json.loads(path.read_text())["runs"] if path.is_file() else []
        results = [PatternResult.of(data, self.seed, self.distinct) for data in runs]
        if not results or (len(results) < len(self.job["runs"]) and results[-1].failure() is None):
            log = self.folder / _LOG
            raise ToolError(_last_error(log), where=built.name, hint=f"its log is {log}")
        return results

    def dump(self, built: build.Simulator, waveform: Waveform, failed: PatternResult, timeout: float) -> str:
        """Run up to the failure again with a simulator that traces; the waveform's path."""
        cycle = failed.failure_cycle
        for run in self.job["runs"]:
            if run["name"] == failed.pattern:
                run["dump"] = [max(cycle - waveform.before, 1), cycle + waveform.after]
        self._start(built, timeout, process.silent)
        written = self.folder / f"{build.WAVEFORM}{waveform.path.suffix}"
        if not written.is_file():
            raise ToolError("wrote no waveform", where=built.name, hint=f"its log is {self.folder / _LOG}")
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
        argv += ["--simulator", built.name, "--seed", str(self.seed & 0x7FFFFFFF)]
        names = [run["name"] for run in self.job["runs"]]

        def on_line(line: str) -> None:
            words = line.split()
            if len(words) == 3 and words[0] == "hwgen-progress" and words[1] in names:
                done = (names.index(words[1]) + min(float(words[2]), 1.0)) / len(names)
                progress(f"simulating: {words[1]}", done)

        process.run(
            argv,
            tool=built.name,
            cwd=self.folder,
            log=self.folder / _LOG,
            timeout=timeout,
            env=env,
            on_line=on_line,
        )


def _share(progress: process.Progress, before: int, patterns: Sequence[Pattern]) -> process.Progress:
    """Progress of one batch as a part of the whole: the first pattern, or all that follow it."""
    part = 1 if before == 0 else len(patterns) - before

    def report(what: str, fraction: float | None) -> None:
        progress(what, None if fraction is None else (before + fraction * part) / len(patterns))

    return report


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


def _last_error(log: Path) -> str:
    """What a test that ended without a result said last."""
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    for line in reversed(lines):
        text = line.strip()
        if "Error" in text and "TESTS=" not in text:
            return text[-300:]
    return f"the simulation ended without a result{os.linesep if not lines else ': ' + lines[-1].strip()}"
