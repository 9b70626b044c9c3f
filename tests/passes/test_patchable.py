"""Moulds: what the first weights decide, what the next ones must fit, and that the meaning stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwgen.frontend.load import load_graph
from hwgen.golden.run import execute
from hwgen.ir.graph import Graph
from hwgen.numeric.frame import LineFrame, StepFrame
from hwgen.numeric.ranges import Range
from hwgen.passes import patchable
from hwgen.passes.patchable import Mould
from hwgen.passes.run import run_passes
from hwgen.support.errors import UnsupportedError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def graph(name: str) -> Graph:
    return run_passes(load_graph(EXAMPLES / name, None))


@pytest.mark.parametrize("name", ["digits/digits_mobile.tflite", "lowbit/two_bit.onnx"])
def test_the_graph_means_the_same(name: str) -> None:
    plain = graph(name)
    given = [Mould.of(mould.as_dict()) for mould in patchable.moulds(plain, 18)]
    cast = patchable.run(plain, given)
    (edge,) = plain.inputs
    tensor = plain.tensors[edge.tensor]
    shape = (2, *tensor.shape)
    x = np.random.default_rng(1).integers(tensor.range.lo, tensor.range.hi + 1, shape)
    before, after = execute(plain, {edge.tensor: x}), execute(cast, {edge.tensor: x})
    assert all(np.array_equal(before[each.tensor], after[each.tensor]) for each in plain.outputs)
    for node in patchable.weighted(cast):
        assert node.act is not None and node.act.frame is not None
        worst = node.acc_bounds(cast.tensors[node.inputs[0]].range)
        real = replace(node, code=None).acc_bounds(cast.tensors[node.inputs[0]].range)
        assert np.all(worst[0] <= real[0]) and np.all(worst[1] >= real[1])


def test_ties_to_even_follow_no_line() -> None:
    """Scales that are powers of two make them often."""
    with pytest.raises(UnsupportedError, match=r"5 unsupported things: .*follow no line"):
        patchable.moulds(graph("digits/digits.onnx"), 18)


def test_codes_and_frames() -> None:
    found = patchable.moulds(graph("digits/digits.tflite"), 18)
    assert {(mould.code[0], mould.code[-1], len(mould.code)) for mould in found} == {(-127, 127, 255)}
    assert all(isinstance(mould.frame, LineFrame) and mould.frame.multiplier <= 34 for mould in found)
    binary = patchable.moulds(graph("lowbit/bnn.onnx"), None)
    assert binary[1].code == (-1, 1) and binary[1].frame == StepFrame((0, 1))
    ternary = patchable.moulds(graph("lowbit/twn.onnx"), None)
    assert (-1, 0, 1) in {mould.code for mould in ternary}


def test_other_trainings_fit_and_others_do_not() -> None:
    given = patchable.moulds(graph("lowbit/bnn.onnx"), None)
    patchable.run(graph("lowbit/bnn_distilled.onnx"), given)
    narrow = [replace(mould, code=(-1, 1)) for mould in patchable.moulds(graph("digits/digits.tflite"), 18)]
    with pytest.raises(UnsupportedError, match=r"the hardware takes \(-1, 1\)"):
        patchable.run(graph("digits/digits.tflite"), narrow)
    coarse = [
        replace(mould, frame=replace(mould.frame, shift=8, zeros=0))
        for mould in patchable.moulds(graph("digits/digits.tflite"), 18)
    ]
    with pytest.raises(UnsupportedError, match="no line of"):
        patchable.run(graph("digits/digits.tflite"), coarse)


def test_outputs_are_whole_bytes() -> None:
    cast = graph("digits/digits.tflite")
    cast = patchable.run(cast, patchable.moulds(cast, 18))
    assert {cast.tensors[node.output].range for node in patchable.weighted(cast)} == {Range(-128, 127)}
