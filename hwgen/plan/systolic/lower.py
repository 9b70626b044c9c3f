"""An integer graph and an array to an image: the engine's program and its weights.

The graph is what `hwgen.passes` leave after merging pads and fusing activations (not after `widen_columns`:
the engine's addresses do that). Steps: every layer's numbers (fit.py), places in memory (arrange.py,
memory.py), loops (dense.py, depthwise.py, pool.py, addition.py with tiling.py), weights (streaming.py),
instructions.
Everything that does not work is found before anything is written, and named in one UnsupportedError.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.layers.add.op import Add
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.maxpool.op import MaxPool
from hwgen.layers.staircase.op import Step
from hwgen.layers.sumpool.op import SumPool
from hwgen.layers.window import Window
from hwgen.numeric.rounding import Ints
from hwgen.plan.systolic.addition import Weighing, addition, weighing
from hwgen.plan.systolic.arrange import Arrangement, arrange, flattened
from hwgen.plan.systolic.concat import separated
from hwgen.plan.systolic.dense import dense
from hwgen.plan.systolic.depthwise import depthwise
from hwgen.plan.systolic.edges import give, take
from hwgen.plan.systolic.fit import Numbers, Unfit, pooled, weighted
from hwgen.plan.systolic.inner import INSIDE, Raised, Rise
from hwgen.plan.systolic.job import Job, TooMuch
from hwgen.plan.systolic.layout import Place, View
from hwgen.plan.systolic.maxima import added, pair
from hwgen.plan.systolic.maxima import numbers as numbers_of
from hwgen.plan.systolic.memory import Halos, allocate
from hwgen.plan.systolic.pool import pool
from hwgen.plan.systolic.reach import Reaches
from hwgen.plan.systolic.streaming import Stream, stream
from hwgen.program.array import Array
from hwgen.program.image import Image
from hwgen.program.instructions import BadProgram, End, Instruction, assemble
from hwgen.support.errors import UnsupportedError


@dataclass(frozen=True, eq=False)
class Lowered:
    """image: what the board's flash holds. where: a place for each tensor that the engine computes.

    layers: the node that each instruction works for (Fills count for the layer whose output they surround).
    tail: nodes that the host computes of `outputs`, the tensors in the order in which they leave the engine.
    """

    graph: Graph
    image: Image
    where: dict[str, Place]
    layers: dict[int, str]
    outputs: tuple[str, ...]
    tail: tuple[Node, ...] = ()

    def enter(self, values: dict[str, Ints]) -> NDArray[np.int8]:
        """The engine's input bytes for one inference: integers (H, W, C) by tensor name."""
        parts = []
        for edge in self.graph.inputs:
            x = np.asarray(values[edge.tensor]) - self.where[edge.tensor].offset
            parts.append(x.astype(np.int8).ravel())
        return np.concatenate(parts)

    def leave(self, given: NDArray[np.int8]) -> dict[str, Ints]:
        """Integers (H, W, C) by the names of `outputs` for the engine's output bytes."""
        result, at = {}, 0
        for name in self.outputs:
            shape, size = self.graph.tensors[name].shape, self.graph.tensors[name].size
            part = given[at : at + size].astype(np.int64) + self.where[name].offset
            result[name], at = part.reshape(shape), at + size
        return result


Numbered = Numbers | Weighing


@dataclass(eq=False)
class _Lowering:
    """What is known so far."""

    graph: Graph
    array: Array
    problems: list[str] = field(default_factory=list)
    numbers: dict[str, Numbered] = field(default_factory=dict)

    def attempt(self, node: Node, make: Callable[[], Numbered]) -> None:
        """A layer's numbers, or a problem."""
        try:
            self.numbers[node.name] = make()
        except Unfit as error:
            self.problems.append(f"{node.name}: {error}")

    def stop(self) -> None:
        """Raise all problems, if there are any."""
        if self.problems:
            where = f"{self.graph.name} on a systolic array of {self.array.rows}x{self.array.columns}"
            raise UnsupportedError(self.problems, where=where)


def lower(graph: Graph, array: Array) -> Lowered:
    """See the module. UnsupportedError lists everything that the array cannot do or hold."""
    original, graph = graph, separated(added(flattened(graph), array), array)
    work = _Lowering(graph, array)
    arrangement = arrange(graph, array, work.problems.append)
    work.stop()
    _numbers(work, arrangement)
    peak = allocate(arrangement.storages, array)
    if peak is not None:
        work.problems.append(
            f"activations: {peak} bytes are in use at once, the array has {array.activation_bytes}"
        )
    work.stop()
    jobs: dict[str, Job] = {}
    owned: dict[str, list[str]] = {}
    for node in arrangement.nodes:
        if node.name in work.numbers:
            try:
                for job in _jobs(node, work.numbers[node.name], arrangement, array):
                    jobs[f"{node.name}#{len(jobs)}"] = job
                    owned.setdefault(node.name, []).append(f"{node.name}#{len(jobs) - 1}")
            except TooMuch as error:
                work.problems.append(f"{node.name}: {error}")
    work.stop()
    inputs = sum(graph.tensors[edge.tensor].size for edge in graph.inputs)
    outputs = sum(graph.tensors[name].size for name in arrangement.outputs)
    try:
        none = Stream(b"", runs={name: [*job.runs] for name, job in jobs.items()})
        bare, _, _ = _program(work, arrangement, owned, jobs, none)
        plan = stream(jobs, array, inputs, array.program_words - len(assemble(bare)))
        program, where, layers = _program(work, arrangement, owned, jobs, plan)
        words = len(assemble(program))
        program = plan.addressed(program, 32 + 2 * (words + words % 2) + len(plan.resident))
        image = Image(array, tuple(program), plan.resident, plan.later, inputs, outputs)
        image.to_bytes()
    except (BadProgram, TooMuch) as error:
        work.problems.append(f"program: {error}")
    work.stop()
    where = {name: place for name, place in where.items() if name in original.tensors}
    return Lowered(original, image, where, layers, tuple(arrangement.outputs), tuple(arrangement.tail))


def _numbers(work: _Lowering, arrangement: Arrangement) -> None:
    """Every layer's numbers."""
    graph, array, views = work.graph, work.array, arrangement.views
    reaches = Reaches(graph)
    for node in arrangement.nodes:
        offsets = tuple(views[name].offset for name in (*node.inputs, node.output))
        if isinstance(node, Conv | Depthwise):
            two = offsets[0], offsets[1]
            work.attempt(node, partial(weighted, node, graph, reaches, array, two))
        elif isinstance(node, Rise | Raised):
            work.attempt(node, partial(numbers_of, node, array))
        elif isinstance(node, SumPool | MaxPool | Step):
            two = offsets[0], offsets[1]
            work.attempt(node, partial(pooled, node, graph, reaches, array, two))
        elif isinstance(node, Add):
            spans = [reaches.values[name] for name in node.inputs]
            a, b = (np.arange(lo.min(), hi.max() + 1) for lo, hi in spans)
            three = offsets[0], offsets[1], offsets[2]
            work.attempt(node, partial(weighing, node, (a, b), three, array))


def _jobs(node: Node, numbers: Numbered, arrangement: Arrangement, array: Array) -> list[Job]:
    """A layer's loops and weights, one after the other."""
    inputs = [arrangement.views[name] for name in node.inputs]
    out = arrangement.views[node.output]
    if isinstance(numbers, Weighing):
        return addition(numbers, inputs[0], inputs[1], out, array)
    if isinstance(node, Rise):
        (x,), (dy, dx) = inputs, node.shift
        return pair(numbers, x, dy * x.row + dx * x.pixel, (1, 1), out, array)
    if isinstance(node, Raised):
        return pair(numbers, inputs[0], inputs[1].address - inputs[0].address, node.stride, out, array)
    if isinstance(node, Conv):
        return dense(node, numbers, inputs[0], out, array)
    if isinstance(node, Depthwise):
        return depthwise(node.window, numbers, inputs[0], out, array)
    if isinstance(node, SumPool | MaxPool):
        return pool(node.window, numbers, inputs[0], out, array, isinstance(node, MaxPool))
    return depthwise(Window(), numbers, inputs[0], out, array)


def _program(
    work: _Lowering,
    arrangement: Arrangement,
    owned: dict[str, list[str]],
    jobs: dict[str, Job],
    plan: Stream,
) -> tuple[list[Instruction], dict[str, Place], dict[int, str]]:
    """Instructions (offsets of Loads count from the first later byte), places, instructions' layers."""
    graph, array, views = work.graph, work.array, arrangement.views
    halos = Halos(array)
    program: list[Instruction] = []
    where: dict[str, Place] = {}
    layers: dict[int, str] = {}

    def emit(instructions: list[Instruction], layer: str) -> None:
        for each in instructions:
            layers[len(program)] = layer.split(INSIDE)[0]
            program.append(each)

    def complete(name: str) -> None:
        view: View = views[name]
        where[name] = Place(len(program), view.address, view.row, view.pixel, view.shape, view.offset)

    emit(list(plan.first), "")
    for edge in graph.inputs:
        storage = views[edge.tensor].storage
        taking = take(storage, graph.tensors[edge.tensor].shape[2], array)
        for each in taking:
            halos.took(each)
        emit([*taking, *halos.fills(storage)], edge.tensor)
        complete(edge.tensor)
    for node in arrangement.nodes:
        if node.name in owned:
            emit(list(halos.fills(views[node.output].storage)), node.name)
        for key in owned.get(node.name, []):
            emit(plan.runs[key], node.name)
            for run in jobs[key].runs:
                halos.ran(run)
        complete(node.output)
    for name in arrangement.outputs:
        emit(list(give(views[name], array)), name)
    emit([End()], "")
    return program, where, layers
