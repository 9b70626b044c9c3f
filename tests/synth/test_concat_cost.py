"""Cost estimate of the unit that puts channels together against synthesis."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_mvu_cost import assert_near, synthesised

from hwgen.ir.tensor import Tensor
from hwgen.layers.concat import estimate, hw
from hwgen.layers.concat.op import Concat
from hwgen.layers.folding import Folding
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5


@pytest.mark.synth
@pytest.mark.parametrize(("channels", "lanes"), [((16, 16), 1), ((32, 16), 8)])
def test_estimate(channels: tuple[int, int], lanes: int, tmp_path: Path) -> None:
    node = Concat(name="join", inputs=("a", "b"), output="y")
    tensors = [Tensor(name, (8, 8, count), Range(-128, 127)) for name, count in zip("ab", channels)]
    fold = Folding(lanes, lanes, lanes)
    real, _ = synthesised(hw.build(node, tensors, fold, ECP5), tmp_path)
    assert_near(estimate.cost(node, tensors, fold, ECP5), real)
