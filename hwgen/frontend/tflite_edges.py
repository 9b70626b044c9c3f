"""Where a TFLite model meets its user: integer tensors as they are, float ones through (DE)QUANTIZE."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hwgen.frontend.context import ImportContext
from hwgen.frontend.tflite_schema import Model
from hwgen.ir.tensor import Affine, Edge
from hwgen.layers.tflite import QUANTIZED, Operand, Operation, check_shape

_INDEX_TYPES = ("INT32", "INT64")


@dataclass
class Edges:
    """inputs: (edge, the quantised tensor behind it); results: (model output, quantised tensor).

    missing: complaints about outputs without a result, of interest where nothing else explains them.
    """

    inputs: list[tuple[Edge, Operand]] = field(default_factory=list)
    results: list[tuple[Operand, Operand]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def outputs(self, ctx: ImportContext) -> list[Edge]:
        """The output edges, once the graph's tensors are there."""
        outsides = [outside for outside, _ in self.results]
        return [
            _edge(_name(outside, outsides), outside, ctx.tensor(inside).name, inside)
            for outside, inside in self.results
        ]


def find_edges(model: Model, operations: list[Operation]) -> tuple[Edges, list[Operation], list[str]]:
    """(edges, operations between them, complaints)."""
    edges, complaints, used = Edges(), [], set()
    for operand in model.inputs:
        readers = [op for op in operations if operand in op.inputs]
        inside = operand
        if operand.dtype == "FLOAT32" and len(readers) == 1 and _is_entry(readers[0]):
            used.add(readers[0].index)
            inside = readers[0].output
        problems = list(_input_complaints(operand, inside, bool(readers)))
        complaints += [f"model input {text}" for text in problems]
        if not problems:
            edges.inputs.append(
                (_edge(_name(operand, model.inputs), operand, f"t{inside.index}", inside), inside)
            )
    makers = {operand.index: op for op in operations for operand in op.outputs}
    for operand in model.outputs:
        maker = makers.get(operand.index)
        if operand.dtype in QUANTIZED or operand.dtype in _INDEX_TYPES:
            inside = operand
        elif maker is not None and _is_exit(maker):
            used.add(maker.index)
            inside = maker.input(0)
        else:
            edges.missing.append(f"model output {operand} is {operand.dtype} and no 8-bit result")
            continue
        complaints += [f"model output {text}" for text in check_shape(operand)]
        edges.results.append((operand, inside))
    return edges, [op for op in operations if op.index not in used], complaints


def _input_complaints(outside: Operand, inside: Operand, used: bool) -> Iterator[str]:
    """Complaints about a model input and the tensor that a QUANTIZE makes of it."""
    if outside.dtype == "FLOAT32" and inside is outside:
        yield f"{outside} is float and not quantised at once; export with int8 input or a QUANTIZE behind it"
        return
    if inside.dtype not in QUANTIZED:
        yield f"{outside} is {outside.dtype}; int8, uint8 or float32 is needed"
        return
    if not used:
        yield f"{outside} is not used by the model"
    if outside.shape != inside.shape:
        yield f"{outside} changes its shape as it is quantised"
    yield from check_shape(inside)
    if inside.scales.size != 1:
        yield f"{inside} has {inside.scales.size} scales; exactly one is needed"
    if inside.data is not None:
        yield f"{inside} is a constant"


def _is_entry(op: Operation) -> bool:
    return op.kind == "QUANTIZE" and len(op.outputs) == 1 and op.output.dtype in QUANTIZED


def _is_exit(op: Operation) -> bool:
    """A DEQUANTIZE of an 8-bit activation."""
    if op.kind != "DEQUANTIZE" or len(op.inputs) != 1 or op.inputs[0] is None:
        return False
    x = op.inputs[0]
    same = op.output.dtype == "FLOAT32" and op.output.shape == x.shape
    return same and x.dtype in QUANTIZED and x.scales.size == 1 and x.data is None


def _edge(name: str, outside: Operand, tensor: str, inside: Operand) -> Edge:
    affine = None
    if outside is not inside:
        affine = Affine(float(inside.scale), inside.zero_point, "away")
    return Edge(name, tensor, outside.shape[1:], outside.dtype.lower(), affine)


def _name(operand: Operand, siblings: list[Operand]) -> str:
    """The tensor's name, with its number where it has none or is not the only one of that name."""
    shared = sum(other.name == operand.name for other in siblings) > 1
    return f"{operand.name or 'tensor'}_{operand.index}" if shared or not operand.name else operand.name
