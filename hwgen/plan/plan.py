"""The plan: how every layer is folded, what it should cost, and when its pixels appear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from math import gcd
from types import ModuleType
from typing import Any

from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.layers.folding import Folding
from hwgen.plan.schedule import Schedule, Stage, schedule
from hwgen.support.registry import modules
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources


@dataclass(frozen=True)
class Unit:
    """One layer in the plan. target: the family, with the price of a block RAM that the layer's hardware
    chooses its forms by. cycles: clocks of work per inference. multipliers: products a clock at its peak.
    cost: estimate."""

    node: Node
    folding: Folding
    target: Target
    cycles: int
    multipliers: int
    cost: Resources


@dataclass(frozen=True)
class Plan:
    """units in graph order (reshapes have none). target: the family. fifo[node, tensor]: beats that the FIFO
    in front of a join holds. schedule: the predicted timing."""

    units: dict[str, Unit]
    target: Target
    fifo: dict[tuple[str, str], int]
    schedule: Schedule
    input_lanes: dict[str, int]

    @property
    def cost(self) -> Resources:
        """Estimate of the whole pipeline."""
        return sum((unit.cost for unit in self.units.values()), Resources())

    @property
    def multipliers(self) -> int:
        """Products computed a clock, all layers together."""
        return sum(unit.multipliers for unit in self.units.values())


@cache
def estimates() -> dict[str, ModuleType]:
    """estimate.py of every layer, by its kind."""
    return {module.__name__.split(".")[-2]: module for module in modules("hwgen.layers", "estimate")}


def ask(node: Node, graph: Graph, question: str, *arguments: Any) -> Any:
    """Answer of the layer's estimate.py to one of the questions of layers/folding.py."""
    function: Callable[..., Any] = getattr(estimates()[node.kind], question)
    return function(node, graph.node_inputs(node), *arguments)


def cost_of(node: Node, graph: Graph, folding: Folding, target: Target) -> Resources:
    """What a layer's unit takes, as the family counts it."""
    cost: Resources = ask(node, graph, "cost", folding, target)
    return target.occupied(cost)


def source_of(graph: Graph, tensor: str) -> str:
    """The tensor that really carries the stream: reshapes are only another name for it."""
    producer = graph.producer(tensor)
    while producer is not None and producer.kind == "reshape":
        tensor = producer.inputs[0]
        producer = graph.producer(tensor)
    return tensor


def finish(graph: Graph, foldings: dict[str, Folding], targets: dict[str, Target], target: Target) -> Plan:
    """Complete a choice of foldings, and of targets' prices: stream lanes that fit together, schedule, FIFO
    depths."""
    foldings = _matched(graph, foldings)
    units = {}
    for node in graph.nodes:
        if node.kind == "reshape":
            continue
        folding = foldings[node.name]
        cycles = _cycles(node, graph, folding)
        multipliers = ask(node, graph, "multipliers", folding) if node.weight_count() else 0
        own = targets[node.name]
        units[node.name] = Unit(node, folding, own, cycles, multipliers, cost_of(node, graph, folding, own))
    input_lanes = {edge.tensor: _input_lanes(graph, edge.tensor, foldings) for edge in graph.inputs}
    timing = schedule(_stages(graph, foldings, input_lanes))
    fifo = {}
    slack = 2  # pixels: the hardware's latencies are a few clocks off the schedule's
    for node in graph.nodes:
        for tensor in node.inputs:
            held = timing.depth.get((node.output, tensor))
            if held is not None:
                words = -(-graph.tensors[tensor].shape[2] // foldings[node.name].simd)
                fifo[node.name, tensor] = (held + slack) * words
    return Plan(units, target, fifo, timing, input_lanes)


def behind_buffer(graph: Graph, plan: Plan, clocks: int) -> Schedule:
    """Of one inference whose input comes a beat every so many clocks."""
    foldings = {name: unit.folding for name, unit in plan.units.items()}
    stages = _stages(graph, foldings, plan.input_lanes)
    slow = [replace(s, interval=clocks * s.interval) if not s.inputs else s for s in stages]
    return schedule(slow, frames=1)


def _cycles(node: Node, graph: Graph, folding: Folding) -> int:
    """Clocks of work an inference."""
    if hasattr(estimates()[node.kind], "work"):
        exact: int = ask(node, graph, "work", folding)
        return exact
    height, width, _ = graph.tensors[node.output].shape
    pixels: int = height * width * ask(node, graph, "interval", folding)
    return pixels


def _matched(graph: Graph, foldings: dict[str, Folding]) -> dict[str, Folding]:
    """Widen output lanes where that makes the ratio to every reader's lanes whole."""
    matched = dict(foldings)
    for node in graph.nodes:
        if node.kind == "reshape" or node.name not in foldings:
            continue
        folding = matched[node.name]
        readers = [matched[r.name].simd for r in _readers(graph, node.output)]
        for lanes in (d for d in range(folding.lanes, folding.pe + 1) if folding.pe % d == 0):
            if all(lanes % r == 0 or r % lanes == 0 for r in readers):
                matched[node.name] = Folding(folding.simd, folding.pe, lanes, folding.product)
                break
    return matched


def _readers(graph: Graph, tensor: str) -> list[Node]:
    found = []
    for node in graph.consumers(tensor):
        found += _readers(graph, node.output) if node.kind == "reshape" else [node]
    return found


def _input_lanes(graph: Graph, tensor: str, foldings: dict[str, Folding]) -> int:
    lanes = [foldings[node.name].simd for node in _readers(graph, tensor)]
    return gcd(*lanes) if lanes else 1


def _stages(graph: Graph, foldings: dict[str, Folding], input_lanes: dict[str, int]) -> list[Stage]:
    stages = []
    for edge in graph.inputs:
        tensor = graph.tensors[edge.tensor]
        order = range(tensor.shape[0] * tensor.shape[1])
        clocks = -(-tensor.shape[2] // input_lanes[edge.tensor])
        stages.append(Stage(edge.tensor, (), order, order, clocks, 0, None))
    for node in graph.nodes:
        if node.kind == "reshape":
            stages.append(_reshape_stage(graph, node))
            continue
        part = ask(node, graph, "stage", foldings[node.name])
        stages.append(
            Stage(
                node.output,
                node.inputs,
                part.needed,
                part.first,
                part.interval,
                part.latency,
                part.capacity,
                part.queue,
            )
        )
    return stages


def _reshape_stage(graph: Graph, node: Node) -> Stage:
    """No hardware: it only regroups the same elements into other pixels."""
    (before,), after = graph.node_inputs(node), graph.tensors[node.output]
    channels_in, channels_out = before.shape[2], after.shape[2]
    pixels = after.shape[0] * after.shape[1]
    needed = [((p + 1) * channels_out - 1) // channels_in for p in range(pixels)]
    first = [p * channels_out // channels_in for p in range(pixels)]
    return Stage(node.output, node.inputs, needed, first, 0, 0, -(-channels_out // channels_in) + 1)
