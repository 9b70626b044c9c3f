"""A network as a program of the systolic engine: the stages of `pipeline`, with other contents.

    rtl/<array>.v  image.bin  program.txt  manifest.json   generate
    verify/  certificate.json                              verify
    pnr/  <array>.bit                                      build

The hardware is that of the board: the bitstream is the same for every network, is made once and kept in the
user's cache. What the array computes leaves it; a softmax or an argmax behind it is the host's.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwgen import report
from hwgen.emit import board_top
from hwgen.emit.manifest import Manifest, StreamPort
from hwgen.emit.systolic_top import SystolicTop
from hwgen.emit.verilog import to_verilog
from hwgen.engines import systolic as engine
from hwgen.flow import pnr, synth
from hwgen.flow.board import Board
from hwgen.flow.flash import IMAGE
from hwgen.golden.run import execute
from hwgen.hw.flashpads import flash_pads
from hwgen.net import Net
from hwgen.passes.run import run_passes
from hwgen.plan.systolic.lower import Lowered, lower
from hwgen.plan.systolic.taps import Tapped, tapped
from hwgen.program.instructions import Run, listing
from hwgen.program.timing import Spent, clocks
from hwgen.support.errors import FitError, UsageError
from hwgen.support.files import cache_folder, write_atomic
from hwgen.support.progress import Progress, silent
from hwgen.targets import target as target_of
from hwgen.verify import certificate
from hwgen.verify.result import RtlMismatch, VerifyResult
from hwgen.verify.rtl import Waveform, verify_rtl


def plan(net: Net, board: Board, clock_mhz: float | None, folder: Path, progress: Progress) -> SystolicDesign:
    """Compile a network for a board's array. UnsupportedError lists all that it cannot do."""
    array = engine.geometry(board.budget, board.name)
    clock_mhz = engine.clock_mhz(array) if clock_mhz is None else clock_mhz
    lowered = lower(run_passes(net.graph, "systolic"), array)
    if len(lowered.graph.inputs) != 1 or len(lowered.outputs) != 1:
        raise UsageError("the systolic engine takes models with one input and one output", where=net.name)
    return SystolicDesign(net, board, lowered, clock_mhz, folder, progress)


@dataclass(eq=False)
class SystolicDesign:
    """A network compiled for a board; see the module for what lies in `folder`."""

    net: Net
    board: Board
    lowered: Lowered
    clock_mhz: float
    folder: Path
    progress: Progress = field(default=silent, repr=False)

    def __post_init__(self) -> None:
        self.array = self.lowered.image.array
        self.target = target_of(self.board.family)
        self.name = f"systolic_{self.array.rows}x{self.array.columns}"
        self.divide = flash_pads(self.board.family, self.clock_mhz * 1e6).divide

    @cached_property
    def verilog(self) -> str:
        """Verilog of the engine, with its flash as an instance of sim/models/QuadFlash.v."""
        self.progress("writing Verilog", None)
        return to_verilog(engine.SimulatedEngine(self.array, self.target, self.divide), self.name)

    @cached_property
    def spent(self) -> list[Spent]:
        """Predicted clocks of every instruction."""
        known = engine.latencies(self.array, self.target, self.divide)
        return clocks(self.lowered.image.program, self.array, known)

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

    def generate(self) -> dict[str, Any]:
        """Write Verilog, image and program; returns the report so far."""
        image = self.lowered.image
        write_atomic(self.folder / "rtl" / f"{self.name}.v", self.verilog)
        write_atomic(self.folder / IMAGE, image.to_bytes())
        write_atomic(self.folder / "program.txt", listing(image.program) + "\n")
        self.manifest().write(self.folder / "manifest.json")
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
        """Simulate the engine with its flash against the golden model; as `pipeline.Design.verify`.

        stages: with a program that gives out every layer's tensor.
        """
        if samples is not None and not 1 <= samples <= 1_000_000:
            raise UsageError(f"--samples must be 1 to 1,000,000, not {samples}")
        inputs = self.net.random_inputs(samples or 2, seed) if x is None else self.net.enter(x)
        source = self.lowered.graph.inputs[0].tensor
        values = inputs[source][:samples]
        if not len(values):
            raise UsageError("no inputs to verify with")
        self.generate()
        self.progress("running the golden model", None)
        golden = execute(self.lowered.graph, {source: values}, keep=True)
        taps = tapped(self.lowered, every_layer=stages)
        facts = self.manifest(taps)
        (out,) = facts.outputs
        entered = np.stack([self.lowered.enter({source: each}) for each in values]).reshape(values.shape)
        wanted = taps.expected(golden).reshape(len(values), *out.shape)
        dump = Waveform(self.folder / "mismatch.vcd") if waveform else None
        try:
            result = verify_rtl(
                [self.folder / "rtl" / f"{self.name}.v"], facts, {source: entered}, {out.tensor: wanted},
                self.folder / "verify", seed=seed, waveform=dump, simulator=simulator,
                files={engine.IMAGE_FILE: engine.image_text(taps.image.to_bytes())}, progress=self.progress,
            )  # fmt: skip
        except RtlMismatch as error:
            raise self._located(error, taps) from error
        level = certificate.rtl_level(result)
        used = {"simulator": result.simulator, "python-numpy": np.__version__}
        ran = self.folder / "verify" / ("every_layer.bin" if stages else IMAGE)  # the program that was run
        write_atomic(ran, taps.image.to_bytes())
        files = [self.folder / "rtl" / f"{self.name}.v", ran]
        certificate.write(
            self.folder / "certificate.json", certificate.certificate(facts, files, [level], used)
        )
        return self._report(self._verified(result, level, stages))

    def _verified(self, result: VerifyResult, level: certificate.Level, stages: bool) -> dict[str, Any]:
        exact = {
            "levels": [self.lowered.graph.runtime, "golden", "rtl"],
            "samples": level.samples,
            "integers": level.compared,
            "mismatches": 0,
            "stages": stages,
        }
        news: dict[str, Any] = {"exact": exact}
        if result.interval and not stages:
            news |= {"cycles_per_inference": result.interval, "initiation_interval": result.interval}
        return news

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

    def build(self, *, seed: int = 1) -> dict[str, Any]:
        """The board's bitstream (made once for all networks) and the image; returns the report.

        FitError when it does not fit, or misses the clock that its PLL makes: then there is no bitstream.
        """
        self.generate()
        top = SystolicTop(self.array, self.board, self.clock_mhz * 1e6)
        self.progress("writing the board's top", None)
        text = board_top.to_rtlil(top)
        key = hashlib.sha256(f"{self.board.name} {top.clock_hz} {seed} {text}".encode()).hexdigest()[:16]
        made = cache_folder() / "systolic" / f"{self.board.name}-{key}"
        write_atomic(made / "top.il", text)
        regions = {"engine": "core", "link": "link"}
        synthesis = synth.synthesise(
            [made / "top.il"], board_top.TOP, self.board.family, made, regions=list(regions.values()),
            progress=self.progress,
        )  # fmt: skip
        pnr.check_fit(synthesis.resources, self.board)
        routed = pnr.place_and_route(
            synthesis.netlist, self.board, made, freq_mhz=top.clock_hz / 1e6, seed=seed, flash=True,
            progress=self.progress,
        )  # fmt: skip
        bitstream = (self.folder / self.board.toolchain.bitstream).with_stem(self.name)
        bitstream.unlink(missing_ok=True)
        budget = self.board.budget.as_dict()
        news: dict[str, Any] = {
            "fmax_mhz": round(routed.fmax_mhz, 2),
            "clock_mhz": round(top.clock_hz / 1e6, 4),
            "resources": {
                key: {"used": routed.resources.get(key, 0), "available": budget[key]}
                for key in report.RESOURCES
            },
            "critical_path": _path(routed),
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
        packed = pnr.pack(routed.config, made, self.board.toolchain, progress=self.progress)
        for target in (self.folder / "pnr" / self.board.toolchain.bitstream, bitstream):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_suffix(".tmp")
            shutil.copyfile(packed, temporary)
            temporary.replace(target)
        news["bitstream"] = bitstream.name
        return self._report(news)

    def _report(self, news: dict[str, Any]) -> dict[str, Any]:
        """report.json with `news` added; what an older, different design left there is dropped."""
        content = self.verilog.encode() + self.lowered.image.to_bytes()
        rtl = hashlib.sha256(content).hexdigest()
        known = report.read(self.folder)
        kept = known if known.get("rtl_sha256") == rtl and known.get("wanted_mhz") == self.clock_mhz else {}
        result = {**self._predicted(rtl), **{k: v for k, v in kept.items() if k in _MEASURED}, **news}
        report.derive(result)
        report.write(self.folder, result)
        return result

    def _predicted(self, rtl: str) -> dict[str, Any]:
        graph, budget = self.lowered.graph, self.board.budget.as_dict()
        multipliers = self.array.rows * self.array.columns
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
                    "resources": dict.fromkeys(report.RESOURCES, 0),
                }
            )
        return {
            "model": self.net.name,
            "model_sha256": self.net.sha256,
            "runtime": graph.runtime,
            "board": self.board.name,
            "engine": "systolic",
            "rtl_sha256": rtl,
            "exact": {"levels": [], "samples": 0, "integers": 0, "mismatches": 0},
            "wanted_mhz": self.clock_mhz,
            "clock_mhz": self.clock_mhz,
            "cycles_per_inference": self.interval,
            "initiation_interval": self.interval,
            "predicted": {"cycles_per_inference": self.interval, "initiation_interval": self.interval},
            "fmax_mhz": None,
            "inferences_per_second": None,
            "macs": self.net.graph.macs,
            "multipliers": multipliers,
            "host": [node.name for node in self.lowered.tail],
            "utilisation": None,
            "resources": {key: {"used": 0, "available": budget[key]} for key in report.RESOURCES},
            "layers": layers,
        }


def _path(routed: pnr.Routed) -> str:
    """The critical path in terms of the engine's parts, and nanoseconds."""
    places: list[str] = []
    for step in routed.critical_path:
        parts = (part.split("_SB_")[0] for part in step.cell.split(".")[:2])
        place = ".".join(part for part in parts if part.isidentifier())
        if place and (not places or places[-1] != place):
            places.append(place)
    return f"{sum(step.delay for step in routed.critical_path):.2f} ns in {' > '.join(places)}"


_MEASURED = (
    "exact", "cycles_per_inference", "initiation_interval", "clock_mhz", "fmax_mhz", "resources",
    "critical_path", "bitstream", "seed",
)  # fmt: skip
