"""ArgMaxUnit against NumPy: ties, extremes, one channel, random stalls."""

from __future__ import annotations

import numpy as np
import pytest
from streambench import Bench, beats

from hwgen.hw.argmax import ArgMaxUnit
from hwgen.numeric.ranges import Range


@pytest.mark.parametrize("channels", [1, 2, 7, 16])
def test_equals_numpy(channels: int) -> None:
    rng = np.random.default_rng(channels)
    x = rng.integers(-128, 128, (12, channels))
    x[0], x[1] = -128, 127
    x[2:6] = rng.integers(0, 2, (4, channels))  # many ties
    unit = ArgMaxUnit(channels=channels, value=Range(-128, 127))
    bench = Bench(unit, seed=channels)
    bench.send(unit.i, beats(x, 1))
    got = bench.receive(unit.o, len(x))
    bench.run()
    assert np.array_equal(np.array(got).ravel(), np.argmax(x, axis=1))
