"""Blocks of one pass, whose sums are still in the array when the next block begins."""

from __future__ import annotations

import pytest

from hwgen.program.array import ECP5_85F, GROUP
from hwgen.program.instructions import Run
from hwgen.program.timing import Latencies, clocks

LATENCIES = Latencies(
    activations=3,
    weights=3,
    settled=4,
    sums=2,
    quantiser=13,
    array=20,
    spread=1,
    spacing=17,
    load=72,
    word=32,
)


@pytest.mark.parametrize("blocks", [1, 2, 7])
def test_outputs_bound_the_clocks(blocks):
    run = Run(x=0, w=0, o=0, n0_delta=0, d0_delta=0, n0_count=125, p0_count=1, b_count=blocks, d0_count=125)
    (spent,) = clocks([run], ECP5_85F, LATENCIES)
    assert spent.steps == 125 * blocks
    leaving = blocks * GROUP * 125
    assert leaving + 125 < spent.clocks < leaving + 125 + 120 + 2 * blocks
