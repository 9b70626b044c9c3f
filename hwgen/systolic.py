"""A network as a program of the systolic engine.

    rtl/<array>.v  image.bin  program.txt  manifest.json   generate
    pnr/  <array>.bit                                      build

The hardware is that of the board: the bitstream is the same for every network, is made once and kept in the
user's cache. What the array computes leaves it; a softmax or an argmax behind it is the host's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hwgen import report
from hwgen.design import Design, Options, Proof, Simulation
from hwgen.emit.driver import Traffic
from hwgen.emit.manifest import Manifest, StreamPort
from hwgen.emit.systolic_top import SystolicTop
from hwgen.emit.verilog import identifier, to_verilog
from hwgen.emit.wishbone import write_wishbone
from hwgen.engines import systolic as engine
from hwgen.flow.board import Board
from hwgen.flow.flash import IMAGE
from hwgen.golden.run import execute
from hwgen.hw.flashpads import flash_pads
from hwgen.net import Net
from hwgen.numeric.rounding import Ints
from hwgen.passes.run import run_passes
from hwgen.plan.systolic.lower import Lowered, lower
from hwgen.plan.systolic.taps import Tapped, tapped
from hwgen.program.instructions import BadProgram, Run, listing
from hwgen.program.timing import Latencies, Spent, clocks
from hwgen.runtime.link import IDLE_SECONDS
from hwgen.support.errors import UsageError
from hwgen.support.files import cache_folder, write_atomic
from hwgen.support.progress import Progress
from hwgen.targets import target as target_of
from hwgen.verify.result import RtlMismatch
from hwgen.verify.rtl import Waveform, verify_rtl


def plan(net: Net, board: Board, options: Options, folder: Path, progress: Progress) -> SystolicDesign:
    """Compile a network for a board's array. UnsupportedError lists all that it cannot do."""
    if options.fps is not None:
        raise UsageError("--fps is for the stream engine: an array is as fast as it is", where="--fps")
    array = engine.geometry(board.budget, board.name)
    clock_mhz = engine.clock_mhz(array) if options.clock is None else options.clock
    if isinstance(clock_mhz, str):
        raise UsageError("is for the stream engine: one bitstream serves all networks", where="--clock auto")
    lowered = lower(run_passes(net.graph, "systolic"), array)
    if len(lowered.graph.inputs) != 1 or len(lowered.outputs) != 1:
        raise UsageError("the systolic engine takes models with one input and one output", where=net.name)
    return SystolicDesign(net, board, options, clock_mhz, folder, progress, lowered=lowered)


@dataclass(eq=False)
class SystolicDesign(Design):
    """A network lowered to a program; see the module."""

    lowered: Lowered = field(kw_only=True)

    samples = 2

    def __post_init__(self) -> None:
        self.array = self.lowered.image.array
        self.target = target_of(self.board.family)
        self.divide = flash_pads(self.board.family, self.clock_mhz * 1e6).divide

    @property
    def name(self) -> str:
        """Of the array: the hardware is the same for all networks."""
        return f"systolic_{self.array.rows}x{self.array.columns}"

    @property
    def content(self) -> bytes:
        """Verilog and image."""
        return self.verilog.encode() + self.lowered.image.to_bytes()

    def top(
        self, *, baud: float | None = None, idle_seconds: float = IDLE_SECONDS, pll: bool = True
    ) -> SystolicTop:
        """The engine with the board's flash behind its link."""
        baud = self.options.baud if baud is None else baud
        return SystolicTop(
            self.array, self.board, self.clock_mhz * 1e6, baud=baud, idle_seconds=idle_seconds, pll=pll
        )

    @property
    def image(self) -> bytes:
        """Program and weights."""
        return self.lowered.image.to_bytes()

    @cached_property
    def verilog(self) -> str:
        """Verilog of the engine, with its flash as an instance of sim/models/QuadFlash.v."""
        self.progress("writing Verilog", None)
        return to_verilog(engine.SimulatedEngine(self.array, self.target, self.divide), self.name)

    @cached_property
    def latencies(self) -> Latencies:
        """Of the array as built."""
        return engine.latencies(self.array, self.target, self.divide)

    @cached_property
    def spent(self) -> list[Spent]:
        """Predicted clocks of every instruction."""
        return clocks(self.lowered.image.program, self.array, self.latencies)

    @property
    def interval(self) -> int:
        """Predicted clocks of an inference, input and output included."""
        return sum(each.clocks for each in self.spent)

    def manifest(self, taps: Tapped | None = None) -> Manifest:
        """What the engine's ports carry: bytes. With `taps` every layer's tensor, one after the other."""
        graph = self.lowered.graph
        source, sink = graph.inputs[0].tensor, self.lowered.outputs[0]
        shape = graph.tensors[sink].shape
        if taps is not None and taps.tensors != self.lowered.outputs:
            sink, shape = "every layer", (1, 1, sum(graph.tensors[name].size for name in taps.tensors))
        ports = [
            StreamPort("i", "in", source, graph.tensors[source].shape, 1, engine.BYTE),
            StreamPort("o", "out", sink, shape, 1, engine.BYTE),
        ]
        return Manifest.of(graph, self.name, ports, [], model=self.net.path, interval=self.interval)

    def traffic(self) -> Traffic:
        """Tensors travel as signed bytes: less an offset, where their range asks for one."""
        source, sink = self.lowered.graph.inputs[0].tensor, self.lowered.outputs[0]
        where, tensors = self.lowered.where, self.lowered.graph.tensors
        return Traffic(
            identifier(self.net.name), int.from_bytes(self.image[28:32], "little"),
            offsets=(where[source].offset, where[sink].offset),
            ranges=(tensors[source].range, tensors[sink].range),
            baud=self.options.baud, seconds=self.interval / (self.clock_mhz * 1e6),
        )  # fmt: skip

    def write(self) -> None:
        """Verilog, image, listing of the program, manifest."""
        image = self.lowered.image
        write_atomic(self.folder / "rtl" / f"{self.name}.v", self.verilog)
        write_atomic(self.folder / IMAGE, image.to_bytes())
        write_atomic(self.folder / "program.txt", listing(image.program) + "\n")
        self.manifest().write(self.folder / "manifest.json")

    def write_wishbone(self) -> Path:
        """Verilog of the engine as a Wishbone peripheral (emit/wishbone.py); its path."""
        self.progress("writing the Wishbone peripheral", None)
        clock_hz = self.clock_mhz * 1e6
        return write_wishbone(self.folder, f"{self.name}_wishbone", self.array, self.board, clock_hz)

    def simulate(self, inputs: dict[str, Ints], stages: bool, how: Simulation) -> Proof:
        """The engine with its flash; with `stages` under a program that gives out every layer's tensor."""
        source = self.lowered.graph.inputs[0].tensor
        values = inputs[source]
        self.progress("running the golden model", None)
        golden = execute(self.lowered.graph, {source: values}, keep=True)
        try:
            taps = tapped(self.lowered, every_layer=stages)
        except BadProgram as error:
            what = f"with every layer's tensor given out: {error}"
            raise UsageError(what, where="--stages", hint="verify without --stages") from error
        manifest = self.manifest(taps)
        (out,) = manifest.outputs
        entered = np.stack([self.lowered.enter({source: each}) for each in values]).reshape(values.shape)
        wanted = taps.expected(golden).reshape(len(values), *out.shape)
        dump = Waveform(self.folder / "mismatch.vcd") if how.waveform else None
        try:
            result = verify_rtl(
                [self.folder / "rtl" / f"{self.name}.v"], manifest, {source: entered}, {out.tensor: wanted},
                self.folder / "verify", seed=how.seed, waveform=dump, simulator=how.simulator,
                files={engine.IMAGE_FILE: engine.image_text(taps.image.to_bytes())}, progress=self.progress,
            )  # fmt: skip
        except RtlMismatch as error:
            raise self._located(error, taps) from error
        ran = self.folder / "verify" / ("every_layer.bin" if stages else IMAGE)  # the program that was run
        write_atomic(ran, taps.image.to_bytes())
        clocks = result.interval if not stages else 0
        facts = dict.fromkeys(("cycles_per_inference", "initiation_interval"), clocks) if clocks else {}
        return Proof(result, manifest, [self.folder / "rtl" / f"{self.name}.v", ran], facts)

    def _located(self, error: RtlMismatch, taps: Tapped) -> Exception:
        """The mismatch with its layer and place, where the output is that of all layers."""
        for stream in error.result.patterns[-1].streams:
            if stream.direction == "out" and stream.mismatch and len(taps.tensors) > 1:
                tensor, (y, x, c) = taps.locate(int(stream.mismatch["channel"]))
                layer = self.lowered.graph.producer(tensor)
                where = layer.name if layer else tensor
                what = f"{where}: y {y}, x {x}, channel {c}: {error.what}"
                return RtlMismatch(what, error.result, waveform=error.waveform, hint=error.hint)
        return error

    def regions(self) -> dict[str, str]:
        """The engine as a whole, and the link."""
        return {"engine": "core", "link": "link"}

    def place(self, cell: Sequence[str]) -> str:
        """The engine's part."""
        return ".".join(part for part in cell[:-1][:2] if part.isidentifier())

    def workshop(self, top: str, clock_hz: float, seed: int) -> Path:
        """In the user's cache, by all that the bitstream depends on."""
        key = hashlib.sha256(f"{self.board.name} {clock_hz} {seed} {top}".encode()).hexdigest()[:16]
        return cache_folder() / "systolic" / f"{self.board.name}-{key}"

    def predicted(self) -> dict[str, Any]:
        """Clocks by the model of the engine, which are those of simulation."""
        graph, budget = self.lowered.graph, self.board.budget.as_dict()
        busy: dict[str, int] = {}
        for number, each in enumerate(self.spent):
            layer = self.lowered.layers.get(number, "")
            busy[layer] = busy.get(layer, 0) + each.clocks
        runs = {
            self.lowered.layers.get(number, "")
            for number, each in enumerate(self.spent)
            if isinstance(each.instruction, Run)
        }
        layers = []
        for node in graph.nodes:
            if node.name not in runs:
                continue
            layers.append(
                {
                    "name": node.name,
                    "unit": node.name,
                    "kind": node.kind,
                    "shape": list(graph.tensors[node.output].shape),
                    "macs": node.macs(graph.node_inputs(node)),
                    "folding": f"{self.array.rows}x{self.array.columns}",
                    "cycles": busy[node.name],
                    **report.weight_facts(node, "dsp", stored=8),
                    "resources": dict.fromkeys(report.RESOURCES, 0),
                }
            )
        return {
            "cycles_per_inference": self.interval,
            "initiation_interval": self.interval,
            "multipliers": self.array.rows * self.array.columns,
            "host": [node.name for node in self.lowered.tail],
            "timeline": report.timeline(self.spent, self.lowered.layers),
            "load_bytes_per_clock": self.array.columns / self.latencies.word,
            "resources": {key: {"used": 0, "available": budget[key]} for key in report.RESOURCES},
            "layers": layers,
        }
