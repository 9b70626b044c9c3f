"""A staircase as a layer of its own, between streams."""

from __future__ import annotations

import numpy as np
import pytest
from streambench import Bench, beats

from hwgen.ir.tensor import Tensor
from hwgen.layers.folding import Folding
from hwgen.layers.staircase.hw import build
from hwgen.layers.staircase.op import Step
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import Staircase
from hwgen.targets import GENERIC


@pytest.mark.parametrize("lanes", [1, 2, 6, 24])
@pytest.mark.parametrize("gaps", [0, 0.5])
def test_pixels_of_many_words_under_back_pressure(lanes: int, gaps: float) -> None:
    """A pixel has more words than the queue has places: it must never overflow."""
    shape, value, frames = (2, 1, 24), Range(0, 255), 3
    steps, base, sign, lo, hi = (np.array(each) for each in ([[128]], [0], [1], [value.lo], [value.hi]))
    act = Staircase(steps, base, sign, lo, hi)
    node = Step(name="step", inputs=("x",), output="y", source="test", act=act)
    dut = build(node, [Tensor("x", shape, value, "test")], Folding(lanes, lanes, lanes), GENERIC)
    x = np.random.default_rng(lanes).integers(0, 256, (frames, *shape))
    want = beats(act(x), lanes)
    bench = Bench(dut, seed=lanes, gaps=gaps)
    bench.send(dut.i, beats(x, lanes), gaps=0)
    got = bench.receive(dut.o, len(want))
    bench.run()
    assert got == want
    if not gaps:
        assert bench.clocks["o"][-1] - bench.clocks["o"][0] == len(want) - 1  # a word a clock
