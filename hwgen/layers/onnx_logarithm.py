"""Logarithms, powers of two and rounding between an accumulator and what quantises it.

Log-quantised activations come as plain operations: Relu, Log, Mul by 1 / ln 2, Round, Clip, Pow(2, .); with a
sign as Mul(Sign(x), f(Abs(x))). The chain joins a staircase (layers/onnx_levels.py). Runtimes approximate
Log: onnxruntime 1.31 is off by up to 3 units in the last place, measured over 2 million float32. Here it
is rounded once, and thresholds that a few units could move are noted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hwgen.ir.tensor import Shape
from hwgen.layers.onnx_elementwise import folded, real_input
from hwgen.layers.onnx_entry import LARGEST, EntrySource, decode
from hwgen.layers.onnx_operation import Operation, Unsupported
from hwgen.layers.onnx_values import Const, Context, Plane, Real, Source, Value
from hwgen.layers.requantize_onnx import Floats, Scheme
from hwgen.numeric.rounding import Ints, ints
from hwgen.numeric.staircase import Staircase

UNITS = 4  # in the last place, that a runtime's logarithm may be off by


class MagnitudeSource(Source):
    """|x| of a real that has a sign; its "integers" are codes of the floats that are not negative."""

    few = False

    def __init__(self, inner: Real) -> None:
        super().__init__(ints([0]), ints([LARGEST]))
        self.inner = inner

    def emit(self, ctx: Context, op: Operation, act: Staircase | None, out: Scheme) -> Plane:
        """It has no integers of its own."""
        raise Unsupported("an absolute value; only its product with the Sign of the same tensor is supported")

    def shape(self, ctx: Context) -> Shape:
        """The inner real's."""
        return self.inner.source.shape(ctx)


def log(op: Operation, ctx: Context) -> Value:
    """ln(x)."""
    real = _float_input(op, ctx)
    if isinstance(real, Const):
        return Const(_log(real.array))
    inner = (real.chain, *real.doubt)
    doubt = [_off(chain, units) for chain in inner for units in (-UNITS, UNITS)]
    return replace(real.mapped(_log), doubt=tuple(doubt))


def _log(x: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(np.asarray(x, dtype=np.float64)).astype(np.float32)


def _off(chain: Callable[[Ints], Floats], units: int) -> Callable[[Ints], Floats]:
    def moved(q: Ints) -> Floats:
        y = _log(np.asarray(chain(q), dtype=np.float32))
        return np.where(np.isfinite(y), y + np.float32(units) * np.spacing(np.abs(y)), y).astype(np.float32)

    return moved


def exp(op: Operation, ctx: Context) -> Value:
    """e^x."""

    def function(x: Floats) -> Floats:
        return np.exp(np.asarray(x, dtype=np.float64)).astype(np.float32)

    return _mapped(op, ctx, function)


def rounded(function: Callable[[Floats], Floats]) -> Callable[[Operation, Context], Value]:
    """Round, Floor, Ceil."""

    def importer(op: Operation, ctx: Context) -> Value:
        value = _mapped(op, ctx, function)
        return value if isinstance(value, Const) else replace(value, rounds=True)

    return importer


def power(op: Operation, ctx: Context) -> Value:
    """A constant to the power of x, or of a constant (batch normalisation that an exporter wrote out)."""
    base, exponent = ctx.array(op, 0, "the base"), ctx.value(op, 1)
    if isinstance(exponent, Const):
        return folded(base, exponent.array.astype(base.dtype), np.power)
    if base.size != 1 or not base.ravel()[0] > 1:
        raise Unsupported("a power whose base is not one constant above 1")
    radix = np.float32(base.ravel()[0])
    return _mapped(op, ctx, lambda x: np.power(radix, x).astype(np.float32), 1)


def sign(op: Operation, ctx: Context) -> Value:
    """-1, 0 or 1."""
    real = _float_input(op, ctx)
    if isinstance(real, Const):
        return Const(np.sign(real.array))
    return replace(real.mapped(np.sign), sign_of=real, rounds=True)


def absolute(op: Operation, ctx: Context) -> Value:
    """|x|: the same where nothing is negative, else a magnitude that waits for its sign."""
    real = _float_input(op, ctx)
    if isinstance(real, Const):
        return Const(np.abs(real.array))
    ends = np.stack([real.source.lo, real.source.hi], axis=1)
    with np.errstate(all="ignore"):
        if np.all(np.asarray(real.chain(ends)) >= 0):
            return real
    return Real(MagnitudeSource(real), decode, real.index)


def combined(a: Value, b: Value) -> Real | None:
    """The product of two functions of one tensor, which rises or falls as a whole; None if it may not.

    Sign(x) * f(|x|), f not below 0; or two functions as in `product`.
    """
    if isinstance(a, Real) and isinstance(b, Real):
        return _signed(a, b) or product(a, b)
    return None


def _signed(a: Real, b: Real) -> Real | None:
    for first, second in ((a, b), (b, a)):
        x, magnitude = first.sign_of, second.source
        if x is None or not isinstance(magnitude, MagnitudeSource) or not _same(x, magnitude.inner):
            continue
        ends = np.asarray(second.chain(np.array([[1, LARGEST]], dtype=np.int64)))
        if not np.all((ends[:, 0] >= 0) & (ends[:, 1] >= ends[:, 0])):
            raise Unsupported("a Sign times a function of the absolute value that is negative or falls")

        def chain(q: Ints, of: Callable[[Ints], Floats], x: Real = x) -> Floats:
            value = np.asarray(x.chain(q), dtype=np.float32)
            with np.errstate(all="ignore"):
                size = np.asarray(of(np.abs(value).view(np.int32).astype(np.int64)), dtype=np.float32)
                return np.where(value == 0, np.float32(0), np.sign(value) * size)

        parts = [lambda q, of=of: chain(q, of) for of in (second.chain, *second.doubt)]
        result = replace(x, chain=parts[0], doubt=tuple(parts[1:]), rounds=second.rounds)
        return replace(result, scheme=None, fused=None, host=None)
    return None


def product(a: Real, b: Real) -> Real | None:
    """f(x) * g(x), both at least 0 and both rising, or falling, in each row; None for any other two."""
    if a.source is not b.source or not np.array_equal(a.index, b.index):
        return None
    ends = np.stack([a.source.lo, a.source.hi], axis=1)
    with np.errstate(all="ignore"):
        first, second = (np.asarray(real.chain(ends)) for real in (a, b))
    rise, climb = (np.sign(each[:, 1] - each[:, 0]) for each in (first, second))
    if not np.all(np.minimum(first, second) >= 0) or np.any(rise * climb < 0):
        return None
    pairs = [(a.chain, b.chain), *((c, b.chain) for c in a.doubt), *((a.chain, c) for c in b.doubt)]
    chains = [lambda q, f=f, g=g: f(q) * g(q) for f, g in pairs]
    noise = a.noise if b.noise is None else b.noise
    rounds = a.rounds and b.rounds
    return Real(a.source, chains[0], a.index, noise=noise, doubt=tuple(chains[1:]), rounds=rounds)


def _same(a: Real, b: Real) -> bool:
    """Whether two reals are one tensor."""
    entries = [r.source.entry for r in (a, b) if isinstance(r.source, EntrySource)]
    source = a.source is b.source or (len(entries) == 2 and entries[0] is entries[1])
    return source and a.chain is b.chain and np.array_equal(a.index, b.index)


def _float_input(op: Operation, ctx: Context, i: int = 0) -> Real | Const:
    if ctx.runtime != "qonnx":
        raise Unsupported("logarithms, powers and rounding of floats are supported in QONNX models")
    value = ctx.value(op, i)
    return value if isinstance(value, Const) else real_input(op, ctx, i)


def _mapped(op: Operation, ctx: Context, function: Callable[[Floats], Floats], i: int = 0) -> Real | Const:
    real = _float_input(op, ctx, i)
    return Const(function(real.array)) if isinstance(real, Const) else real.mapped(function)


IMPORTERS = {
    "Log": log,
    "Exp": exp,
    "Round": rounded(np.rint),
    "Floor": rounded(np.floor),
    "Ceil": rounded(np.ceil),
    "Sign": sign,
    "Abs": absolute,
    "Pow": power,
}
