"""Quantised ONNX models (QDQ and QOperator) to the IR, exact to a named onnxruntime arithmetic.

`runtime`:
"ort"        onnxruntime with optimisations disabled (ORT_DISABLE_ALL). QLinear operations are integer
             and equal to the last bit; between DequantizeLinear and QuantizeLinear everything elementwise
             is equal to the last bit, and convolutions, dense layers and means are summed exactly, where
             onnxruntime rounds each float32 addition in an order of its own (layers/conv/importers_onnx.py,
             layers/sumpool/importers_onnx.py). QLinearAveragePool is such a mean too.
"ort-fused"  the integer arithmetic of onnxruntime's QLinear operations wherever its optimiser
             (ORT_ENABLE_EXTENDED and above) may put one in place of Dequantize-op-Quantize. Equal to the
             last bit where it does; with int8 activations on x86 it leaves some of them in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from hwgen.frontend.onnx import constants
from hwgen.frontend.onnx.context import ImportContext, Skipped
from hwgen.frontend.onnx.proto import Model, parse
from hwgen.ir.graph import Graph
from hwgen.ir.node import IllegalNode
from hwgen.layers.onnx_values import Context, Damaged, Operation, Unsupported, Value
from hwgen.support.errors import ModelError, UnsupportedError, UsageError
from hwgen.support.registry import modules

RUNTIMES = ("ort", "ort-fused")
_DOMAINS = ("", "com.microsoft")
_QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")
_QONNX = ("Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold")
_HINT = "see the list of operations in the README"


@cache
def importers() -> dict[str, Callable[[Operation, Context], Value]]:
    """Importers of all layers by ONNX operator name."""
    found: dict[str, Callable[[Operation, Context], Value]] = dict(constants.IMPORTERS)
    for module in modules("hwgen.layers", "importers_onnx"):
        found |= module.IMPORTERS
    return found


def load(data: bytes, name: str, runtime: str = "ort") -> Graph:
    """The graph of an .onnx file.

    Raises ModelError for a file that is damaged or contradicts itself, UnsupportedError with
    everything that hwgen does not do.
    """
    if runtime not in RUNTIMES:
        raise UsageError(f"runtime {runtime!r} is none of {', '.join(RUNTIMES)}")
    model = parse(data)
    wanted = needed(model)
    refuse(wanted)
    graph = Graph(name, runtime)
    ctx = ImportContext(graph, model, runtime)
    complaints: list[str] = []
    for op in wanted:
        _run(op, ctx, complaints)
    for position, output in enumerate(model.outputs):
        edge = Operation(len(model.nodes) + position, "output", "", output, (output,), (output,), {})
        _guarded(edge, complaints, partial(ctx.leave, output, edge))
    if complaints:
        raise UnsupportedError(complaints, hint=_HINT)
    if not graph.nodes:
        raise UnsupportedError(["the model computes nothing on integers"], hint=_HINT)
    return graph


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


def refuse(wanted: list[Operation]) -> None:
    """Raise one UnsupportedError for a float model, or for all operators that hwgen does not have."""
    if any(op.kind in _QONNX for op in wanted):
        raise UnsupportedError(
            [f"a QONNX model ({next(op for op in wanted if op.kind in _QONNX)})"],
            hint="export it with QuantizeLinear and DequantizeLinear (QDQ)",
        )
    if not any(op.kind in _QUANTIZERS or op.kind.startswith(("QLinear", "QGemm")) for op in wanted):
        raise UnsupportedError(
            ["a floating-point model (no QuantizeLinear, no QLinear operation)"],
            hint="quantise it first, e.g. with onnxruntime.quantization.quantize_static",
        )
    known = importers()
    complaints = []
    for op in wanted:
        if op.domain not in _DOMAINS:
            complaints.append(f"{op}: operators of domain {op.domain}")
        elif op.kind not in known:
            complaints.append(f"{op}: hwgen has no such operation")
    if complaints:
        raise UnsupportedError(complaints, hint=_HINT)


def _run(op: Operation, ctx: ImportContext, complaints: list[str]) -> None:
    for name in op.outputs:
        if name and name in ctx.values:
            raise ModelError(f"makes {name}, which is there already", where=str(op))

    def build() -> None:
        if not op.outputs:
            raise Damaged("has no output")
        ctx.values[op.outputs[0]] = importers()[op.kind](op, ctx)

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
