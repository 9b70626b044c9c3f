"""The two units of XNOR-Net's K against what they mean, under random gaps and back-pressure."""

from __future__ import annotations

import numpy as np
import pytest
from streambench import Bench, beats

from hwgen.hw.scaleunit import FORMS, ScaleUnit
from hwgen.ir.tensor import Tensor
from hwgen.layers.abssum import golden as abssum_golden
from hwgen.layers.abssum import hw as abssum_hw
from hwgen.layers.abssum.op import AbsSum
from hwgen.layers.folding import Folding
from hwgen.layers.scale import golden as scale_golden
from hwgen.layers.scale import hw as scale_hw
from hwgen.layers.scale.op import Scale
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import from_function
from hwgen.targets import ECP5, GENERIC


def drawn(value: Range, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Random values, every second row of the range's ends only."""
    rng = np.random.default_rng(seed)
    x = rng.integers(value.lo, value.hi + 1, shape)
    x[1::2] = rng.choice([value.lo, value.hi], x[1::2].shape)
    x[0, 0], x[1, 0] = value.lo, value.hi
    return x


@pytest.mark.parametrize("simd", [1, 2, 3, 6])
@pytest.mark.parametrize(("value", "zero"), [(Range(-8, 7), 0), (Range(0, 15), 6), (Range(0, 3), 0)], ids=str)
def test_sum_of_absolute_values(value: Range, zero: int, simd: int) -> None:
    node = AbsSum(name="abs", inputs=("x",), output="y", zero=zero)
    x = drawn(value, (5, 4, 6), simd)
    expected = abssum_golden.run(node, x[None])[0]
    assert expected.max() == node.infer([Tensor("x", x.shape, value)]).range.hi
    unit = abssum_hw.build(node, [Tensor("x", x.shape, value)], Folding(simd, 1, 1), GENERIC)
    bench = Bench(unit)
    bench.send(unit.i, beats(x, simd))
    got = bench.receive(unit.o, expected.size)
    bench.run()
    assert got == beats(expected, 1)


@pytest.mark.parametrize("activated", [False, True])
@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("lanes", [1, 2, 6])
def test_scaling(form: str, lanes: int, activated: bool) -> None:
    a, b = Range(-37, 41), Range(0, 100)
    node = Scale(name="scale", inputs=("a", "b"), output="y")
    if activated:
        signs = np.array([1, -1, 1, 1, -1, 1])[:, None]
        offset = np.arange(6)[:, None] * 100
        node.act = from_function(lambda p: np.clip((signs * p + offset) // 512, -4, 3),
                                 np.full(6, -3700), np.full(6, 4100))  # fmt: skip
    x, k = drawn(a, (4, 5, 6), 1), drawn(b, (4, 5, 1), 2)
    expected = scale_golden.run(node, x[None], k[None])[0]
    assert len(np.unique(expected)) > 5
    tensors = [Tensor("a", x.shape, a), Tensor("b", k.shape, b)]
    unit = scale_hw.build(node, tensors, Folding(lanes, lanes, lanes, form), GENERIC)
    bench = Bench(unit)
    bench.send(unit.a, beats(x, lanes))
    bench.send(unit.b, beats(k, 1))
    got = bench.receive(unit.o, expected.size // lanes)
    bench.run()
    assert got == beats(expected, lanes)


def test_full_speed_and_a_slow_consumer() -> None:
    for slow in (0.0, 0.9):
        unit = ScaleUnit(a=Range(-8, 7), b=Range(0, 9), channels=4, lanes=2, form=FORMS["lut"],
                         activation=None, out=Range(-72, 63), target=GENERIC)  # fmt: skip
        x, k = drawn(Range(-8, 7), (40, 4), 3), drawn(Range(0, 9), (40, 1), 4)
        bench = Bench(unit, gaps=0)
        bench.send(unit.a, beats(x, 2))
        bench.send(unit.b, beats(k, 1))
        got = bench.receive(unit.o, 80, gaps=slow)
        bench.run()
        assert got == beats(x * k, 2)
        clocks = bench.clocks["o"]
        assert slow or clocks[-1] - clocks[0] == 79


def test_ranges_that_no_multiplier_takes() -> None:
    with pytest.raises(ValueError, match="does not fit the ecp5 multiplier"):
        ScaleUnit(a=Range(-(1 << 18), 1), b=Range(0, 9), channels=1, lanes=1, form=FORMS["dsp"],
                  activation=None, out=Range(0, 1), target=ECP5)  # fmt: skip
    with pytest.raises(ValueError, match="3 lanes must divide 4 channels"):
        ScaleUnit(a=Range(0, 1), b=Range(0, 9), channels=4, lanes=3, form=FORMS["lut"], activation=None,
                  out=Range(0, 9), target=ECP5)  # fmt: skip
