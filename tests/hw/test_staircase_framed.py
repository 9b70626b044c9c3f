"""The staircase form whose structure does not depend on its steps."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from amaranth.back import rtlil
from test_staircase import few_steps, run, tflite
from test_staircase_verilog import case
from verilated import first_mismatches

from hwgen.hw.staircase import NoForm, StaircaseUnit
from hwgen.numeric.frame import StepFrame
from hwgen.numeric.framed import frame_for
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import Staircase
from hwgen.targets import ECP5, ICE40, ICE40UP

INT8 = Range(-128, 127)
REACH = Range(-(1 << 19), 1 << 19)


def framed(stair: Staircase, bias: np.ndarray, like: Staircase | None = None) -> Staircase:
    """`stair` in its own frame, or in that of `like`."""
    clamps = [INT8, stair.range]
    frame = frame_for(stair, -bias, clamps) if like is None else like.frame
    return replace(stair, frame=frame)


@pytest.mark.parametrize("lanes", [1, 2, 8])
@pytest.mark.parametrize(("zero_point", "hi"), [(-128, 127), (4, 127), (4, 90), (-60, 127)])
def test_framed(lanes: int, zero_point: int, hi: int) -> None:
    stair, bias = tflite(8, zero_point=zero_point, hi=hi)
    unit = run(framed(stair, bias), lanes=lanes, value=REACH, split_at=-bias)
    assert unit.form == "framed"


def test_a_channel_that_stands_still() -> None:
    stair, bias = tflite(4, zero_point=4)
    still = stair.steps.copy()
    still[2] = stair.hi[2] + 1
    stair = replace(stair, steps=still, base=np.array([-128, -128, 77, -128]))
    run(framed(stair, bias), value=REACH, split_at=-bias)


def test_other_steps_are_the_same_hardware() -> None:
    """Only INITVALs differ; all of them come from the table."""
    first, bias = tflite(8, zero_point=4)
    first = framed(first, bias)
    texts = []
    for seed in (1, 2, 3):
        stair, bias = tflite(8, zero_point=4, seed=seed)
        unit = StaircaseUnit(
            framed(stair, bias, first), lanes=2, channels=8, value=REACH, target=ECP5, split_at=-bias
        )
        lines = rtlil.convert(unit, emit_src=False).splitlines()
        texts.append([line for line in lines if "INITVAL" not in line])
        assert len(lines) > len(texts[-1])
    assert texts[0] == texts[1] == texts[2]


def test_steps_beyond_the_frame_are_refused() -> None:
    first, bias = tflite(8, zero_point=4)
    first = framed(first, bias)
    steep, other = tflite(8, zero_point=4, low=-4.5)
    with pytest.raises(NoForm, match="channel"):
        run(framed(steep, other, first), value=REACH, split_at=-other)
    flat, other = tflite(8, zero_point=4, low=-12.5)
    with pytest.raises(NoForm, match="bits move the outputs"):
        run(framed(flat, other, first), value=REACH, split_at=-other)


def stepped(seed: int, steps: int = 3) -> Staircase:
    """Rows that rise, fall, or stand still at the ends of a frame."""
    stair = few_steps(8, steps, seed)
    low, high = -5, 4 + steps
    base = np.random.default_rng(seed).integers(low, high - steps + 1, 8)
    base = np.where(stair.sign < 0, base + steps, base)
    base[2], base[3] = (low, high) if stair.sign[2] > 0 else (low + steps, base[3])
    steps_of = stair.steps.copy()
    steps_of[3] = stair.hi[3] + 1
    return replace(stair, steps=steps_of, base=base, frame=StepFrame((low, high)))


@pytest.mark.parametrize("steps", [1, 3, 7])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_cuts(steps: int, seed: int) -> None:
    unit = run(stepped(seed, steps), lanes=2, value=Range(-2500, 2600))
    assert unit.form == "cuts" and unit.plan.form.frame.top == 9 + steps


def test_other_cuts_are_the_same_hardware() -> None:
    texts = []
    for seed in (1, 2, 3):
        unit = StaircaseUnit(stepped(seed), lanes=2, channels=8, value=Range(-2500, 2600), target=ECP5)
        lines = rtlil.convert(unit, emit_src=False).splitlines()
        texts.append([line for line in lines if "INITVAL" not in line])
    assert texts[0] == texts[1] == texts[2]


def test_outputs_beyond_the_frame_are_refused() -> None:
    with pytest.raises(NoForm, match="not within"):
        run(replace(stepped(1), frame=StepFrame((0, 1))), value=Range(-2500, 2600))


@pytest.mark.sim
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler on this machine")
def test_in_primitives(tmp_path: Path) -> None:
    cases = {}
    for target in (ECP5, ICE40, ICE40UP):
        for zero_point in (-128, 4):
            stair, bias = tflite(6, zero_point=zero_point, seed=5)
            options = {"lanes": 2, "value": REACH, "split_at": -bias, "target": target}
            cases[f"{target.name} {zero_point}"] = case(framed(stair, bias), **options)
        options = {"lanes": 2, "value": Range(-2500, 2600), "target": target}
        cases[f"{target.name} cuts"] = case(stepped(4), **options)
    assert first_mismatches(cases, tmp_path) == {}
