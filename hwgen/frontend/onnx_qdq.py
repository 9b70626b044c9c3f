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

from hwgen.frontend.onnx.assemble import HINT, assemble, needed, unknown
from hwgen.frontend.onnx.proto import Model, parse
from hwgen.ir.graph import Graph
from hwgen.layers.onnx_operation import Operation
from hwgen.support.errors import UnsupportedError, UsageError

RUNTIMES = ("ort", "ort-fused")
_DOMAINS = ("", "com.microsoft")
QONNX = ("qonnx.", "onnx.brevitas", "finn.")
"""What domains of QONNX's and FINN's operators begin with; hwgen.frontend.qonnx reads them."""
_QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")


def load(data: bytes, name: str, runtime: str = "ort") -> Graph:
    """The graph of an .onnx file.

    Raises ModelError for a file that is damaged or contradicts itself, UnsupportedError with
    everything that hwgen does not do.
    """
    check_runtime(runtime)
    return load_model(parse(data), name, runtime)


def check_runtime(runtime: str) -> None:
    """UsageError for one that is not of this front end."""
    if runtime not in RUNTIMES:
        raise UsageError(f"runtime {runtime!r} is none of {', '.join(RUNTIMES)}")


def load_model(model: Model, name: str, runtime: str = "ort") -> Graph:
    """The graph of a parsed file."""
    check_runtime(runtime)
    wanted = needed(model)
    refuse(model, wanted)
    return assemble(model, wanted, name, runtime)


def refuse(model: Model, wanted: list[Operation]) -> None:
    """Raise one UnsupportedError for a float model, or for all operators that hwgen does not have."""
    strange = unknown(wanted, _DOMAINS)
    foreign = [op for op in wanted if op.domain.startswith(QONNX)]
    if foreign:
        raise UnsupportedError([f"a QONNX model ({foreign[0]})"], hint="its arithmetic has the name qonnx")
    if not any(op.kind in _QUANTIZERS or op.kind.startswith(("QLinear", "QGemm")) for op in wanted):
        raise UnsupportedError(
            ["a floating-point model (no QuantizeLinear, no QLinear operation)", *model.complaints, *strange],
            hint="quantise it first, e.g. with onnxruntime.quantization.quantize_static",
        )
    if model.complaints or strange:
        raise UnsupportedError([*model.complaints, *strange], hint=HINT)
