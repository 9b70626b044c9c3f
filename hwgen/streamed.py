"""A network as a chain of units, one a layer: the streaming engine's design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from hwgen import report
from hwgen.cast import Cast
from hwgen.design import Design, Proof, Simulation
from hwgen.emit.axi import axi_stream, write_axi_stream
from hwgen.emit.board_top import BoardTop, queue_of
from hwgen.emit.driver import Traffic
from hwgen.emit.manifest import Manifest, StreamPort
from hwgen.emit.testbench import write_testbench
from hwgen.emit.verilog import identifier, to_verilog
from hwgen.engines import stream
from hwgen.golden.run import execute
from hwgen.hw.link.buffer import beat_clocks
from hwgen.hw.profile import profile_cost
from hwgen.hw.ram import inferred_count
from hwgen.hw.rom import rom_cost
from hwgen.ir.graph import Graph
from hwgen.numeric.rounding import Ints
from hwgen.plan.plan import Plan, behind_buffer
from hwgen.runtime.link import IDLE_SECONDS, UNIT_WORDS, WORDS
from hwgen.support.errors import UsageError
from hwgen.support.files import write_atomic
from hwgen.targets import Target
from hwgen.targets.resources import Resources
from hwgen.verify.rtl import Waveform, verify_rtl

MOST_UNITS = (255 - WORDS) // UNIT_WORDS  # a byte of the identity counts the words of STATUS


def left_by_link(
    graph: Graph, budget: Resources, target: Target, *, profile: bool = False, patchable: bool = False
) -> Resources:
    """What the link's logic, its buffers for one input and one output, its identity where that is exchanged,
    and a profile leave of the board. UsageError: more units than the board's STATUS has room for."""
    entry, exit_ = (graph.tensors[edge.tensor].size for edge in (graph.inputs[0], graph.outputs[0]))
    sizes = [queue_of(budget) * entry, exit_]
    buffers = sum(inferred_count(8, size, target) for size in sizes)
    buffers += rom_cost(32, 1, target, "exchange")[1] if patchable else 0
    units = sum(node.kind != "reshape" for node in graph.nodes) if profile else 0
    if units > MOST_UNITS:
        raise UsageError(f"{units} units; the board can tell of {MOST_UNITS}", where="--profile")
    taken = Resources(lut4=680, ff=500, bram=buffers) + (profile_cost(units) if units else Resources())
    return budget + taken * -1


@dataclass(eq=False)
class StreamDesign(Design):
    """A network folded onto units; graph: after the passes. cast: of a patchable one."""

    graph: Graph = field(kw_only=True)
    plan: Plan = field(kw_only=True)
    cast: Cast | None = field(default=None, kw_only=True)
    _cores: dict[bool, stream.StreamCore] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """Name of the core's module."""
        return identifier(self.net.name)

    @property
    def content(self) -> bytes:
        """Verilog of the core."""
        return self.verilog.encode()

    @property
    def design_id(self) -> int:
        """What the board answers when it is asked who it is."""
        return int(self.net.sha256[:8], 16)

    def core(self, taps: bool = False) -> stream.StreamCore:
        """The hardware: a component with streams `i` and `o`."""
        if taps not in self._cores:
            self._cores[taps] = stream.StreamCore(self.graph, self.plan, taps, self.options.profile)
        return self._cores[taps]

    def top(
        self, *, baud: float | None = None, idle_seconds: float = IDLE_SECONDS, pll: bool = True
    ) -> BoardTop:
        """The core behind the board's link."""
        return BoardTop(
            self.core(), self.board, self.clock_mhz * 1e6,
            inputs=self.graph.tensors[self.graph.inputs[0].tensor].size,
            outputs=self.graph.tensors[self.graph.outputs[0].tensor].size,
            design_id=self.design_id,
            baud=self.options.baud if baud is None else baud,
            idle_seconds=idle_seconds,
            pll=pll,
            patchable=self.cast is not None,
        )  # fmt: skip

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
        made = Manifest.of(self.graph, self.name, ports, seen, model=self.net.path, interval=interval)
        return made if taps else replace(made, axi_stream=axi_stream(made))

    def traffic(self) -> Traffic:
        """Tensors travel as they are."""
        return Traffic(
            self.name, self.design_id, baud=self.options.baud,
            seconds=self.plan.schedule.cycles / (self.clock_mhz * 1e6),
        )  # fmt: skip

    def write(self) -> None:
        """Verilog, manifest and test bench."""
        facts = self.manifest()
        write_atomic(self.folder / "rtl" / f"{self.name}.v", self.verilog)
        write_axi_stream(self.folder, facts)
        if self.cast is not None:
            self.cast.write(self.folder)
        facts.write(self.folder / "manifest.json")
        inputs = self.net.random_inputs(2)
        expected = execute(self.graph, inputs)
        values = {port.name: {**inputs, **expected}[port.tensor] for port in facts.ports}
        write_testbench(self.folder / "testbench", facts, f"../rtl/{self.name}.v", values)

    def simulate(self, inputs: dict[str, Ints], stages: bool, how: Simulation) -> Proof:
        """With `stages` another Verilog is run, the one with taps."""
        self.progress("running the golden model", None)
        expected = execute(self.graph, inputs, keep=stages)
        facts = self.manifest(stages)
        folder = self.folder / "verify" / ("stages" if stages else "output")
        rtl = self.folder / "rtl" / f"{self.name}.v"
        if stages:
            rtl = folder / f"{self.name}.v"
            write_atomic(rtl, self.tapped_verilog)
        dump = Waveform(self.folder / "mismatch.vcd") if how.waveform else None
        result = verify_rtl(
            [rtl], facts, inputs, expected, folder, seed=how.seed, waveform=dump, simulator=how.simulator,
            progress=self.progress,
        )  # fmt: skip
        measured = {"cycles_per_inference": result.latency, "initiation_interval": result.interval}
        return Proof(result, facts, [rtl], {key: value for key, value in measured.items() if value})

    def regions(self) -> dict[str, str]:
        """Every layer's unit, and the link."""
        units = stream.unit_names(self.graph)
        return {**{name: f"core.{unit}" for name, unit in units.items()}, "link": "link"}

    def place(self, cell: Sequence[str]) -> str:
        """The layer, by its unit's name."""
        names = {unit: name for name, unit in stream.unit_names(self.graph).items()}
        return next((part for part in cell if part in names), cell[0])

    def predicted(self) -> dict[str, Any]:
        """Clocks by the schedule, resources by the estimates."""
        plan, budget = self.plan, self.board.budget.as_dict()
        units = stream.unit_names(self.graph)
        layers = []
        for name, unit in plan.units.items():
            out = self.graph.tensors[unit.node.output]
            done = plan.schedule.finish[unit.node.output]  # clocks in which its pixels are on the stream
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
                    "begins": round(done[0] - unit.cycles / len(done)),
                    "ends": round(done[-1]),
                    **report.weight_facts(unit.node, unit.folding.product),
                    "resources": unit.cost.as_dict(),
                }
            )
        cost = plan.cost.as_dict()
        board = {}
        if self.options.profile:
            timing = behind_buffer(self.graph, plan, beat_clocks(self.core().i.payload.shape()))
            board = {"cycles_on_board": timing.cycles}
            for layer, unit in zip(layers, plan.units.values(), strict=True):
                layer["waits"] = list(timing.waits[unit.node.output])
        return {
            **board,
            "cycles_per_inference": plan.schedule.cycles,
            "initiation_interval": plan.schedule.interval,
            "resources": {key: {"used": cost[key], "available": budget[key]} for key in report.RESOURCES},
            "layers": layers,
        }
