"""ADD of TFLite. Source: TensorFlow Lite add.cc (Prepare), integer_ops/add.h.

Each input is rescaled to a common scale of twice the larger one with 20 more bits, the sums are
rescaled to the output. The rescaled inputs are tables; a constant operand leaves only one of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hwgen.layers.add.op import Add
from hwgen.layers.requantize import requantize
from hwgen.layers.staircase.op import Step
from hwgen.layers.tflite import (
    QUANTIZED,
    Context,
    Operand,
    Operation,
    activation_limits,
    check_activations,
    check_fused,
    check_same_type,
)
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints, ints, multiply_double_rounding, quantize_multiplier
from hwgen.numeric.staircase import Staircase, from_function

LEFT_SHIFT = 20


def check(op: Operation) -> Iterator[str]:
    """Complaints about an ADD."""
    if len(op.inputs) != 2 or op.inputs[1] is None:
        yield "needs two inputs"
        return
    constants = [x for x in (op.input(0), op.input(1)) if x.data is not None]
    activations = [x for x in (op.input(0), op.input(1)) if x.data is None]
    complaints = [
        *check_activations(op, *activations, op.output),
        *check_same_type(op, op.input(0), op.input(1), op.output),
        *check_fused(op),
    ]
    complaints += [f"{x} has {x.scales.size} scales" for x in constants if x.scales.size != 1]
    yield from complaints
    if complaints:
        return
    if len(constants) == 2:
        yield "adds two constants"
    elif constants and not _per_channel(constants[0], activations[0]):
        yield f"adds a constant of shape {constants[0].shape}; one value or one a channel is supported"
    elif not constants and op.input(0).image != op.input(1).image:
        yield f"adds shapes {op.input(0).shape} and {op.input(1).shape}; broadcasting is not supported"
    if _output_multiplier(op) >= 1.0:
        yield f"output scale {op.output.scale} is too small beside the inputs' for the runtime"


def _per_channel(constant: Operand, x: Operand) -> bool:
    size = 1 if constant.data is None else constant.data.size
    last = constant.shape[-1] if constant.shape else 1
    return size == 1 or (size == last == x.image[2])


def _twice_larger(op: Operation) -> float:
    return 2.0 * float(max(op.input(0).scale, op.input(1).scale))


def _output_multiplier(op: Operation) -> float:
    return _twice_larger(op) / ((1 << LEFT_SHIFT) * float(op.output.scale))


def rescaled(op: Operation, operand: Operand, values: Ints) -> Ints:
    """What the runtime makes of an input's integers before it adds."""
    multiplier, shift = quantize_multiplier(float(operand.scale) / _twice_larger(op))
    return multiply_double_rounding((values - operand.zero_point) << LEFT_SHIFT, multiplier, shift)


def build(op: Operation, ctx: Context) -> None:
    """Two activations: `add`. One and a constant: a staircase, with a row a channel if it needs them."""
    a, b = op.input(0), op.input(1)
    if a.data is not None or b.data is not None:
        _build_constant(op, ctx, *((b, a) if a.data is not None else (a, b)))
        return
    x, y = ctx.tensor(a), ctx.tensor(b)
    tables = tuple(rescaled(op, o, np.arange(t.range.lo, t.range.hi + 1)) for o, t in ((a, x), (b, y)))
    reach = Range(sum(int(t[0]) for t in tables), sum(int(t[-1]) for t in tables))
    ctx.add(
        op,
        Add(
            **ctx.place(op),
            inputs=(x.name, y.name),
            tables=(tables[0], tables[1]),
            offsets=(x.range.lo, y.range.lo),
            act=_rounding(op, reach),
        ),
    )


def _rounding(op: Operation, reach: Range) -> Staircase:
    return requantize(reach.lo, reach.hi, _output_multiplier(op), op.output.zero_point, activation_limits(op))


def _build_constant(op: Operation, ctx: Context, moving: Operand, constant: Operand) -> None:
    x = ctx.tensor(moving)
    assert constant.data is not None
    addends = rescaled(op, constant, constant.data.astype(np.int64).ravel())[:, None]
    limits = QUANTIZED[moving.dtype]
    ends = rescaled(op, moving, ints([limits.lo, limits.hi]))
    act = _rounding(op, Range(int(ends[0] + addends.min()), int(ends[1] + addends.max())))

    def f(values: Ints) -> Ints:
        return act.row(0, rescaled(op, moving, values) + addends)

    rows = len(addends)
    steps = from_function(f, np.full(rows, x.range.lo), np.full(rows, x.range.hi))
    ctx.add(op, Step(**ctx.place(op), inputs=(x.name,), act=steps))


CHECKS = {"ADD": check}
IMPORTERS = {"ADD": build}
