"""CONCATENATION of TFLite. Source: TensorFlow Lite concatenation.cc: int8 inputs are copied as they are, so
that scales must be equal; uint8 of equal scales is copied as well."""

from __future__ import annotations

from collections.abc import Iterator

from hwgen.layers.concat.op import Concat
from hwgen.layers.tflite import Context, Operation, check_activations, check_same_type

MAX_INPUTS = 16


def check(op: Operation) -> Iterator[str]:
    """Complaints about a CONCATENATION."""
    operands = [x for x in op.inputs if x is not None]
    if len(operands) != len(op.inputs) or not 1 <= len(operands) <= MAX_INPUTS:
        yield f"{len(op.inputs)} inputs, 1 to {MAX_INPUTS} without gaps are supported"
        return
    constants = [x for x in operands if x.data is not None]
    complaints = [*check_activations(op, *operands, op.output), *check_same_type(op, *operands, op.output)]
    complaints += [f"{x} is a constant" for x in constants]
    if op.options["fused_activation"]:
        complaints.append("a fused activation, which the runtime does not take here")
    yield from complaints
    if complaints:
        return
    rank = len(op.output.shape)
    if op.options["axis"] not in (-1, rank - 1):
        yield f"axis {op.options['axis']} of rank {rank}; the last, the channels', is supported"
    for x in operands:
        if x.scale != op.output.scale or x.zero_point != op.output.zero_point:
            yield (
                f"{x} has scale {x.scale:g} and zero point {x.zero_point}, its output {op.output.scale:g} "
                f"and {op.output.zero_point}; the runtime wants them equal"
            )
        if len(x.shape) != rank or x.image[:2] != op.output.image[:2]:
            yield f"{x} of shape {x.shape} in an output of shape {op.output.shape}"


def build(op: Operation, ctx: Context) -> None:
    """A chain of `concat`; one input is the output under another name."""
    joined = ctx.tensor(op.input(0))
    for i in range(1, len(op.inputs)):
        following = ctx.tensor(op.input(i))
        place = ctx.place(op, inside=i < len(op.inputs) - 1)
        joined = ctx.add(op, Concat(**place, inputs=(joined.name, following.name)))
    if len(op.inputs) == 1:
        ctx.alias(op.output, joined)


CHECKS = {"CONCATENATION": check}
IMPORTERS = {"CONCATENATION": build}
