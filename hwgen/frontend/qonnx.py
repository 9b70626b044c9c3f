"""QONNX models (Brevitas', QKeras' and FINN's exports) to the IR, exact to QONNX's own executor.

`runtime` "qonnx": every node in float32 by itself, as qonnx.core.onnx_exec runs it. Weights are evaluated to
integers; whatever stands between an accumulator and the next quantiser (scales, biases, batch normalisation,
ReLU) is executed in float32, operation by operation, for the integers around each step, and becomes one
staircase. Sums are exact in float32 where scales are 1 or powers of two; elsewhere onnxruntime rounds each
addition in an order of its own. There the exact sum is rounded once, and graph.notes names the thresholds
that lie so near a tie that it may matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from hwgen.frontend.onnx.assemble import HINT, assemble, needed, unknown
from hwgen.frontend.onnx.proto import Model, parse
from hwgen.frontend.onnx_qdq import QONNX
from hwgen.ir.graph import Graph
from hwgen.numeric.ranges import Range
from hwgen.support.errors import ModelError, UnsupportedError, UsageError

RUNTIMES = ("qonnx",)
_DOMAINS = ("", "qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
_MAX_INPUT_BITS = 8


def speaks(model: Model) -> bool:
    """Whether a file uses QONNX's operators."""
    return any(op.domain.startswith(QONNX) for op in model.nodes)


def load(data: bytes, name: str, runtime: str = "qonnx") -> Graph:
    """The graph of an .onnx file.

    Raises ModelError for a file that is damaged or contradicts itself, UnsupportedError with
    everything that hwgen does not do.
    """
    return load_model(parse(data), name, runtime)


def load_model(model: Model, name: str, runtime: str = "qonnx") -> Graph:
    """The graph of a parsed file."""
    if runtime not in RUNTIMES:
        raise UsageError(f"a QONNX model runs in the arithmetic of qonnx, not of {runtime}")
    wrong = list(_contradictions(model))
    if wrong:
        raise ModelError(" | ".join(wrong), hint="correct the annotations (finn_datatype) or the weights")
    wanted = needed(model)
    complaints = [*model.complaints, *_annotated_inputs(model), *unknown(wanted, _DOMAINS)]
    if complaints:
        raise UnsupportedError(complaints, hint=HINT)
    return assemble(model, wanted, name, runtime)


def held(datatype: str) -> Range | None:
    """What a QONNX integer data type holds; None for types that are no integers."""
    named = {"BINARY": Range(0, 1), "BIPOLAR": Range(-1, 1), "TERNARY": Range(-1, 1)}
    if datatype in named:
        return named[datatype]
    match = re.fullmatch(r"(U?)INT([1-9]\d?)", datatype)
    return Range.bits(int(match[2]), signed=not match[1]) if match else None


def _contradictions(model: Model) -> Iterator[str]:
    """Constants whose values are not of the type that their annotation claims."""
    for name, datatype in model.datatypes.items():
        array, limits = model.constants.get(name), held(datatype)
        if not isinstance(array, np.ndarray) or limits is None or not array.size:
            continue
        if not np.array_equal(array, np.rint(array)):
            yield f"{name} is annotated {datatype} but holds numbers that are no integers"
        elif array.min() < limits.lo or array.max() > limits.hi:
            yield f"{name} is annotated {datatype} but holds {array.min():g}..{array.max():g}"
        elif datatype == "BIPOLAR" and not np.all(array):
            yield f"{name} is annotated BIPOLAR but holds zeros"


def _annotated_inputs(model: Model) -> Iterator[str]:
    """Mark float inputs that hold integers as their annotation says; complaints about wide ones."""
    for port in model.inputs:
        datatype = model.datatypes.get(port.name, "")
        limits = held(datatype) if port.dtype == "float32" else None
        if limits is None:
            continue
        if limits.width > _MAX_INPUT_BITS:
            yield f"input {port.name} is {datatype}; up to {_MAX_INPUT_BITS} bits are supported"
        port.whole = limits
