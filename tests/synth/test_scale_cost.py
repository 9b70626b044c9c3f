"""Cost estimates of the units of XNOR-Net's K against synthesis."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_mvu_cost import assert_near, synthesised

from hwgen.ir.tensor import Tensor
from hwgen.layers.abssum import estimate as abssum_estimate
from hwgen.layers.abssum import hw as abssum_hw
from hwgen.layers.abssum.op import AbsSum
from hwgen.layers.folding import Folding
from hwgen.layers.scale import estimate as scale_estimate
from hwgen.layers.scale import hw as scale_hw
from hwgen.layers.scale.op import Scale
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5


@pytest.mark.synth
@pytest.mark.parametrize("simd", [1, 8])
def test_sum_of_absolute_values(simd: int, tmp_path: Path) -> None:
    node = AbsSum(name="abs", inputs=("x",), output="y")
    x = [Tensor("x", (8, 8, 16), Range(-8, 7))]
    fold = Folding(simd, 1, 1)
    real, _ = synthesised(abssum_hw.build(node, x, fold, ECP5), tmp_path)
    assert_near(abssum_estimate.cost(node, x, fold, ECP5), real)


@pytest.mark.synth
@pytest.mark.parametrize(("form", "lanes"), [("dsp", 1), ("dsp", 4), ("lut", 1)])
def test_scaling(form: str, lanes: int, tmp_path: Path) -> None:
    """Products alone; what staircases cost is pinned in test_staircase_cost.py."""
    a, b = Range(-144, 144), Range(0, 1152)
    node = Scale(name="scale", inputs=("a", "b"), output="y")
    tensors = [Tensor("a", (8, 8, 16), a), Tensor("b", (8, 8, 1), b)]
    fold = Folding(lanes, lanes, lanes, form)
    real, _ = synthesised(scale_hw.build(node, tensors, fold, ECP5), tmp_path)
    assert_near(scale_estimate.cost(node, tensors, fold, ECP5), real)
