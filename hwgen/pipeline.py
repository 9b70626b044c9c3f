"""The stages in their order: load, plan, generate, verify, build.

A `Design` is a network planned for a board. Each stage writes what it made into the build folder:

    manifest.json  rtl/<name>.v  testbench/      generate
    verify/        certificate.json               verify
    pnr/           <name>.bit                     build
    report.json    report.txt                     every stage adds what it learnt
"""

from __future__ import annotations

import builtins
import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwgen import report
from hwgen.emit.verilog import identifier, to_verilog
from hwgen.engines import stream
from hwgen.flow import board as boards
from hwgen.flow.board import Board
from hwgen.frontend.load import load_graph
from hwgen.golden.run import execute
from hwgen.ir.graph import Graph
from hwgen.net import Net, digest
from hwgen.numeric.rounding import Ints
from hwgen.passes.run import run_passes
from hwgen.plan.choose import Planner
from hwgen.plan.plan import Plan
from hwgen.support.errors import UsageError
from hwgen.support.files import write_atomic
from hwgen.support.progress import Progress, silent
from hwgen.targets import target_of
from hwgen.targets.resources import Resources

DEFAULT_CLOCK_MHZ = 100.0
DEFAULT_FILL = 0.6


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
    progress: Progress = silent,
) -> Design:
    """Plan a network for a board.

    fps: inferences per second wanted; None: as fast as fits. clock: MHz. fill: share of the board's
    LUTs that may be used. out: build folder (by default build/<model>-<board>).
    """
    net = net if isinstance(net, Net) else load(net)
    chosen = boards.load(board)
    clock = DEFAULT_CLOCK_MHZ if clock is None else clock
    fill = DEFAULT_FILL if fill is None else fill
    for name, value, limit in (("clock", clock, 400.0), ("fps", fps, 1e9), ("fill", fill, 1.0)):
        if value is not None and not 0 < value <= limit:
            raise UsageError(f"--{name} must be above 0 and at most {limit:g}, not {value:g}")
    progress("planning", None)
    graph = run_passes(net.graph)
    stream.check(graph)
    target = target_of(chosen.family)
    planner = Planner(graph, target, Resources(**chosen.budget.as_dict()), fill)
    plan = planner.fastest() if fps is None else planner.at_most(int(clock * 1e6 / fps))
    name = identifier(net.name)
    folder = Path(out) if out is not None else Path("build") / f"{name}-{board}"
    return Design(net, chosen, graph, plan, clock, folder, progress)


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

    @property
    def name(self) -> str:
        """Name of the top module."""
        return identifier(self.net.name)

    def core(self, taps: bool = False) -> stream.StreamCore:
        """The hardware: a component with streams `i` and `o`."""
        return stream.StreamCore(self.graph, self.plan, target_of(self.board.family), taps)

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

    def generate(self) -> dict[str, Any]:
        """Write Verilog, manifest and test bench; returns the report so far."""
        from hwgen.emit.manifest import manifest

        write_atomic(self.folder / "rtl" / f"{self.name}.v", self.verilog)
        facts = manifest(self)
        write_atomic(self.folder / "manifest.json", json.dumps(facts, indent=2) + "\n")
        return self._report({})

    def _report(self, news: dict[str, Any]) -> dict[str, Any]:
        """report.json with `news` added; what an older, different core left there is dropped."""
        rtl = hashlib.sha256(self.verilog.encode()).hexdigest()
        known = report.read(self.folder)
        kept = known if known.get("rtl_sha256") == rtl and known.get("clock_mhz") == self.clock_mhz else {}
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
            "clock_mhz": self.clock_mhz,
            "cycles_per_inference": plan.schedule.cycles,
            "initiation_interval": plan.schedule.interval,
            "predicted": {"cycles_per_inference": plan.schedule.cycles, "initiation_interval": plan.schedule.interval},
            "fmax_mhz": None,
            "inferences_per_second": None,
            "macs": self.net.graph.macs,
            "utilisation": None,
            "resources": {key: {"used": cost[key], "available": budget[key]} for key in report.RESOURCES},
            "layers": layers,
        }


_MEASURED = (
    "exact", "cycles_per_inference", "initiation_interval", "fmax_mhz", "resources", "layer_resources",
    "critical_path", "bitstream", "seconds",
)  # fmt: skip
