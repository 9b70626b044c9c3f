"""QONNX's quantisers rounding by rounding, in float32 as its executor runs them.

Source: the operator definitions of QONNX 1.0 (docs/qonnx-custom-ops: IntQuant, BipolarQuant, Trunc;
MultiThreshold in finn.custom_op.general) and its executor, which is the oracle in tests/golden/test_qonnx_*.
Arguments are float32 arrays that broadcast; results are integers with the zero point still in them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwgen.layers.requantize_onnx import Floats
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints

Rounding = Callable[[Floats], Floats]
_HALF = np.float32(0.5)

ROUNDINGS: dict[str, Rounding] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "DOWN": np.trunc,
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + _HALF),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - _HALF),
}
"""rounding_mode: away from zero (UP), towards it (DOWN), to the nearest with halves even, away or towards."""


def limits(bits: int, signed: bool, narrow: bool) -> Range:
    """What a Quant of `bits` holds; signed 1 bit is bipolar and no case of this."""
    if signed:
        return Range(-(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1)
    return Range(0, (1 << bits) - 1 - narrow)


def integers(x: Floats, lowest: int) -> Ints:
    """Rounded floats as integers; what is no number (hostile constants only) as the lowest."""
    return np.nan_to_num(x, nan=lowest).astype(np.int64)


@dataclass(frozen=True, eq=False)
class QuantRule:
    """Quant: round(clamp(x / scale + zero)), the clamp before the rounding."""

    scale: Floats
    zero: Floats
    limits: Range
    rounding: Rounding

    def __call__(self, x: Floats) -> Ints:
        y = x / self.scale + self.zero
        y = np.clip(y, np.float32(self.limits.lo), np.float32(self.limits.hi))
        return integers(self.rounding(y), self.limits.lo)

    def value(self, q: Ints) -> Floats:
        """(q - zero) * scale."""
        return (q.astype(np.float32) - self.zero) * self.scale


@dataclass(frozen=True, eq=False)
class BipolarRule:
    """BipolarQuant: +scale where x >= 0, else -scale; as integers 1 and 0.

    As `Quant` of one signed bit it tests x / scale + zero, and its values are (+-1 - zero) * scale."""

    scale: Floats
    zero: Floats | None = None

    def __call__(self, x: Floats) -> Ints:
        y = x if self.zero is None else x / self.scale + self.zero
        return (y >= 0).astype(np.int64)

    def value(self, q: Ints) -> Floats:
        """What the integers 0 and 1 stand for."""
        signs = (2 * q - 1).astype(np.float32)
        return (signs if self.zero is None else signs - self.zero) * self.scale


@dataclass(frozen=True, eq=False)
class TruncRule:
    """Trunc: round(round(x / scale + zero) / divisor), clamped between if there are limits.

    Version 1 keeps the scale and the zero point of its input; version 2 has an output scale, and its zero
    point is divided along."""

    scale: Floats
    zero: Floats
    divisor: Floats
    rounding: Rounding
    limits: Range | None = None
    out_scale: Floats | None = None

    def __call__(self, x: Floats) -> Ints:
        y = np.rint(x / self.scale + self.zero) / self.divisor
        if self.limits is not None:
            y = np.clip(y, np.float32(self.limits.lo), np.float32(self.limits.hi))
        return integers(self.rounding(y), 0)

    def value(self, q: Ints) -> Floats:
        """What the integers stand for."""
        if self.out_scale is None:
            return (q.astype(np.float32) - self.zero) * self.scale
        return (q.astype(np.float32) - self.zero / self.divisor) * self.out_scale


@dataclass(frozen=True, eq=False)
class ThresholdRule:
    """MultiThreshold: n thresholds of (rows, K), sorted, are at or below x; the value scale * n + bias."""

    thresholds: Floats
    scale: np.float32
    bias: np.float32

    def __call__(self, x: Floats) -> Ints:
        rows = np.broadcast_to(self.thresholds, (len(x), self.thresholds.shape[1]))
        return np.stack([np.searchsorted(t, v, side="right") for t, v in zip(rows, x)]).astype(np.int64)

    def value(self, q: Ints) -> Floats:
        """scale * n + bias."""
        return self.scale * q.astype(np.float32) + self.bias
