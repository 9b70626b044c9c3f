"""A program that gives out every layer's tensor when it is complete, for comparison layer by layer.

The hardware is the same; only the program has more instructions. So a network is verified at every layer on
the very bitstream that runs it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hwgen.numeric.rounding import Ints
from hwgen.plan.systolic.edges import give
from hwgen.plan.systolic.lower import Lowered
from hwgen.program.image import MOST_OUTPUTS, Image
from hwgen.program.instructions import Give, Instruction, Load, assemble


@dataclass(frozen=True, eq=False)
class Tapped:
    """image: of the program with taps. tensors: what it gives out, in that order."""

    lowered: Lowered
    image: Image
    tensors: tuple[str, ...]

    def expected(self, values: dict[str, Ints]) -> Ints:
        """The engine's output bytes, (N, bytes), for the golden model's tensors (N, H, W, C)."""
        parts = []
        for name in self.tensors:
            x = values[name] - self.lowered.where[name].offset
            parts.append(x.reshape(len(x), -1))
        return np.concatenate(parts, axis=1)

    def locate(self, place: int) -> tuple[str, tuple[int, int, int]]:
        """Tensor and (y, x, channel) of an output byte."""
        for name in self.tensors:
            shape = self.lowered.graph.tensors[name].shape
            size = shape[0] * shape[1] * shape[2]
            if place < size:
                y, x, c = (int(each) for each in np.unravel_index(place, shape))
                return name, (y, x, c)
            place -= size
        raise IndexError(place)


def tapped(lowered: Lowered, *, every_layer: bool = True) -> Tapped:
    """With every_layer; else the program as it is. BadProgram where it gets too long for the array."""
    image, graph = lowered.image, lowered.graph
    if not every_layer:
        return Tapped(lowered, image, lowered.outputs)
    inputs = {edge.tensor for edge in graph.inputs}
    known = [(place, name) for name, place in lowered.where.items() if name not in inputs]
    ordered = sorted(known, key=lambda each: each[0].after)
    program: list[Instruction] = []
    names: list[str] = []
    for number, instruction in enumerate(image.program):
        for place, name in ordered:
            if place.after == number:
                program += give(place, image.array)
                names.append(name)
        if not isinstance(instruction, Give):
            program.append(instruction)
    moved = _even(len(assemble(program))) - _even(len(assemble(image.program)))
    program = [_moved(each, 2 * moved) for each in program]
    given = sum(graph.tensors[name].size for name in names)
    changed = replace(image, program=tuple(program), outputs=min(given, MOST_OUTPUTS))
    changed.to_bytes()
    return Tapped(lowered, changed, tuple(names))


def _even(words: int) -> int:
    return words + words % 2


def _moved(instruction: Instruction, distance: int) -> Instruction:
    """A Load of what lies behind the program, when the program is `distance` bytes longer."""
    if not isinstance(instruction, Load):
        return instruction
    first = (instruction.high << 16 | instruction.low) + distance
    return replace(instruction, high=first >> 16, low=first & 0xFFFF)
