"""SoftmaxUnit against the golden softmax, on the exponentials of real scales."""

from __future__ import annotations

import numpy as np
import pytest
from streambench import Bench, beats

from hwgen.hw.softmax import SoftmaxUnit, cycles
from hwgen.layers.softmax.golden import run
from hwgen.layers.softmax.op import Softmax
from hwgen.numeric.fixedpoint import exp_on_negative_values
from hwgen.numeric.ranges import Range
from hwgen.targets import GENERIC

VALUE = Range(-128, 127)


def exponentials(scale: float) -> np.ndarray:
    """Like TFLite's: differences times the scale with 5 integer bits, zero below -32."""
    raw = np.round(np.arange(256) * scale * (1 << 26)).astype(np.int64)
    result = exp_on_negative_values(-np.minimum(raw, (1 << 31) - 1), 5)
    return np.where(raw < 1 << 31, result, 0)


@pytest.mark.parametrize(
    ("channels", "scale", "out_lo"), [(12, 0.14, -128), (2, 0.02, -128), (10, 0.5, 0), (1, 0.1, 0)]
)
def test_equals_golden(channels: int, scale: float, out_lo: int) -> None:
    rng = np.random.default_rng(channels)
    x = rng.integers(-128, 128, (5, 1, 1, channels))
    x[0], x[1], x[2] = 127, -128, rng.integers(100, 128, channels)  # all equal: the sum is a multiple of one
    exps = exponentials(scale)
    want = run(Softmax(name="s", inputs=("x",), output="y", exps=exps, out_lo=out_lo), x)
    unit = SoftmaxUnit(exps, channels=channels, value=VALUE, out_lo=out_lo, target=GENERIC)
    bench = Bench(unit, seed=channels, limit=5 * 2 * cycles(channels) + 2000)
    bench.send(unit.i, beats(x, 1))
    got = bench.receive(unit.o, x.size)
    bench.run()
    assert np.array_equal(np.array(got).ravel(), want.ravel())
    assert want.max() > want.min() or channels == 1


def test_reciprocal_never_saturates() -> None:
    """What lets the hardware leave gemmlowp's saturation out: corrections stay small for every sum."""
    half = np.unique(np.concatenate([np.arange(1 << 30, 1 << 31, 4099), [1 << 30, (1 << 31) - 1]]))
    from hwgen.numeric.rounding import saturating_rounding_doubling_high_mul as mul

    x = 1515870810 - mul(half, 1010580540 * np.ones_like(half))
    for _ in range(3):
        change = mul(x, (1 << 29) - mul(half, x)) << 2
        assert np.abs(change).max() < 1 << 31
        x = x + change
        assert x.min() > 0 and x.max() < 1 << 31
