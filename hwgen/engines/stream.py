"""The stream engine: one unit per layer, all on chip, joined by streams.

    i --> unit --> width converter --> unit --> ... --> o
                      fork --> (branch) --> FIFO --> join

Every tensor of the graph is one stream; reshapes are other names for the same stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.counters import LoopNest
from hwgen.hw.fifo import StreamFifo
from hwgen.hw.fork import Fork
from hwgen.hw.profile import STATES, WORD_BITS, Profile, Watched
from hwgen.hw.stream import lanes_stream
from hwgen.hw.width import WidthConverter
from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.plan.plan import Plan, source_of
from hwgen.support.errors import UnsupportedError
from hwgen.support.registry import modules


@cache
def builders() -> dict[str, Callable[..., wiring.Component]]:
    """build(node, inputs, folding, target) of every layer, by its kind."""
    return {module.__name__.split(".")[-2]: module.build for module in modules("hwgen.layers", "hw")}


@dataclass(frozen=True)
class Tap:
    """A layer's output stream, seen at the top as `tap_<index>_valid` and `_payload`."""

    index: int
    node: str
    tensor: str
    lanes: int


def check(graph: Graph) -> None:
    """List at once everything in the graph that this engine has no hardware for."""
    items = []
    for node in graph.nodes:
        if node.kind == "reshape":
            continue
        if node.kind not in builders():
            items.append(f"{node.name} ({node.kind}): the stream engine has no unit for it")
        elif node.kind in ("conv", "depthwise", "sumpool") and getattr(node, "act", None) is None:
            items.append(f"{node.name} ({node.kind}): its raw accumulators leave the layer; requantise them")
    if len(graph.inputs) != 1:
        items.append(f"{len(graph.inputs)} inputs: the stream engine takes models with one")
    if len(graph.outputs) != 1:
        items.append(f"{len(graph.outputs)} outputs: the stream engine takes models with one")
    if items:
        raise UnsupportedError(items, where=graph.name)


def unit_names(graph: Graph) -> dict[str, str]:
    """Names of the units in Verilog by node: place and kind; nothing from the model file gets into them."""
    nodes = [node for node in graph.nodes if node.kind != "reshape"]
    return {node.name: f"l{position:02d}_{node.kind}" for position, node in enumerate(nodes)}


class StreamCore(wiring.Component):
    """i: the input tensor's stream. o: the output tensor's. With `taps`, each layer's transfers as well.

    Payloads are `lanes` consecutive channels, channel 0 lowest, in the order H, W, C; frames back to back.

    profile: count what each unit does during a frame (`hwgen.hw.profile`), in the order of plan.units; ports
    `profile_index`, `profile_word`. It is right for frames that do not follow each other until the one before
    has come out. profile_words: of them.
    """

    def __init__(self, graph: Graph, plan: Plan, taps: bool = False, profile: bool = False) -> None:
        check(graph)
        self.graph, self.plan, self.target = graph, plan, plan.target
        (source,), (sink,) = graph.inputs, graph.outputs
        self.input_tensor = graph.tensors[source.tensor]
        self.output_tensor = graph.tensors[sink.tensor]
        self.input_lanes = plan.input_lanes[source.tensor]
        self.unit_names = unit_names(graph)
        carrier = graph.producer(source_of(graph, sink.tensor))
        self.output_lanes = plan.units[carrier.name].folding.lanes if carrier else self.input_lanes
        ports = {
            "i": In(lanes_stream(self.input_tensor.range, self.input_lanes)),
            "o": Out(lanes_stream(self.output_tensor.range, self.output_lanes)),
        }
        self.taps = []
        if taps:
            for index, (name, unit) in enumerate(plan.units.items()):
                tap = Tap(index, name, unit.node.output, unit.folding.lanes)
                width = graph.tensors[tap.tensor].range.width * tap.lanes
                ports |= {f"tap_{index}_valid": Out(1), f"tap_{index}_payload": Out(width)}
                self.taps.append(tap)
        self.profile_words = len(STATES) * len(plan.units) if profile else 0
        if profile:
            ports |= {"profile_index": In(range(self.profile_words)), "profile_word": Out(WORD_BITS)}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        graph, plan = self.graph, self.plan
        streams: dict[str, tuple[stream.Interface, int]] = {}  # tensor -> its stream and lanes
        streams[self.input_tensor.name] = wiring.flipped(self.i), self.input_lanes
        readers = self._readers()
        watched = []
        self._fork(m, self.input_tensor.name, streams, readers)
        for node in graph.nodes:
            if node.kind == "reshape":
                continue
            unit = plan.units[node.name]
            component = builders()[node.kind](node, graph.node_inputs(node), unit.folding, unit.target)
            name = self.unit_names[node.name]
            m.submodules[name] = component
            beats = graph.tensors[node.output].size // unit.folding.lanes
            watched.append(Watched(component, unit.cycles, beats))
            for position, tensor in enumerate(node.inputs):
                port = component.i if len(node.inputs) == 1 else getattr(component, "ab"[position])
                self._join(m, node, position, tensor, port, streams)
            streams[node.output] = component.o, unit.folding.lanes
            self._tap(m, node, component.o)
            self._fork(m, node.output, streams, readers)
        last = source_of(graph, self.output_tensor.name)
        wiring.connect(
            m, streams[f"{last}#output" if f"{last}#output" in streams else last][0], wiring.flipped(self.o)
        )
        if self.profile_words:
            self._profile(m, watched)
        return m

    def _profile(self, m: Module, watched: list[Watched]) -> None:
        """Counts from a frame's first input beat to its last output beat."""
        m.submodules.profile = profile = Profile(watched)
        begins, ends = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        beats = LoopNest(m, [self.output_tensor.size // self.output_lanes], ends, "profile")
        within = Signal(name="profile_within")
        m.d.sync += within.eq((within | begins) & ~(ends & beats.ends))
        m.d.comb += [
            profile.counting.eq(within | begins),
            profile.index.eq(self.profile_index),
            self.profile_word.eq(profile.word),
        ]

    def _readers(self) -> dict[str, list[str]]:
        """Who reads each stream: `node#position`, or `output`."""
        readers: dict[str, list[str]] = {}
        for node in self.graph.nodes:
            if node.kind != "reshape":
                for position, tensor in enumerate(node.inputs):
                    readers.setdefault(source_of(self.graph, tensor), []).append(f"{node.name}#{position}")
        for edge in self.graph.outputs:
            readers.setdefault(source_of(self.graph, edge.tensor), []).append("output")
        return readers

    def _fork(self, m: Module, tensor: str, streams: dict, readers: dict[str, list[str]]) -> None:
        """Give each of several readers of a stream its own copy."""
        names = readers.get(tensor, [])
        if len(names) < 2:
            return
        source, lanes = streams[tensor]
        fork = Fork(shape=self.graph.tensors[tensor].range, lanes=lanes, n=len(names))
        m.submodules[f"fork_{len(streams)}"] = fork
        wiring.connect(m, source, fork.i)
        for index, name in enumerate(names):
            streams[f"{tensor}#{name}"] = fork.o[index], lanes

    def _join(
        self, m: Module, node: Node, position: int, tensor: str, port: stream.Interface, streams: dict
    ) -> None:
        """Connect a tensor's stream to a unit's input, through a width converter and a FIFO as needed."""
        carrier = source_of(self.graph, tensor)
        key = f"{carrier}#{node.name}#{position}"
        source, lanes = streams[key if key in streams else carrier]
        # what has fewer channels than the unit takes lanes (a number a pixel) comes as it is
        wanted = min(self.plan.units[node.name].folding.simd, self.graph.tensors[tensor].shape[2])
        values = self.graph.tensors[tensor].range
        name = f"{self.unit_names[node.name]}_{position}"
        if lanes != wanted:
            converter = WidthConverter(shape=values, lanes_in=lanes, lanes_out=wanted)
            m.submodules[f"width_{name}"] = converter
            wiring.connect(m, source, converter.i)
            source = converter.o
        depth = self.plan.fifo.get((node.name, tensor), 0)
        if depth:
            fifo = StreamFifo(shape=values, lanes=wanted, depth=depth, target=self.target)
            m.submodules[f"fifo_{name}"] = fifo
            wiring.connect(m, source, fifo.i)
            source = fifo.o
        wiring.connect(m, source, port)

    def _tap(self, m: Module, node: Node, source: stream.Interface) -> None:
        for tap in self.taps:
            if tap.node == node.name:
                valid, payload = (
                    getattr(self, f"tap_{tap.index}_valid"),
                    getattr(self, f"tap_{tap.index}_payload"),
                )
                m.d.comb += [valid.eq(source.valid & source.ready), payload.eq(source.payload.as_value())]
