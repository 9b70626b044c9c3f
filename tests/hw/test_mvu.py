"""MVU and VVU on the generic target, in Amaranth's simulator: every form's structure, without primitives."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from amaranth.sim import Simulator
from reducerbench import case, mvu_groups, vvu_groups

from hwgen.hw.mvu import MVU, ReducerPipeline, accumulator_range, paired_forms, reducer_cost
from hwgen.hw.vvu import VVU
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, GENERIC
from hwgen.weights.code import FORMS

INT8, UINT8, WIDE = Range(-128, 127), Range(0, 255), Range(-255, 255)
NAMES = ("generic", "dsp", "dsp2", "dsp8", "dsp8_lanes", "pair", "lut", "pair_lut")
PAIRS = ("pair", "pair_lut")  # forms that want two lanes or more


NARROW = ("dsp8", "dsp8_lanes")  # operands of 8 bits


def check(
    dut: ReducerPipeline, groups: list[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator
) -> None:
    """Plays the case of reducerbench in Amaranth's simulator and compares every clock."""
    plan = case(dut, groups, rng, gaps=0.25)
    clocks = len(plan.inputs["i_valid"])

    async def bench(ctx):  # type: ignore[no-untyped-def]
        for t in range(clocks):
            ctx.set(dut.i.valid, plan.inputs["i_valid"][t])
            ctx.set(dut.i.first, plan.inputs["i_first"][t])
            ctx.set(dut.i.last, plan.inputs["i_last"][t])
            ctx.set(dut.i.payload.as_value(), plan.inputs["i_payload"][t])
            assert ctx.get(dut.o.valid) == plan.outputs["o_valid"][t], f"valid, clock {t}"
            expected = plan.outputs["o_payload"][t]
            if expected is not None:
                assert ctx.get(dut.o.payload.as_value()) == expected, f"sums, clock {t}"
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def mixed(rng: np.random.Generator, values: Range, shape: tuple[int, int]) -> np.ndarray:
    """Rows of random values, every second one of the range's two ends only."""
    array = rng.integers(values.lo, values.hi + 1, shape)
    array[1::2] = rng.choice([values.lo, values.hi], array[1::2].shape)
    return array


SHAPES = ((4, 6, 1, 2), (4, 6, 3, 4), (6, 8, 8, 3), (2, 10, 5, 2), (4, 4, 4, 1))
RANGES = ((INT8, Range(-128, 127)), (UINT8, Range(-127, 127)), (WIDE, Range(-8, 7)), (INT8, Range(0, 255)))


@pytest.mark.parametrize("form", NAMES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_mvu_is_a_matrix_vector_product(form: str, shape: tuple[int, int, int, int]) -> None:
    rng = np.random.default_rng(3)
    outputs, inputs, simd, pe = shape
    if form in PAIRS and simd == 1:
        inputs, simd = 2 * inputs, 2 * simd
    for value, weight in RANGES:
        if form in NARROW and value == WIDE:
            continue
        weights = mixed(rng, weight, (outputs, inputs))
        dut = MVU(weights, simd=simd, pe=pe, value=value, form=FORMS[form], target=GENERIC)
        check(dut, mvu_groups(dut, mixed(rng, value, (4, inputs))), rng)


@pytest.mark.parametrize("form", NAMES)
def test_mvu_with_one_bit_operands(form: str) -> None:
    rng = np.random.default_rng(4)
    ranges = (Range(0, 1), Range(-1, 0), Range(-1, 1))
    for value, weight, simd in itertools.product(ranges, ranges, (1, 2, 3)):
        if form in PAIRS and (simd == 1 or value.width == 1):
            continue
        dut = MVU(mixed(rng, weight, (4, 6)), simd=simd, pe=2, value=value, form=FORMS[form], target=GENERIC)
        check(dut, mvu_groups(dut, mixed(rng, value, (4, 6))), rng)


@pytest.mark.parametrize("names", [("dsp",) * 4, ("lut",) * 4, ("dsp", "lut", "generic", "lut")], ids=str)
def test_vvu_keeps_channels_apart(names: tuple[str, ...]) -> None:
    rng = np.random.default_rng(5)
    form = [FORMS[name] for name in names]
    dut = VVU(mixed(rng, INT8, (9, 8)), pe=4, value=INT8, form=form, target=GENERIC)
    x = mixed(rng, INT8, (6 * 9, 8)).reshape(6, 9, 8)
    check(dut, vvu_groups(dut, x), rng)


def test_forms_may_differ_between_elements() -> None:
    rng = np.random.default_rng(6)
    form = [FORMS[name] for name in ("lut", "dsp2", "dsp2", "dsp2", "dsp")]
    units = [(kind.name, outputs) for kind, outputs in paired_forms(form, 5)]
    assert units == [("lut", 1), ("dsp2", 2), ("dsp", 1), ("dsp", 1)]
    dut = MVU(mixed(rng, INT8, (10, 6)), simd=2, pe=5, value=INT8, form=form, target=GENERIC)
    check(dut, mvu_groups(dut, mixed(rng, INT8, (4, 6))), rng)


def test_accumulator_range_is_reached_and_exact() -> None:
    weights = np.array([[3, -2], [-1, 0]])
    assert accumulator_range(weights, Range(-128, 127)) == Range(3 * -128 - 2 * 127, 3 * 127 + 2 * 128)
    assert accumulator_range(np.array([[1, 2]]), Range(0, 5)) == Range(0, 15)


def test_bad_arguments_are_named() -> None:
    weights = np.ones((4, 6), dtype=np.int8)
    for options, message in (
        ({"simd": 4, "pe": 2}, "must divide"),
        ({"simd": 2, "pe": 3}, "must divide"),
        ({"simd": 2, "pe": 2, "form": [FORMS["dsp"]]}, "names 1 elements, not 2"),
        ({"simd": 1, "pe": 2, "form": FORMS["pair"]}, "two lanes or more"),
        ({"simd": 2, "pe": 2, "form": [FORMS["pair"], FORMS["dsp"]]}, "do not share the same sum"),
        ({"simd": 2, "pe": 2, "rom": "flash"}, "unknown ROM form"),
    ):
        with pytest.raises(ValueError, match=message):
            MVU(weights, value=INT8, target=GENERIC, **options)
    with pytest.raises(ValueError, match="two-dimensional integer"):
        MVU(weights.astype(float), simd=2, pe=2, value=INT8, target=GENERIC)
    with pytest.raises(ValueError, match="does not fit"):
        MVU(weights, simd=2, pe=2, value=Range(-(1 << 20), 1 << 20), target=ECP5)
    for name in NARROW:
        with pytest.raises(ValueError, match="more than 8 bits"):
            MVU(weights, simd=2, pe=2, value=Range(-1, 255), form=FORMS[name], target=GENERIC)
    with pytest.raises(ValueError, match="overlap by"):
        MVU(weights * 127, simd=2, pe=2, value=Range(0, 8191), form=FORMS["dsp2"], target=ECP5)
    for name in ("dsp2", "dsp8", "pair"):
        with pytest.raises(ValueError, match="depthwise"):
            VVU(weights, pe=2, value=INT8, form=FORMS[name], target=ECP5)


def test_cost_follows_the_form() -> None:
    cost = {
        name: reducer_cost(
            form=FORMS[name],
            simd=8,
            pe=8,
            lanes=8,
            depth=32,
            levels=(-127, 127),
            value=INT8,
            accumulator=Range(-(1 << 20), 1 << 20),
            target=ECP5,
        )
        for name in NAMES
    }
    dsps = {"dsp": 64, "dsp2": 32, "dsp8": 32, "dsp8_lanes": 32, "pair": 36, "lut": 0}
    assert {name: cost[name].dsp for name in dsps} == dsps
    assert cost["dsp"].lut4 < cost["pair"].lut4 < cost["dsp2"].lut4 < cost["lut"].lut4
    assert cost["pair_lut"].lut4 < 0.95 * cost["lut"].lut4
