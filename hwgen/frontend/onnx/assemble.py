"""A parsed ONNX file to a graph: importers by operator, run in order, every complaint collected."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from hwgen.frontend.onnx import constants
from hwgen.frontend.onnx.context import ImportContext, Skipped
from hwgen.frontend.onnx.edges import leave
from hwgen.frontend.onnx.proto import Model
from hwgen.ir.graph import Graph
from hwgen.ir.node import IllegalNode
from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.onnx_values import Context, Value
from hwgen.support.errors import ModelError, UnsupportedError
from hwgen.support.registry import modules

HINT = "see the list of operations in the README"
Importer = Callable[[Operation, Context], Value | tuple[Value | None, ...]]
"""Gives the first output of an operation, or all of them."""


@cache
def importers() -> dict[str, Importer]:
    """Importers of all layers by operator name."""
    found: dict[str, Importer] = dict(constants.IMPORTERS)
    for module in modules("hwgen.layers", "importers_onnx") + modules("hwgen.layers", "importers_qonnx"):
        found |= module.IMPORTERS
    return found


def needed(model: Model) -> list[Operation]:
    """Nodes that outputs depend on, in the file's order."""
    made = {name for op in model.nodes for name in op.outputs if name}
    missing = [name for name in model.outputs if name not in made]
    if missing:
        raise ModelError(f"nothing makes the output {missing[0]}")
    wanted = set(model.outputs)
    kept = []
    for op in reversed(model.nodes):
        if wanted.intersection(op.outputs):
            kept.append(op)
            wanted.update(op.inputs)
    return kept[::-1]


def unknown(wanted: list[Operation], domains: tuple[str, ...]) -> list[str]:
    """Complaints about all operators that hwgen does not have."""
    known = importers()
    complaints = []
    for op in wanted:
        if op.domain not in domains:
            complaints.append(f"{op}: operators of domain {op.domain}")
        elif op.kind not in known:
            complaints.append(f"{op}: hwgen has no such operation")
    return complaints


def assemble(model: Model, wanted: list[Operation], name: str, runtime: str) -> Graph:
    """The graph of the nodes `wanted`. UnsupportedError with everything that hwgen does not do."""
    graph = Graph(name, runtime)
    ctx = ImportContext(graph, model, runtime)
    complaints: list[str] = []
    for op in wanted:
        _run(op, ctx, complaints)
    for position, output in enumerate(model.outputs):
        edge = Operation(len(model.nodes) + position, "output", "", output, (output,), (output,), {})
        _guarded(edge, complaints, partial(leave, ctx, graph, output, edge))
    if complaints:
        raise UnsupportedError(complaints, hint=HINT)
    if not graph.nodes:
        raise UnsupportedError(["the model computes nothing on integers"], hint=HINT)
    return graph


def _run(op: Operation, ctx: ImportContext, complaints: list[str]) -> None:
    for name in op.outputs:
        if name and name in ctx.values:
            raise ModelError(f"makes {name}, which is there already", where=str(op))

    def build() -> None:
        if not op.outputs:
            raise Damaged("has no output")
        made = importers()[op.kind](op, ctx)
        for name, value in zip(op.outputs, made if isinstance(made, tuple) else (made,)):
            ctx.values[name] = value

    for name in op.outputs:
        ctx.values[name] = None  # what reads a refused node's output is not complained about
    _guarded(op, complaints, build)


def _guarded(op: Operation, complaints: list[str], action: Callable[[], None]) -> None:
    """Run an importer; collect what is unsupported, place what is damaged."""
    try:
        with np.errstate(all="ignore"):  # hostile scales overflow; importers look at the result
            action()
    except Skipped:
        pass
    except Unsupported as error:
        complaints.append(f"{op}: {error}")
    except (Damaged, IllegalNode) as error:
        raise ModelError(str(error), where=str(op)) from error
