"""What a patchable design's hardware was made for, so that other weights are given the same hardware.

patch.json, schema 1: ``units``, one a layer in order: its kind and shapes, its folding, and the price of a
block RAM that its hardware was chosen by; and ``moulds``, one for each layer with weights
(`passes/patchable.py`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.layers.folding import Folding
from hwgen.layers.weighted import Weighted
from hwgen.passes import patchable
from hwgen.passes.patchable import Mould
from hwgen.plan.plan import Plan, finish
from hwgen.support.errors import UnsupportedError, UsageError
from hwgen.support.files import write_atomic
from hwgen.targets import Target

CAST = "patch.json"
SCHEMA = 1


@dataclass(frozen=True)
class Unit:
    """layer: what it is, in words. folding, bram_luts: how it was built."""

    layer: str
    folding: Folding
    bram_luts: int


@dataclass(frozen=True)
class Cast:
    """See the module."""

    units: tuple[Unit, ...]
    moulds: tuple[Mould, ...]

    @classmethod
    def of(cls, graph: Graph, plan: Plan, moulds: list[Mould]) -> Cast:
        """That of a graph in its moulds, as planned."""
        units = tuple(
            Unit(layer_words(graph, unit.node), unit.folding, unit.target.bram_luts)
            for unit in plan.units.values()
        )
        return cls(units, tuple(moulds))

    def fill(self, graph: Graph, target: Target) -> tuple[Graph, Plan]:
        """Another network of the architecture (after the passes) in the same hardware.

        UnsupportedError lists what is not the same architecture, or does not fit the moulds.
        """
        nodes = [node for node in graph.nodes if node.kind != "reshape"]
        items = [
            f"layer {at}: {layer_words(graph, node)}; the hardware is for {unit.layer}"
            for at, (node, unit) in enumerate(zip(nodes, self.units))
            if layer_words(graph, node) != unit.layer
        ]
        if len(nodes) != len(self.units):
            items.append(f"{len(nodes)} layers; the hardware has {len(self.units)}")
        if items:
            raise UnsupportedError(items, where=graph.name, hint="build it")
        filled = patchable.run(graph, list(self.moulds))
        foldings = {node.name: unit.folding for node, unit in zip(nodes, self.units)}
        targets = {
            node.name: replace(target, bram_luts=unit.bram_luts) for node, unit in zip(nodes, self.units)
        }
        return filled, finish(filled, foldings, targets, target)

    def write(self, folder: Path) -> None:
        """patch.json."""
        facts = {
            "schema": SCHEMA,
            "units": [
                {"layer": u.layer, "folding": asdict(u.folding), "bram_luts": u.bram_luts} for u in self.units
            ],
            "moulds": [mould.as_dict() for mould in self.moulds],
        }
        write_atomic(folder / CAST, json.dumps(facts, indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Cast:
        """From patch.json; UsageError if it is not there or not understood."""
        try:
            facts: dict[str, Any] = json.loads((folder / CAST).read_text())
            if facts["schema"] != SCHEMA:
                raise ValueError(f"schema {facts['schema']}")
            units = tuple(
                Unit(each["layer"], Folding(**each["folding"]), each["bram_luts"]) for each in facts["units"]
            )
            return cls(units, tuple(Mould.of(each) for each in facts["moulds"]))
        except FileNotFoundError as error:
            raise UsageError(
                "was not built to be patched", where=str(folder), hint="build it with --patchable"
            ) from error
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(
                f"cannot be understood: {error}", where=str(folder / CAST), hint="build again"
            ) from error


def layer_words(graph: Graph, node: Node) -> str:
    """Kind and shapes of a layer, and the value of pixels outside its image."""
    shapes = " and ".join("x".join(map(str, tensor.shape)) for tensor in graph.node_inputs(node))
    text = f"{node.kind} of {shapes} to {'x'.join(map(str, graph.tensors[node.output].shape))}"
    if isinstance(node, Weighted):
        text += f", {node.window}"
        text += f", {node.pad_value} outside the image" if any(node.window.pad) else ""
    return text
