"""A network planned for a board: the stages that all engines share.

Each stage writes what it made into the build folder; report.json gains what each one learnt:

    design.json  <model file>                    how to make this design again (`pipeline.reopen`)
    manifest.json  rtl/<name>.v  ...             generate
    verify/        certificate.json              verify
    pnr/           <name>.bit                    build
    report.json    report.txt
"""

from __future__ import annotations

import hashlib
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hwgen import report
from hwgen.emit import board_top
from hwgen.emit.board_frame import BoardFrame
from hwgen.emit.driver import Traffic, write_driver
from hwgen.emit.manifest import Manifest
from hwgen.emit.verilog import identifier
from hwgen.flow import autoclock, pnr, synth
from hwgen.flow.board import AUTO, Board
from hwgen.flow.placement import PLACEMENT
from hwgen.net import Net
from hwgen.numeric.rounding import Ints
from hwgen.runtime.link import BAUD, IDLE_SECONDS
from hwgen.support.errors import FitError, UsageError
from hwgen.support.files import copy_atomic, write_atomic
from hwgen.support.progress import Progress, silent
from hwgen.verify import certificate
from hwgen.verify.result import VerifyResult

RECORD = "design.json"
SCHEMA = 1


@dataclass(frozen=True)
class Options:
    """What was asked for, beside model and board; None: the engine's or the chip family's own value.

    fps: inferences per second. clock: MHz, or AUTO: the chip family's, until `build` has found the fastest
    that timing allows. fill: share of the LUTs that may be used. baud: of the link. patchable: other
    weights may take the place of these in the finished bitstream (`hwgen.patch`). profile: count what every
    unit spends its clocks on (`hwgen.profile`).
    """

    engine: str = "stream"
    fps: float | None = None
    clock: float | str | None = None
    fill: float | None = None
    baud: float = BAUD
    patchable: bool = False
    profile: bool = False


@dataclass(frozen=True)
class Proof:
    """What a simulation compared. files: what was run, for the certificate. facts: for the report."""

    result: VerifyResult
    manifest: Manifest
    files: Sequence[Path]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """A routed top. clock_mhz: asked for. folder: where it was made."""

    clock_mhz: float
    top: BoardFrame
    folder: Path
    synthesis: synth.Synthesis
    routed: pnr.Routed


@dataclass(frozen=True)
class Simulation:
    """How to simulate: seed of stalls, a waveform of the first mismatch or none, which simulator."""

    seed: int = 0
    waveform: bool = False
    simulator: str | None = None


@dataclass(eq=False)
class Design(ABC):
    """See the module. clock_mhz: wanted; the board's PLL makes the nearest that is not above it."""

    net: Net
    board: Board
    options: Options
    clock_mhz: float
    folder: Path
    progress: Progress = field(default=silent, repr=False)

    samples: ClassVar[int] = 4  # random inputs of a `verify` that is given none

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the core's module."""

    @property
    @abstractmethod
    def content(self) -> bytes:
        """What the hardware is, as bytes: a report of other bytes is outdated."""

    @abstractmethod
    def top(
        self, *, baud: float | None = None, idle_seconds: float = IDLE_SECONDS, pll: bool = True
    ) -> BoardFrame:
        """The whole design on the board. baud: of the link, that of the options if None; idle_seconds: see
        `runtime.link`."""

    @property
    def image(self) -> bytes | None:
        """What is in the board's flash from `Flash.image` on, None if that is never read."""
        return None

    @abstractmethod
    def manifest(self) -> Manifest:
        """What the core's ports carry."""

    @abstractmethod
    def traffic(self) -> Traffic:
        """What a host must know beside it."""

    @abstractmethod
    def write(self) -> None:
        """Write Verilog, manifest and what else there is before simulation."""

    @abstractmethod
    def simulate(self, inputs: dict[str, Ints], stages: bool, how: Simulation) -> Proof:
        """Compare hardware and golden model on `inputs`; MismatchError at the first difference."""

    @abstractmethod
    def predicted(self) -> dict[str, Any]:
        """What is known before anything is simulated or synthesised: cycles_per_inference,
        initiation_interval, resources, layers, and what else the engine has to say in report.json."""

    @abstractmethod
    def regions(self) -> dict[str, str]:
        """Parts whose resources are counted: name in the report to its place in the top's hierarchy."""

    @abstractmethod
    def place(self, cell: Sequence[str]) -> str:
        """Which part of the design a cell of the top belongs to, by its hierarchical name; "" for none."""

    def workshop(self, top: str, clock_hz: float, seed: int) -> Path:
        """Where the bitstream of the RTLIL `top` is made."""
        return self.folder / "pnr"

    def generate(self) -> dict[str, Any]:
        """Write everything that comes before simulation; returns the report so far."""
        self.write()
        write_driver(self.folder, self.manifest(), self.traffic())
        self._record()
        return self._report({})

    def verify(
        self,
        x: NDArray | dict[str, NDArray] | None = None,
        *,
        samples: int | None = None,
        stages: bool = False,
        seed: int = 0,
        waveform: bool = False,
        simulator: str | None = None,
    ) -> dict[str, Any]:
        """Simulate the Verilog under random gaps and back-pressure against the golden model.

        x: the model's own inputs, batch first; random over the full range (extremes first) if None.
        stages: compare every layer's tensor. Returns the report; MismatchError at the first difference.
        """
        if samples is not None and not 1 <= samples <= 1_000_000:
            raise UsageError(f"--samples must be 1 to 1,000,000, not {samples}")
        inputs = self.net.random_inputs(samples or self.samples, seed) if x is None else self.net.enter(x)
        inputs = {name: values[:samples] for name, values in inputs.items()}
        if not len(next(iter(inputs.values()))):
            raise UsageError("no inputs to verify with")
        self.generate()
        proof = self.simulate(inputs, stages, Simulation(seed, waveform, simulator))
        level = certificate.rtl_level(proof.result)
        used = {"simulator": proof.result.simulator, "python-numpy": np.__version__}
        paper = certificate.certificate(proof.manifest, proof.files, [level], used)
        certificate.write(self.folder / "certificate.json", paper)
        exact = {
            "levels": [self.net.graph.runtime, "golden", "rtl"],
            "samples": level.samples,
            "integers": level.compared,
            "mismatches": 0,
            "stages": stages,
        }
        return self._report({"exact": exact, **proof.facts})

    def patched(self, built: dict[str, Any]) -> dict[str, Any]:
        """`generate`, where another design's report has what was measured of this very hardware."""
        self.generate()
        return self._report({key: built[key] for key in _ROUTED if key in built})

    def build(self, *, seed: int = 1) -> dict[str, Any]:
        """Synthesise, place, route and pack the whole board top; returns the report.

        With the clock AUTO it is routed up to three times, and clock_mhz is the fastest clock that one of
        them reaches. FitError when it does not fit, or misses the clock that its PLL makes: then there is no
        bitstream.
        """
        self.generate()
        made = self._fastest(seed) if self.options.clock == AUTO else self._routed(self.clock_mhz, seed)
        top, synthesis, routed = made.top, made.synthesis, made.routed
        family, regions = self.board.toolchain, self.regions()
        bitstream = (self.folder / family.bitstream).with_stem(self.name)
        bitstream.unlink(missing_ok=True)
        budget = self.board.budget.as_dict()
        news = {
            "fmax_mhz": round(routed.fmax_mhz, 2),
            "clock_mhz": round(top.clock_hz / 1e6, 4),
            "resources": {
                key: {"used": routed.resources.get(key, 0), "available": budget[key]}
                for key in report.RESOURCES
            },
            "layer_resources": {name: synthesis.regions[path] for name, path in regions.items()},
            **self._path(routed),
            "seed": seed,
            "bitstream": None,
        }
        if routed.fmax_mhz < top.clock_hz / 1e6:
            self._report(news)
            raise FitError(
                f"routed at {routed.fmax_mhz:.1f} MHz, below its clock of {top.clock_hz / 1e6:g} MHz",
                where=self.board.name,
                hint=f"give --clock {int(routed.fmax_mhz)}, or another --seed",
            )
        packed = pnr.pack(routed.config, made.folder, family, progress=self.progress)
        for target in {self.folder / "pnr" / family.bitstream, bitstream} - {packed}:
            copy_atomic(packed, target)
        if routed.placement != self.folder / "pnr" / PLACEMENT:
            copy_atomic(routed.placement, self.folder / "pnr" / PLACEMENT)
        return self._report({**news, "bitstream": bitstream.name})

    def _routed(self, clock_mhz: float, seed: int, folder: Path | None = None) -> Made:
        """The top for a clock, placed and routed. folder: where, if not in the workshop."""
        self.clock_mhz = clock_mhz
        top = self.top()
        self.progress("writing the board's top", None)
        text = board_top.to_rtlil(top)
        folder = folder or self.workshop(text, top.clock_hz, seed)
        write_atomic(folder / "top.il", text)
        synthesis = synth.synthesise(
            [folder / "top.il"], board_top.TOP, self.board.family, folder,
            regions=list(self.regions().values()), progress=self.progress,
        )  # fmt: skip
        pnr.check_fit(synthesis.resources, self.board)
        routed = pnr.place_and_route(
            synthesis.netlist, self.board, folder, freq_mhz=top.clock_hz / 1e6, seed=seed,
            flash=top.has_flash, progress=self.progress,
        )  # fmt: skip
        return Made(clock_mhz, top, folder, synthesis, routed)

    def _fastest(self, seed: int) -> Made:
        """The top for the fastest clock that timing allows; every routing has a folder of its own, in which
        it is found again, and the best one is copied to where a single one would be."""

        def route(clock_hz: float) -> tuple[autoclock.Trial, Made]:
            made = self._routed(clock_hz / 1e6, seed, self.folder / "clock" / f"{clock_hz / 1e6:g}")
            trial = autoclock.Trial(made.top.clock_hz, made.routed.fmax_mhz * 1e6)
            self.progress(f"routed for {trial.clock_hz / 1e6:g} MHz: {made.routed.fmax_mhz:.1f} MHz", None)
            return trial, made

        _, made = autoclock.search(route, self.clock_mhz * 1e6, self.board, self.options.baud)
        folder = self.folder / "pnr"
        shutil.copytree(made.folder, folder, dirs_exist_ok=True)
        self.clock_mhz = made.clock_mhz
        write_driver(self.folder, self.manifest(), self.traffic())
        self._record()
        paths = {key: folder / getattr(made.routed, key).name for key in ("config", "placement", "log")}
        return replace(made, folder=folder, routed=replace(made.routed, **paths))

    def _path(self, routed: pnr.Routed) -> dict[str, Any]:
        """The critical path in terms of the design's parts, and nanoseconds."""
        steps = report.path_steps(routed.critical_path, self.place)
        places = [place for place, _ in groupby(step["place"] for step in steps)]
        nanoseconds = sum(step["ns"] for step in steps)
        return {
            "critical_path": f"{nanoseconds:.2f} ns in {' > '.join(filter(None, places))}",
            "critical_steps": steps,
        }

    def _record(self) -> None:
        """design.json and a copy of the model, so that the folder alone is enough for `pipeline.reopen`."""
        kind = next((kind for kind in _KINDS if self.net.path.name.lower().endswith(kind)), "")
        model = identifier(self.net.name) + kind
        if self.net.path.resolve() != (self.folder / model).resolve():
            copy_atomic(self.net.path, self.folder / model)
        record = {
            "schema": SCHEMA,
            "model": model,
            "sha256": self.net.sha256,
            "runtime": self.net.graph.runtime,
            "board": self.board.name,
            **asdict(self.options),
            "clock_mhz": self.clock_mhz,
        }
        write_atomic(self.folder / RECORD, json.dumps(record, indent=1) + "\n")

    def _report(self, news: dict[str, Any]) -> dict[str, Any]:
        """report.json with `news` added; what an older, different design left there is dropped."""
        rtl = hashlib.sha256(self.content).hexdigest()
        known = report.read(self.folder)
        kept = known if known.get("rtl_sha256") == rtl else {}
        if kept.get("wanted_mhz") != self.clock_mhz:
            kept = {key: kept[key] for key in _SIMULATED if key in kept}
        expected = self.predicted()
        clocks = {key: expected[key] for key in ("cycles_per_inference", "initiation_interval")}
        result = {
            "model": self.net.name,
            "model_sha256": self.net.sha256,
            "runtime": self.net.graph.runtime,
            "board": self.board.name,
            "engine": self.options.engine,
            "rtl_sha256": rtl,
            "exact": {"levels": [], "samples": 0, "integers": 0, "mismatches": 0},
            "wanted_mhz": self.clock_mhz,
            "clock_mhz": self.clock_mhz,
            "predicted": clocks,
            "fmax_mhz": None,
            "inferences_per_second": None,
            "macs": self.net.graph.macs,
            "utilisation": None,
            **expected,
            **{key: value for key, value in kept.items() if key in _MEASURED},
            **news,
        }
        layers = {layer["name"]: layer for layer in result["layers"]}
        for name, used in result.get("layer_resources", {}).items():
            if name in layers:
                layers[name]["resources"] = used
        report.derive(result)
        report.write(self.folder, result)
        return result


_KINDS = (".tflite", ".onnx", ".onnx.gz")
_SIMULATED = ("exact", "cycles_per_inference", "initiation_interval")
_ROUTED = (
    "clock_mhz", "fmax_mhz", "resources", "layer_resources", "critical_path", "critical_steps", "bitstream",
    "seed",
)  # fmt: skip
_MEASURED = (*_SIMULATED, *_ROUTED)
