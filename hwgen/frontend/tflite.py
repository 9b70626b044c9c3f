"""TensorFlow Lite model files (int8 and uint8) to the IR, exact to a named runtime.

`runtime`: "tflm" (TFLite Micro, also CMSIS-NN and LiteRT up to 1.2 with reference kernels) or
"litert" (LiteRT 1.3 and later, reference kernels: FULLY_CONNECTED multiplies by the real scale).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from hwgen.frontend.context import ImportContext
from hwgen.frontend.tflite_edges import Edges, find_edges
from hwgen.frontend.tflite_fold import fold
from hwgen.frontend.tflite_schema import Model, parse
from hwgen.ir.graph import Graph
from hwgen.ir.node import IllegalNode
from hwgen.ir.tensor import Tensor
from hwgen.layers.requantize import NoStaircase
from hwgen.layers.tflite import QUANTIZED, Operation
from hwgen.support.errors import ModelError, UnsupportedError, UsageError
from hwgen.support.registry import modules

RUNTIMES = ("tflm", "litert")
_FLOAT_HINT = "quantise it to int8 first (full integer post-training quantisation)"


@cache
def operations() -> tuple[dict, dict]:
    """(CHECKS, IMPORTERS) of all layers by TFLite operator name."""
    checks: dict = {}
    importers: dict = {}
    for module in modules("hwgen.layers", "importers_tflite"):
        checks |= module.CHECKS
        importers |= module.IMPORTERS
    return checks, importers


def load(data: bytes, name: str, runtime: str = "tflm") -> Graph:
    """The graph of a .tflite file.

    Raises ModelError for a file that is damaged or contradicts itself, UnsupportedError with
    everything that hwgen does not do, before any work is done.
    """
    if runtime not in RUNTIMES:
        raise UsageError(f"runtime {runtime!r} is none of {', '.join(RUNTIMES)}")
    model = parse(data)
    remaining = fold(model)
    edges, inner, complaints = find_edges(model, remaining)
    refuse(model, inner, complaints, edges.missing)
    return build(inner, edges, name, runtime)


def refuse(model: Model, inner: list[Operation], complaints: list[str], missing: list[str]) -> None:
    """Raise one UnsupportedError for all complaints."""
    activations = [t for t in model.tensors if t.data is None]
    if not any(t.dtype in QUANTIZED for t in activations) and any(t.dtype == "FLOAT32" for t in activations):
        raise UnsupportedError(["a floating-point model"], hint=_FLOAT_HINT)
    checks, _ = operations()
    for op in inner:
        if op.kind not in checks:
            complaints.append(_unknown(op))
        elif not op.inputs or op.inputs[0] is None:
            raise ModelError("operation without an input", where=str(op))
        else:
            complaints += [f"{op}: {text}" for text in checks[op.kind](op)]
    if complaints or missing:
        raise UnsupportedError(complaints or missing, hint="change the model or cut it there")


def _unknown(op: Operation) -> str:
    made = f" making {op.output}" if op.output.name else ""
    if op.kind == "DEQUANTIZE":
        return f"{op}{made}: its float result is used inside the model; hwgen computes integers only"
    if any(x is not None and x.dtype == "FLOAT32" for x in op.inputs):
        return f"{op}{made}: computes with floats; hwgen computes integers only"
    return f"{op}{made}: hwgen has no such operation"


def build(inner: list[Operation], edges: Edges, name: str, runtime: str) -> Graph:
    """Run the importers of a model without complaints."""
    _, importers = operations()
    graph = Graph(name, runtime)
    ctx = ImportContext(graph, runtime)
    for edge, operand in edges.inputs:
        tensor = Tensor(edge.tensor, operand.image, operand.limits, operand.name)
        with _located(str(operand)):
            graph.add_input(edge, tensor)
        ctx.alias(operand, tensor)
    for op in inner:
        with _located(str(op)):
            importers[op.kind](op, ctx)
    for edge in edges.outputs(ctx):
        graph.add_output(edge)
    if not graph.nodes:
        raise UnsupportedError(["the model computes nothing"])
    return graph


@contextmanager
def _located(where: str) -> Iterator[None]:
    """Errors of layers and numbers, with the place in the file."""
    try:
        yield
    except IllegalNode as error:
        raise ModelError(str(error), where=where) from error
    except NoStaircase as error:
        raise UnsupportedError([f"{where}: {error}"], hint="the model has no exact result") from error
