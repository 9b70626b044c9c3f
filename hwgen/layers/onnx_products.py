"""The product of a convolution's sums and K, exact to the float32 of every pair that matters.

y = fl(g(acc) * h(S)), with g and h as float32 computes them: multiples of z = m acc + c and of S up to a few
roundings. So y is near a multiple of P = z S, from below or above by a relative error that g and h show when
they are tried one by one. Where a staircase of P comes out the same at both ends of that error, no rounding
matters. A product that it may matter for is taken apart into all pairs that give it, and each pair's float32
result is tried.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwgen.ir.tensor import Shape
from hwgen.layers.onnx_levels import Whole
from hwgen.layers.onnx_linear import MAX_IDENTITY, LinearSource
from hwgen.layers.onnx_operation import Operation, Unsupported
from hwgen.layers.onnx_strength import StrengthSource, strengths
from hwgen.layers.onnx_values import Context, Plane, Real, Source, Value, arranged
from hwgen.layers.requantize_onnx import Floats, Scheme, exact_in_float32
from hwgen.layers.scale.op import Scale
from hwgen.numeric.rounding import Ints, ints
from hwgen.numeric.staircase import Staircase, from_function

MAX_ERROR = 2.0**-18  # of g and h, relative: more is a bias, or no multiple at all
MAX_TRIED, MAX_SUMS = 1 << 14, 1 << 24
_ROUNDING = 2.0**-24


def scaled(a: Value, b: Value, ctx: Context) -> Real | None:
    """A convolution's result times K; None if these are not the two."""
    for acc, k in ((a, b), (b, a)):
        if not isinstance(acc, Real) or not isinstance(k, Real) or not isinstance(k.source, StrengthSource):
            continue
        if not isinstance(acc.source, LinearSource):
            raise Unsupported("a product with K of anything but a convolution's result")
        shape, factor = acc.source.shape(ctx), ctx.place(k.source.plane).shape
        index = arranged(shape, (1, shape[2], *shape[:2]))
        if factor[:2] != shape[:2] or not np.array_equal(acc.index, index):
            raise Unsupported(f"a product of sums of {shape} and K of {factor}: their pixels differ")
        source = ProductSource(acc, k, shape)
        return Real(source, source.nominal, index, doubt=(source.least, source.most))
    return None


class ProductSource(Source):
    """P = z * S; a row for every channel. z = factor * acc + offset: what a convolution's sum stands for."""

    few = False

    def __init__(self, acc: Real, k: Real, shape: Shape) -> None:
        assert isinstance(acc.source, LinearSource) and isinstance(k.source, StrengthSource)
        if acc.noise is not None or k.noise is not None or acc.doubt or k.doubt:
            raise Unsupported(
                "a product of float32 sums that round in an order of the runtime's own; scale behind the "
                "convolution, by a Mul, or by powers of two"
            )
        self.linear, self.strength, self.tensor_shape = acc.source, k.source, shape
        first, last = self.linear.lo, self.linear.hi
        count = int((last - first).max()) + 1
        if count * len(first) > MAX_SUMS:
            raise Unsupported(f"{count * len(first)} different sums before K; up to {MAX_SUMS} are supported")
        q = np.minimum(first[:, None] + np.arange(count)[None, :], last[:, None])
        self.g = np.broadcast_to(np.asarray(acc.chain(q), dtype=np.float32), q.shape)
        self.h = strengths(k, k.source.plane.range.hi)
        self.factor, self.offset = _integers_behind(q, self.g.astype(np.float64))
        self.z = self.factor * q + self.offset[:, None]
        step, errors = _multiples(self.z, self.g)
        unit, more = _multiples(np.arange(len(self.h))[None, :], self.h[None, :])
        self.unit = step * unit
        least, most = self.z[:, 0] * (len(self.h) - 1), self.z[:, -1] * (len(self.h) - 1)
        super().__init__(np.minimum(least, 0), np.maximum(most, 0))
        self.largest = int(max(-self.lo.min(), self.hi.max()))
        exact = errors + more == 0 and exact_in_float32(self.unit, self.largest)
        self.error = 0.0 if exact else errors + more + 3 * _ROUNDING  # of the product, and of these bounds
        self.keys, self.values = ints([]), np.zeros((3, 0), dtype=np.float32)
        self.unsure: set[tuple[int, int]] = set()

    def nominal(self, product: Ints) -> Floats:
        """What float32 makes of each product, up to roundings."""
        return self._floats(product, 0.0, 0)

    def least(self, product: Ints) -> Floats:
        """The least that it may make of any pair with this product."""
        return self._floats(product, -self.error, -1)

    def most(self, product: Ints) -> Floats:
        """The most."""
        return self._floats(product, self.error, 1)

    def _floats(self, product: Ints, error: float, side: int) -> Floats:
        value = product * self.unit[:, None]
        result = (value + error * np.abs(value)).astype(np.float32)
        if not len(self.keys):
            return result
        keys = _key(np.arange(len(result))[:, None], product)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        tried: Floats = np.where(self.keys[at] == keys, self.values[1 + side][at], result)
        return tried

    def decide(self, found: list[Staircase], wholes: list[Whole]) -> bool:
        """Try the pairs of all products that roundings could move over a step; Unsupported if they differ."""
        fresh = _between(found) - self.unsure
        if not fresh:
            self._check(wholes)
            return False
        unsure = sorted(self.unsure | fresh)
        if len(unsure) > MAX_TRIED:
            raise Unsupported(
                f"the product with K: {len(unsure)} products up to {self.largest} lie within float32 "
                "rounding of a threshold, more than can be tried; scales of few bits are exact"
            )
        values: list[tuple[np.float32, np.float32, np.float32]] = []
        for row, product in unsure:
            seen = [y for _, _, y in self._pairs(row, product)]
            if not seen:  # no pair gives it: as the product before it
                follows = values and (row, product - 1) == unsure[len(values) - 1]
                seen = list(values[-1]) if follows else [self.least_of(row, product)]
            values.append((min(seen), seen[0], max(seen)))
        rows, products = np.array(unsure, dtype=np.int64).T
        self.keys, self.values = _key(rows, products), np.array(values, dtype=np.float32).T
        self.unsure |= fresh
        return True

    def least_of(self, row: int, product: int) -> np.float32:
        """`least` of one product."""
        return np.float32(product * self.unit[row] - self.error * abs(product * self.unit[row]))

    def _pairs(self, row: int, product: int) -> list[tuple[int, int, np.float32]]:
        """(z, S, float32 result) of all pairs with this product."""
        z, places = np.unique(self.z[row], return_index=True)
        z, places = z[z != 0], places[z != 0]
        fits = (product % z == 0) & (product // z >= 0) & (product // z < len(self.h))
        pairs = zip(z[fits].tolist(), places[fits].tolist())
        return [(v, product // v, self.g[row, place] * self.h[product // v]) for v, place in pairs]

    def _check(self, wholes: list[Whole]) -> None:
        """Every pair of a product that was tried gives the same integer, and these rise or fall with it."""
        by_row: dict[int, list[int]] = {}
        for row, product in sorted(self.unsure):
            by_row.setdefault(row, []).append(product)
        for row, tried in by_row.items():
            products = np.array(tried, dtype=np.int64)
            asked = np.repeat(products[None, :], len(self.lo), axis=0)
            results = np.stack([whole(asked)[row] for whole in wholes])
            for product in products[np.any(results != results[0], axis=0)].tolist():
                pairs = sorted(self._pairs(row, product), key=lambda pair: pair[2])
                (a, b, _), (c, d, _) = pairs[0], pairs[-1]
                raise Unsupported(
                    f"the product with K: float32 puts the pairs {a} * {b} and {c} * {d}, both {product}, on "
                    f"different sides of a threshold (channel {row}); scales of few bits are exact"
                )
            change = np.diff(results[0])
            if np.any(change > 0) and np.any(change < 0):
                raise Unsupported(
                    f"the product with K: float32 puts {tried[0]}..{tried[-1]} out of their order about a "
                    f"threshold (channel {row}); scales of few bits are exact"
                )

    def emit(self, ctx: Context, op: Operation, act: Staircase | None, out: Scheme) -> Plane:
        """The convolution with its sums as they are, and the product with the staircase."""
        if act is None:
            raise Unsupported("a product with K that is not quantised; put a quantiser behind it")
        first, last = self.linear.lo, self.linear.hi
        if self.factor * int((last - first).max()) * len(first) > MAX_IDENTITY:
            raise Unsupported("a convolution of too many different sums before the product with K")
        whole = from_function(lambda q: self.factor * q + self.offset[:, None], first, last)
        sums = self.linear.once(ctx, op.inner(), whole, Scheme(1.0, 0, "int32"))
        tensors = ctx.place(sums), ctx.place(self.strength.plane)
        tensor = ctx.add(op, Scale, tensors, act=act)
        return Plane(out.dtype, tensor.range, tensor)

    def shape(self, ctx: Context) -> Shape:
        """The convolution's."""
        return self.tensor_shape


def _integers_behind(q: Ints, g: NDArray[np.float64]) -> tuple[int, Ints]:
    """(factor, offset) of z = factor * acc + offset[r]: whole numbers that g is a multiple of."""
    span = q[:, -1] - q[:, 0]
    rise = g[:, -1] - g[:, 0]
    if np.any((span == 0) & (g[:, 0] != 0)) or np.any((span > 0) & (rise == 0)):
        raise Unsupported("a product with K of a constant")
    with np.errstate(divide="ignore", invalid="ignore"):
        zero = np.where(span > 0, q[:, 0] - g[:, 0] * span / rise, q[:, 0])
    half = np.rint(2 * zero)
    if np.any(np.abs(2 * zero - half) > 1e-2):
        raise Unsupported("a bias between the convolution and its product with K")
    factor = 1 if np.all(half % 2 == 0) else 2
    return factor, (-factor * half / 2).astype(np.int64)


def _multiples(z: Ints, g: Floats) -> tuple[NDArray[np.float64], float]:
    """(step, error): g = z * step, each row, up to a relative error."""
    rows = np.arange(len(z))
    at = np.abs(z).argmax(axis=1)
    largest = z[rows, at]
    step = np.where(largest == 0, 0.0, g[rows, at].astype(np.float64) / np.where(largest == 0, 1, largest))
    ideal = z * step[:, None]
    if np.any(g[z == 0] != 0):
        raise Unsupported("a bias between the convolution and its product with K")
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.where(ideal == 0, 0.0, np.abs(g - ideal) / np.abs(ideal))
    error = float(errors.max())
    if not error <= MAX_ERROR:
        raise Unsupported(
            "a product with K of anything but multiples of a sum (a clamp, or a bias before it)"
        )
    return step, error


def _key(row: NDArray, product: Ints) -> Ints:
    """One number for both, in the order of rows, then products."""
    return (row << 40) + product


def _between(found: list[Staircase]) -> set[tuple[int, int]]:
    """(row, product) wherever the staircases differ."""
    first, *others = found
    unsure: set[tuple[int, int]] = set()
    for other in others:
        if other.steps.shape != first.steps.shape or np.any(other.base != first.base):
            raise Unsupported("the product with K: its range of results hangs on float32 rounding")
        for row, at in np.argwhere(other.steps != first.steps).tolist():
            low, high = sorted((int(other.steps[row, at]), int(first.steps[row, at])))
            unsure |= {(row, product) for product in range(low, min(high, low + MAX_TRIED))}
    return unsure
