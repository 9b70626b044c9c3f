"""Staircase units against the staircase itself, clock by clock, in every form."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator
from streambench import Bench

from hwgen.hw.staircase import NoForm, StaircaseUnit
from hwgen.hw.staircase.multiply import WideProduct
from hwgen.hw.stream import shape_of
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import multiply_double_rounding, quantize_multipliers, requantize_float32
from hwgen.numeric.staircase import Staircase, from_function
from hwgen.targets import ECP5, GENERIC, Target


def tflite(
    rows: int, *, zero_point: int, hi: int = 127, reach: int = 1 << 19, seed: int = 1, low: float = -9.5
):
    """(staircase, bias) of a random TFLite layer; scales 2^low .. 2^(low + 2)."""
    rng = np.random.default_rng(seed)
    multiplier, shift = quantize_multipliers(2.0 ** rng.uniform(low, low + 2, rows))
    bias = rng.integers(-50000, 50000, rows)

    def f(x):
        y = multiply_double_rounding(x + bias[:, None], multiplier[:, None], shift[:, None])
        return np.clip(y + zero_point, -128, hi)

    return from_function(f, np.full(rows, -reach), np.full(rows, reach)), bias


def extremes(stair: Staircase, lanes: int, channels: int, value: Range, rng: np.random.Generator, words: int):
    """(words, lanes) inputs: ends of the range, both sides of steps, anything; and what must come out."""
    pixels = stair.pixel_rows.size if stair.pixel_rows is not None else 1
    x = np.empty((words, lanes), dtype=np.int64)
    y = np.empty_like(x)
    for word in range(words):
        for lane in range(lanes):
            channel = word * lanes % channels + lane
            pixel = word * lanes // channels % pixels
            if stair.pixel_rows is not None:
                r = int(stair.pixel_rows.flat[pixel])
            else:
                r = channel if stair.rows > 1 else 0
            low, high = int(stair.lo[r]), int(stair.hi[r])
            near = int(rng.choice(stair.steps[r])) + int(rng.integers(-1, 2))
            pick = [low, high, near, near, near, int(rng.integers(low, high + 1))][int(rng.integers(6))]
            x[word, lane] = min(max(pick, low), high)
            y[word, lane] = stair.row(r, x[word, lane])
    assert value.lo <= x.min() and x.max() <= value.hi
    return x, y


def run(stair, *, lanes=1, channels=None, words=400, gaps=0.3, target: Target = GENERIC, seed=3, **options):
    channels = channels or stair.rows
    value = options.pop("value", stair.input_range)
    unit = StaircaseUnit(stair, lanes=lanes, channels=channels, value=value, target=target, **options)
    x, y = extremes(stair, lanes, channels, value, np.random.default_rng(seed), words)
    bench = Bench(unit, seed=seed, gaps=gaps, limit=words * 4 + 200)
    ends = [(int(w % 3 == 0), int(w % 3 == 2)) for w in range(words)]
    bench.drive(unit.i, [(list(map(int, row)), *end) for row, end in zip(x, ends)])
    seen = bench.watch(unit.o, words)
    bench.run()
    assert [(first, last) for _, first, last in seen] == ends
    got = np.array([lanes_ for lanes_, _, _ in seen])
    wrong = np.argwhere(got != y)
    for at in wrong[:1]:
        word, lane = at
        raise AssertionError(
            f"{unit.form}: word {word}: {x[word, lane]} gave {got[word, lane]}, not {y[word, lane]}"
        )
    return unit


@pytest.mark.parametrize("lanes", [1, 2, 8])
@pytest.mark.parametrize("zero_point", [-128, 4])
def test_linear(lanes, zero_point):
    stair, bias = tflite(8, zero_point=zero_point)
    unit = run(stair, lanes=lanes, form="linear", split_at=-bias)
    assert (unit.plan.form.fit.middle is None) == (zero_point == -128)


def test_linear_without_gaps_and_without_hint():
    stair, _ = tflite(6, zero_point=-20, hi=90)
    assert run(stair, lanes=3, gaps=0, form="linear").form == "linear"


def test_linear_operand_beyond_the_multiplier():
    """Scales of 2^-11: 19 signed bits of x, the rest in rows of LUTs."""
    stair, bias = tflite(5, zero_point=4, low=-11, reach=1 << 20)
    unit = run(stair, form="linear", split_at=-bias)
    assert unit.plan.form.product.rows and unit.plan.form.operand.signed


def test_linear_unsigned_operand_beyond_the_multiplier():
    stair, bias = tflite(5, zero_point=-128, low=-11, reach=1 << 20, seed=4)
    unit = run(stair, form="linear", split_at=-bias)
    assert unit.plan.form.product.chunks == 2 and unit.plan.form.product.rows


@pytest.mark.parametrize("bits", [12, 17, 18, 19, 20, 27])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("multiplier", [9, 17, 18, 26, 34])
def test_wide_product(bits, signed, multiplier):
    d, factor = Range.bits(bits, signed), Range.bits(multiplier, False)
    product = WideProduct(d, factor, GENERIC)
    rng = np.random.default_rng(bits)
    values = [(d.hi, factor.hi), (d.lo, factor.hi), (d.lo, 1), (-1 if signed else 1, factor.hi)]
    values += [(int(rng.integers(d.lo, d.hi + 1)), int(rng.integers(0, factor.hi + 1))) for _ in range(40)]
    x, y = Signal(shape_of(d)), Signal(shape_of(factor))
    m = Module()
    result = product.build(m, x, y)
    simulator = Simulator(m)
    simulator.add_clock(1e-6)

    async def bench(ctx):
        for t in range(len(values) + product.latency):
            if t < len(values):
                ctx.set(x, values[t][0])
                ctx.set(y, values[t][1])
            if t >= product.latency:
                a, b = values[t - product.latency]
                assert ctx.get(result) == a * b
            await ctx.tick()

    simulator.add_testbench(bench)
    simulator.run()


def test_product_too_wide():
    with pytest.raises(ValueError, match="too wide"):
        WideProduct(Range.bits(35), Range(0, 100), GENERIC)
    with pytest.raises(ValueError, match="too wide"):
        WideProduct(Range.bits(12), Range.bits(35, False), GENERIC)


def test_linear_falling_and_mixed_rows():
    stair, _ = tflite(6, zero_point=-128, seed=9)
    for sign in ([-1] * 6, [1, -1, -1, 1, 1, -1]):
        sign = np.array(sign)
        base = np.where(sign > 0, stair.base, 127)
        run(Staircase(stair.steps, base, sign, stair.lo, stair.hi), lanes=2, form="linear")


def test_linear_relu6_clamp_and_positive_outputs():
    stair, _ = tflite(4, zero_point=0, hi=93, seed=2)
    raised = Staircase(stair.steps, stair.base + 300, stair.sign, stair.lo, stair.hi)
    run(stair, form="linear")
    run(raised, form="linear")


def test_parameters_in_block_ram():
    stair, bias = tflite(64, zero_point=-128)
    unit = run(stair, lanes=1, words=500, form="linear", split_at=-bias)
    assert unit.plan.table.form == "bram" and unit.plan.table.latency == 2


def test_dead_channels():
    multiplier, shift = quantize_multipliers([0.004, 1e-7, 1e-7, 0.003])
    bias = np.array([50, 1 << 28, -(1 << 28), 7])

    def f(x):
        return np.clip(
            multiply_double_rounding(x + bias[:, None], multiplier[:, None], shift[:, None]) - 128, -128, 127
        )

    run(from_function(f, np.full(4, -300000), np.full(4, 300000)), form="linear")


def test_per_tensor_scale():
    """One row for all channels: the multiplier is a constant."""
    stair, _ = tflite(1, zero_point=7, reach=9000, low=-6)
    unit = run(stair, lanes=4, channels=8, form="linear")
    assert unit.plan.table.width == 0


@pytest.mark.parametrize("seed", range(6))
def test_constant_multiplier_without_a_hard_one(seed):
    """Shifts and adders, as where multipliers are dear; odd scales give all kinds of digits."""
    rng = np.random.default_rng(seed)
    reach = int(rng.integers(100, 80000))
    multiplier, shift = quantize_multipliers([rng.uniform(80, 300) / reach])
    zero_point = int(rng.choice([-128, 7]))
    stair = from_function(
        lambda x: np.clip(multiply_double_rounding(x, multiplier, shift) + zero_point, -128, 127),
        np.array([-reach]),
        np.array([reach]),
    )
    unit = run(stair, channels=1, form="linear", dsp_price=10_000, words=150)
    assert unit.cost.dsp == 0 and unit.plan.form.product.latency <= 4


def test_pixel_rows():
    """Average pooling: the divisor depends on the pixel, rows repeat over channel blocks and images."""
    counts = np.array([4, 6, 9])[:, None]

    def mean(x):
        return np.where(x >= 0, (x + counts // 2) // counts, -((-x + counts // 2) // counts))

    stair = from_function(
        mean, np.full(3, -512), np.full(3, 508), np.array([[0, 1, 0], [1, 2, 1], [0, 1, 0]])
    )
    run(stair, lanes=2, channels=6, words=90, form="linear")
    run(stair, lanes=1, channels=1, words=40, form="linear")
    run(stair, lanes=2, channels=6, words=90, form="search")
    few = few_steps(3, 5, 8)
    few = Staircase(few.steps, few.base, few.sign, few.lo, few.hi, stair.pixel_rows)
    for form in ("comparators", "search"):
        run(few, lanes=2, channels=6, words=90, form=form)


def few_steps(rows: int, steps: int, seed: int) -> Staircase:
    rng = np.random.default_rng(seed)
    lo, hi = np.full(rows, -2000), np.full(rows, 2100)
    places = np.sort(rng.integers(-2300, 2300, (rows, steps)), axis=1).clip(-1999, 2101)
    return Staircase(places, rng.integers(-3, 4, rows), rng.choice([-1, 1], rows), lo, hi)


@pytest.mark.parametrize("steps", [1, 3, 15])
@pytest.mark.parametrize("form", ["comparators", "search"])
def test_irregular_steps(form, steps):
    run(few_steps(6, steps, steps), lanes=2, form=form)
    run(few_steps(1, steps, steps + 50), lanes=2, channels=4, form=form)


def test_search_over_many_steps():
    """onnxruntime's halves to even: no line follows them."""
    scale = np.array([0.25, 0.125], dtype=np.float32)[:, None]
    stair = from_function(
        lambda x: np.clip(requantize_float32(x, scale, 3), -128, 127), np.full(2, -2000), np.full(2, 2000)
    )
    run(stair, lanes=1, form="search")


def float32_rule(rows: int = 16):
    """(staircase, bias): onnxruntime rounds to float32 first; a few inputs fall on ties off any line."""
    rng = np.random.default_rng(4)
    scale = (2.0 ** rng.uniform(-10, -8, rows)).astype(np.float32)[:, None]
    bias = rng.integers(-30000, 30000, rows)[:, None]

    def f(x):
        return np.clip(requantize_float32(x + bias, scale, -128), -128, 127)

    return from_function(f, np.full(rows, -200000), np.full(rows, 200000)), bias[:, 0]


def twice_quantised(factor: float, zero: int):
    """(staircase, bias): a layer's output quantised again, finer or coarser."""
    first, bias = tflite(5, zero_point=-20, reach=1 << 18)

    def f(q):
        return np.clip(np.rint(q * factor).astype(np.int64) + zero, -128, 127)

    return first.then(from_function(f, np.array([-128]), np.array([127]))), bias


def test_exceptions_to_the_line():
    stair, bias = float32_rule()
    fit = run(stair, form="linear", split_at=-bias, words=640).plan.form.fit
    assert fit.exceptions is not None and fit.exceptions.shape[1] <= 3


@pytest.mark.parametrize(("factor", "zero"), [(2.63, 5), (0.31, -100)])
def test_two_staircases_in_a_row(factor, zero):
    """A line, and a table that all channels share."""
    stair, bias = twice_quantised(factor, zero)
    unit = run(stair, form="linear", split_at=-bias, words=200)
    assert unit.plan.form.base == "table" and unit.cost.dsp == 2


def test_table():
    stair = from_function(lambda x: requantize_float32(x, 0.25, 0), np.array([-300]), np.array([211]))
    run(stair, lanes=2, channels=2, form="table")
    irregular = few_steps(1, 40, 5)
    assert run(irregular, channels=1, value=Range(-2000, 2100)).form in ("table", "search")


def test_constant():
    stair = Staircase(np.full((1, 1), 11), np.array([-5]), np.array([1]), np.array([-10]), np.array([10]))
    assert run(stair, lanes=2, channels=2, words=20).form == "comparators"


def test_wrong_arguments_are_refused():
    stair, _ = tflite(6, zero_point=-128)
    with pytest.raises(ValueError, match="lanes must divide"):
        StaircaseUnit(stair, lanes=4, channels=6, value=stair.input_range, target=GENERIC)
    with pytest.raises(ValueError, match="rows do not serve"):
        StaircaseUnit(stair, lanes=1, channels=7, value=stair.input_range, target=GENERIC)
    with pytest.raises(NoForm, match="comparators"):
        StaircaseUnit(stair, lanes=1, channels=6, value=stair.input_range, target=GENERIC, form="comparators")
    with pytest.raises(ValueError, match="form must be"):
        StaircaseUnit(stair, lanes=1, channels=6, value=stair.input_range, target=GENERIC, form="magic")


def test_latency_is_what_it_says():
    stair, _ = tflite(4, zero_point=-128)
    for form in ("linear", "search"):
        unit = StaircaseUnit(stair, lanes=1, channels=4, value=stair.input_range, target=GENERIC, form=form)
        bench = Bench(unit, gaps=0)
        bench.drive(unit.i, [([5], 1, 1)] * 3)
        bench.watch(unit.o, 3)
        bench.run()
        assert bench.clocks["o"][0] == unit.latency + 1  # the bench counts the input's own clock
        ecp5 = StaircaseUnit(stair, lanes=1, channels=4, value=stair.input_range, target=ECP5, form=form)
        assert ecp5.latency == unit.latency
