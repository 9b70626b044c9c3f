"""The stages in their order: load, plan, generate, verify, build.

A `Design` is a network planned for a board. Each stage writes what it made into the build folder:

    manifest.json  rtl/<name>.v  testbench/      generate
    verify/        certificate.json               verify
    pnr/           <name>.bit                     build
    report.json    report.txt                     every stage adds what it learnt
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwgen import report, systolic
from hwgen.emit import board_top
from hwgen.emit.manifest import Manifest, StreamPort
from hwgen.emit.testbench import write_testbench
from hwgen.emit.verilog import identifier, to_verilog
from hwgen.engines import stream
from hwgen.engines import systolic as systolic_engine
from hwgen.flow import board as boards
from hwgen.flow import flash as flasher
from hwgen.flow import pnr, synth
from hwgen.flow.board import Board
from hwgen.frontend.load import load_graph
from hwgen.golden.run import execute
from hwgen.hw.ram import inferred_count
from hwgen.ir.graph import Graph
from hwgen.net import Net, digest
from hwgen.passes.run import run_passes
from hwgen.plan.choose import Planner
from hwgen.plan.plan import Plan
from hwgen.support.errors import FitError, UsageError
from hwgen.support.files import write_atomic
from hwgen.support.progress import Progress, silent
from hwgen.systolic import SystolicDesign
from hwgen.targets import Target
from hwgen.targets import target as target_of
from hwgen.targets.resources import Resources
from hwgen.verify import certificate
from hwgen.verify.rtl import Waveform, verify_rtl

ENGINES = ("stream", "systolic")


def load(path: str | Path, runtime: str | None = None) -> Net:
    """Read a model file. runtime: whose arithmetic to be exact to; by default the file format's own."""
    path = Path(path)
    graph = load_graph(path, runtime)
    return Net(graph, path, digest(path.read_bytes()))


def compile(
    net: Net | str | Path,
    board: str = "ulx3s-85f",
    *,
    fps: float | None = None,
    clock: float | None = None,
    fill: float | None = None,
    out: str | Path | None = None,
    engine: str = "stream",
    progress: Progress = silent,
) -> Design | SystolicDesign:
    """Plan a network for a board.

    engine: "stream", a unit a layer, or "systolic", one array for all of them in turn.

    fps: inferences per second wanted; None: as fast as fits. clock: MHz. fill: share of the board's
    LUTs that may be used. out: build folder (by default build/<model>-<board>).
    """
    net = net if isinstance(net, Net) else load(net)
    chosen = boards.load(board)
    for option, value, limit in (("clock", clock, 400.0), ("fps", fps, 1e9), ("fill", fill, 1.0)):
        if value is not None and not 0 < value <= limit:
            raise UsageError(f"--{option} must be above 0 and at most {limit:g}, not {value:g}")
    if engine not in ENGINES:
        raise UsageError(f"no engine {engine!r}", where="--engine", hint=f"there are {', '.join(ENGINES)}")
    name = identifier(net.name)
    folder = Path(out) if out is not None else Path("build") / f"{name}-{board}"
    progress("planning", None)
    if engine == "systolic":
        if fps is not None:
            raise UsageError("--fps is for the stream engine: an array is as fast as it is", where="--fps")
        return systolic.plan(net, chosen, clock, folder, progress)
    clock = chosen.toolchain.clock_mhz if clock is None else clock
    fill = chosen.toolchain.fill if fill is None else fill
    graph = run_passes(net.graph)
    stream.check(graph)
    target = target_of(chosen.family)
    planner = Planner(graph, target, _left_by_link(graph, chosen.budget, target), fill)
    plan = planner.fastest() if fps is None else planner.at_most(int(clock * 1e6 / fps))
    return Design(net, chosen, graph, plan, clock, folder, progress)


def _left_by_link(graph: Graph, budget: Resources, target: Target) -> Resources:
    """What the link's logic and its buffers for one input and one output leave of the board."""
    sizes = [graph.tensors[edge.tensor].size for edge in (graph.inputs[0], graph.outputs[0])]
    buffers = sum(inferred_count(8, size, target) for size in sizes)
    return replace(budget, lut4=budget.lut4 - 600, ff=budget.ff - 500, bram=budget.bram - buffers)


@dataclass(eq=False)
class Design:
    """A network planned for a board; see the module for what lies in `folder`."""

    net: Net
    board: Board
    graph: Graph
    plan: Plan
    clock_mhz: float
    folder: Path
    progress: Progress = field(default=silent, repr=False)
    _cores: dict[bool, stream.StreamCore] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """Name of the top module."""
        return identifier(self.net.name)

    def core(self, taps: bool = False) -> stream.StreamCore:
        """The hardware: a component with streams `i` and `o`."""
        if taps not in self._cores:
            self._cores[taps] = stream.StreamCore(self.graph, self.plan, taps)
        return self._cores[taps]

    @cached_property
    def verilog(self) -> str:
        """Verilog of the core."""
        self.progress("writing Verilog", None)
        return to_verilog(self.core(), self.name)

    @cached_property
    def tapped_verilog(self) -> str:
        """Verilog of the core with every layer's stream visible at the top; for verification only."""
        self.progress("writing Verilog with taps", None)
        return to_verilog(self.core(taps=True), self.name)

    def manifest(self, taps: bool = False) -> Manifest:
        """What the core's ports carry."""
        core = self.core(taps)
        ports = [
            StreamPort.of("i", "in", self.graph, core.input_tensor.name, core.input_lanes),
            StreamPort.of("o", "out", self.graph, core.output_tensor.name, core.output_lanes),
        ]
        seen = [StreamPort.of(f"tap_{t.index}", "tap", self.graph, t.tensor, t.lanes) for t in core.taps]
        interval = self.plan.schedule.interval
        return Manifest.of(self.graph, self.name, ports, seen, model=self.net.path, interval=interval)

    def generate(self) -> dict[str, Any]:
        """Write Verilog, manifest and test bench; returns the report so far."""
        facts = self.manifest()
        write_atomic(self.folder / "rtl" / f"{self.name}.v", self.verilog)
        facts.write(self.folder / "manifest.json")
        inputs = self.net.random_inputs(2)
        expected = execute(self.graph, inputs)
        values = {port.name: {**inputs, **expected}[port.tensor] for port in facts.ports}
        write_testbench(self.folder / "testbench", facts, f"../rtl/{self.name}.v", values)
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
        stages: compare every layer's stream. Returns the report; MismatchError at the first difference.
        """
        if samples is not None and not 1 <= samples <= 1_000_000:
            raise UsageError(f"--samples must be 1 to 1,000,000, not {samples}")
        inputs = self.net.random_inputs(samples or 4, seed) if x is None else self.net.enter(x)
        inputs = {name: values[:samples] for name, values in inputs.items()}
        if not len(next(iter(inputs.values()))):
            raise UsageError("no inputs to verify with")
        self.generate()
        self.progress("running the golden model", None)
        expected = execute(self.graph, inputs, keep=stages)
        facts = self.manifest(stages)
        folder = self.folder / "verify" / ("stages" if stages else "output")
        rtl = self.folder / "rtl" / f"{self.name}.v"
        if stages:
            rtl = folder / f"{self.name}.v"
            write_atomic(rtl, self.tapped_verilog)
        dump = Waveform(self.folder / "mismatch.vcd") if waveform else None
        result = verify_rtl(
            [rtl], facts, inputs, expected, folder, seed=seed, waveform=dump, simulator=simulator,
            progress=self.progress,
        )  # fmt: skip
        level = certificate.rtl_level(result)
        used = {"simulator": result.simulator, "python-numpy": np.__version__}
        paper = certificate.certificate(facts, [rtl], [level], used)
        certificate.write(self.folder / "certificate.json", paper)
        exact = {
            "levels": [self.graph.runtime, "golden", "rtl"],
            "samples": level.samples,
            "integers": level.compared,
            "mismatches": 0,
            "stages": stages,
        }
        news: dict[str, Any] = {"exact": exact}
        if result.latency:
            news["cycles_per_inference"] = result.latency
        if result.interval:
            news["initiation_interval"] = result.interval
        return self._report(news)

    def build(self, *, seed: int = 1) -> dict[str, Any]:
        """Synthesise, place, route and pack the whole board top; returns the report.

        FitError when it does not fit, or misses the clock that its PLL makes: then there is no bitstream.
        """
        self.generate()
        top = board_top.BoardTop(
            self.core(), self.board, self.clock_mhz * 1e6,
            inputs=self.graph.tensors[self.graph.inputs[0].tensor].size,
            outputs=self.graph.tensors[self.graph.outputs[0].tensor].size,
            design_id=int(self.net.sha256[:8], 16),
        )  # fmt: skip
        folder = self.folder / "pnr"
        source = folder / "top.il"
        self.progress("writing the board's top", None)
        write_atomic(source, board_top.to_rtlil(top))
        units = stream.unit_names(self.graph)
        regions = {name: f"core.{unit}" for name, unit in units.items()}
        synthesis = synth.synthesise(
            [source], board_top.TOP, self.board.family, folder, regions=[*regions.values(), "link"],
            progress=self.progress,
        )  # fmt: skip
        pnr.check_fit(synthesis.resources, self.board)
        routed = pnr.place_and_route(
            synthesis.netlist,
            self.board,
            folder,
            freq_mhz=top.clock_hz / 1e6,
            seed=seed,
            progress=self.progress,
        )
        bitstream = (self.folder / self.board.toolchain.bitstream).with_stem(self.name)
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
            "critical_path": self._path(routed),
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
        packed = pnr.pack(routed.config, folder, self.board.toolchain, progress=self.progress)
        temporary = bitstream.with_suffix(".tmp")
        shutil.copyfile(packed, temporary)
        temporary.replace(bitstream)
        news["bitstream"] = bitstream.name
        return self._report(news)

    def _path(self, routed: pnr.Routed) -> str:
        """The critical path in terms of layers and nanoseconds."""
        names = {unit: name for name, unit in stream.unit_names(self.graph).items()}
        places: list[str] = []
        for step in routed.critical_path:
            unit = next((part for part in step.cell.split(".") if part in names), step.cell.split(".")[0])
            if step.cell and (not places or places[-1] != unit):
                places.append(unit)
        total = sum(step.delay for step in routed.critical_path)
        return f"{total:.2f} ns in {' > '.join(places)}"

    def _report(self, news: dict[str, Any]) -> dict[str, Any]:
        """report.json with `news` added; what an older, different core left there is dropped."""
        rtl = hashlib.sha256(self.verilog.encode()).hexdigest()
        known = report.read(self.folder)
        kept = known if known.get("rtl_sha256") == rtl else {}
        if kept.get("wanted_mhz") != self.clock_mhz:
            kept = {key: kept[key] for key in _SIMULATED if key in kept}
        result = {**self._predicted(rtl), **{k: v for k, v in kept.items() if k in _MEASURED}, **news}
        layers = {layer["name"]: layer for layer in result["layers"]}
        for name, used in result.get("layer_resources", {}).items():
            if name in layers:
                layers[name]["resources"] = used
        report.derive(result)
        report.write(self.folder, result)
        return result

    def _predicted(self, rtl: str) -> dict[str, Any]:
        """Everything that is known before anything is simulated or synthesised."""
        plan, budget = self.plan, self.board.budget.as_dict()
        units = stream.unit_names(self.graph)
        layers = []
        for name, unit in plan.units.items():
            out = self.graph.tensors[unit.node.output]
            layers.append(
                {
                    "name": name,
                    "unit": units[name],
                    "kind": unit.node.kind,
                    "shape": list(out.shape),
                    "macs": unit.node.macs(self.graph.node_inputs(unit.node)),
                    "multipliers": unit.multipliers,
                    "folding": str(unit.folding),
                    "cycles": unit.cycles,
                    "resources": unit.cost.as_dict(),
                }
            )
        cost = plan.cost.as_dict()
        return {
            "model": self.net.name,
            "model_sha256": self.net.sha256,
            "runtime": self.net.graph.runtime,
            "board": self.board.name,
            "engine": "stream",
            "rtl_sha256": rtl,
            "exact": {"levels": [], "samples": 0, "integers": 0, "mismatches": 0},
            "wanted_mhz": self.clock_mhz,
            "clock_mhz": self.clock_mhz,
            "cycles_per_inference": plan.schedule.cycles,
            "initiation_interval": plan.schedule.interval,
            "predicted": {
                "cycles_per_inference": plan.schedule.cycles,
                "initiation_interval": plan.schedule.interval,
            },
            "fmax_mhz": None,
            "inferences_per_second": None,
            "macs": self.net.graph.macs,
            "utilisation": None,
            "resources": {key: {"used": cost[key], "available": budget[key]} for key in report.RESOURCES},
            "layers": layers,
        }


_SIMULATED = ("exact", "cycles_per_inference", "initiation_interval")
_MEASURED = (
    *_SIMULATED, "clock_mhz", "fmax_mhz", "resources", "layer_resources", "critical_path",
    "bitstream", "seed",
)  # fmt: skip


def flash(
    folder: str | Path, *, write_flash: bool = False, image_only: bool = False, progress: Progress = silent
) -> list[list[str]]:
    """Load a build folder's bitstream into its board, and a systolic engine's program into the board's flash.

    image_only: the program alone, for a board that has the bitstream in its flash. Returns the commands.
    """
    folder = Path(folder)
    facts = report.read(folder)
    if not facts.get("board") or not (image_only or facts.get("bitstream")):
        raise UsageError("no bitstream here", where=str(folder), hint="run `hwgen build` first")
    board = boards.load(facts["board"])
    image = folder / flasher.IMAGE
    systolic = facts.get("engine") == "systolic"
    array = systolic_engine.geometry(board.budget, board.name) if systolic else None
    return flasher.flash(
        folder / "pnr", board, image=image if systolic else None, array=array, image_only=image_only,
        write_flash=write_flash, progress=progress,
    )  # fmt: skip
