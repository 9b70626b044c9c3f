"""Gives every layer that has weights a form that depends on their shapes and codes alone, so that others of
the same architecture take their place in the finished bitstream (`hwgen patch`).

A *mould* is what of such a layer's hardware the first weights decide once and for all: which values weights
may take, and the frame of the line that is its activation (`numeric/frame.py`). The next weights must fit it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwgen.ir.graph import Graph
from hwgen.layers.softmax.op import Softmax
from hwgen.layers.weighted import Weighted
from hwgen.numeric.frame import Frame, LineFrame, StepFrame, frame_of
from hwgen.numeric.framed import NoLine, fit_into, frame_for
from hwgen.numeric.ranges import Range
from hwgen.support.errors import UnsupportedError

NARROW = 4  # bits of activations that have a comparison a step
FEW = 3  # levels that are kept as they are: binary and ternary codes


@dataclass(frozen=True)
class Mould:
    """code: sorted values that weights may take. frame: of the activation."""

    code: tuple[int, ...]
    frame: Frame

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; a code of neighbours by its ends."""
        ends = [self.code[0], self.code[-1]]
        dense = len(self.code) == ends[1] - ends[0] + 1
        return (
            {"range": ends} | ({} if dense else {"code": list(self.code)}) | {"frame": self.frame.as_dict()}
        )

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Mould:
        """From `as_dict`."""
        low, high = facts["range"]
        return cls(tuple(facts.get("code", range(low, high + 1))), frame_of(facts["frame"]))


def weighted(graph: Graph) -> list[Weighted]:
    """The layers that have a mould, in order."""
    return [node for node in graph.nodes if isinstance(node, Weighted)]


def moulds(graph: Graph, operand: int | None) -> list[Mould]:
    """One for each of `weighted`. operand: signed bits of the chip's hard multipliers,
    None if it has few or none.

    UnsupportedError lists the layers that cannot have one.
    """
    found, items = [], []
    for node in weighted(graph):
        try:
            found.append(_mould(node, operand))
        except NoLine as reason:
            items.append(f"{node.name} ({node.kind}): {reason}")
    if items:
        raise UnsupportedError(items, where="--patchable")
    return found


def _mould(node: Weighted, operand: int | None) -> Mould:
    if node.act is None or node.values is not None or node.act.pixel_rows is not None:
        raise NoLine("its activation is not one of its accumulator alone")
    span = Range(node.levels[0], node.levels[-1])
    code = node.levels
    if len(code) > FEW:
        full = Range.bits(span.width, span.signed)
        # symmetrical codes leave the lowest value out
        code = tuple(range(full.lo + (full.signed and span.lo > full.lo), full.hi + 1))
    out = node.act.range
    if out.width <= NARROW:
        full = Range.bits(out.width, out.signed)
        return Mould(code, StepFrame((full.lo, full.hi)))
    zeros = np.zeros(node.act.rows, dtype=np.int64)
    full = Range.bits(max(out.width, 8), out.signed)
    return Mould(code, frame_for(node.act, zeros, [full, out], operand))


def run(graph: Graph, given: list[Mould]) -> Graph:
    """The graph in its moulds. UnsupportedError lists the layers whose weights or steps do not fit them."""
    layers = {id(node): mould for node, mould in zip(weighted(graph), given, strict=True)}
    nodes, items = [], []
    for node in graph.nodes:
        if isinstance(node, Softmax):
            node = replace(node, exchanged=True)
        elif isinstance(node, Weighted) and node.act is not None:
            mould = layers[id(node)]
            outside = sorted(set(node.levels) - set(mould.code))
            if outside:
                codes = f"{mould.code[0]} .. {mould.code[-1]}" if len(mould.code) > FEW else str(mould.code)
                items.append(
                    f"{node.name} ({node.kind}): a weight is {outside[0]}, the hardware takes {codes}"
                )
            act = replace(node.act, frame=mould.frame)
            try:
                if isinstance(mould.frame, LineFrame):
                    fit_into(act, np.zeros(act.rows, dtype=np.int64), mould.frame)
                elif act.reached not in mould.frame.out:
                    raise NoLine(f"outputs are {act.reached}; the hardware has {mould.frame.out}")
            except NoLine as reason:
                items.append(f"{node.name} ({node.kind}): {reason}")
            node = replace(node, code=mould.code, act=act)
        nodes.append(node)
    if items:
        raise UnsupportedError(items, where=graph.name)
    return graph.rebuilt(nodes)
