"""Float graph inputs that a chain of float32 operations leads to a quantiser: the host's work, in steps.

The chain and its quantiser together are a monotone function from float32 to integers. Its steps are found
like those of any staircase, by bisection, over the 2^32 float32 values in their order: exact for all of them.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwgen.ir.tensor import HostSteps, Shape
from hwgen.layers.onnx_operation import Operation
from hwgen.layers.onnx_values import Context, Entry, Index, Plane, Raw, Real, Source, arranged
from hwgen.layers.requantize_onnx import Floats, Scheme
from hwgen.numeric.rounding import Ints, ints
from hwgen.numeric.staircase import Staircase

_SIGN = np.int64(0x80000000)
LARGEST = 0x7F7FFFFF
"""The code of the largest float32."""


def decode(code: NDArray) -> Floats:
    """The float32 of each code: codes are consecutive in the order of the values, 0 for zero.

    Beyond the largest number lies infinity."""
    magnitude = np.minimum(np.abs(code), LARGEST + 1)
    return np.where(code < 0, magnitude | _SIGN, magnitude).astype(np.uint32).view(np.float32)


class EntrySource(Source):
    """A float graph input; its "integers" are codes of float32 values.

    shape, order: set once something has asked for its channels (index: position in the tensor then)."""

    few = False

    def __init__(self, entry: Entry, shape: Shape | None = None, order: Index | None = None) -> None:
        super().__init__(ints([-LARGEST]), ints([LARGEST]))
        self.entry, self.tensor_shape, self.order = entry, shape, order

    def emit(self, ctx: Context, op: Operation, act: Staircase | None, out: Scheme) -> Plane:
        """The input as integers that the host makes."""
        assert act is not None
        rows = [s[s <= act.hi[r]] for r, s in enumerate(act.steps)]
        thresholds = tuple(tuple(decode(row).tolist()) for row in rows)
        steps = HostSteps(thresholds, _tuple(act.base), _tuple(act.sign))
        plane = ctx.entered_in_steps(self.entry, steps, act.range)
        if self.order is None or self.tensor_shape is None:
            return plane
        tensor = ctx.settle(plane, self.tensor_shape, self.order)
        return Plane(out.dtype, tensor.range, tensor)

    def shape(self, ctx: Context) -> Shape:
        """Shape of the tensor, by default one vector."""
        return self.tensor_shape or (1, 1, prod(self.entry.dims))


def entry_real(x: Raw) -> Real:
    """The floats themselves, before any operation."""
    return Real(EntrySource(x.entry), decode, x.index)


def settled_entry(real: Real) -> Real:
    """The same real in terms of the tensor that its input will be: NCHW is an image, all else a vector."""
    source = real.source
    assert isinstance(source, EntrySource)
    if source.order is not None:
        return real
    dims = real.index.shape
    if len(dims) == 4:
        shape, order = (dims[2], dims[3], dims[1]), real.index[0].transpose(1, 2, 0).ravel()
        index = arranged(shape, dims)
    else:
        shape, order = (1, 1, real.index.size), real.index.ravel()
        index = np.arange(real.index.size, dtype=np.int32).reshape(dims)
    return replace(real, source=EntrySource(source.entry, shape, order), index=index)


def _tuple(values: Ints) -> tuple[int, ...]:
    return tuple(int(v) for v in values)
