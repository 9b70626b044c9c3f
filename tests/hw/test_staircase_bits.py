"""Staircases with few-bit outputs: every form, every reachable input, many lanes, carry cells proven."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator
from prove import YOSYS_CELLS, unequal
from streambench import pack

from hwgen.hw import leaf
from hwgen.hw.staircase import NoForm, StaircaseUnit
from hwgen.hw.staircase.code import step_codes
from hwgen.hw.staircase.threshold import CutCode, compare_leaf, cut_code
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import Staircase, from_thresholds
from hwgen.targets import ECP5, GENERIC, ICE40

LEVELS = {
    "1": np.arange(2),
    "2": np.arange(4),
    "3": np.arange(8),
    "4": np.arange(16),
    "ternary": np.array([-1, 0, 1]),
    "log2": np.array([0, 1, 2, 4, 8]),
    "irregular": np.array([-9, -4, -3, 5, 6, 20]),
}


def bits(rows: int, levels: str, value: Range, seed: int = 1, beyond: int = 8) -> Staircase:
    """Random thresholds, some of them equal or (a `beyond`-th of the range) out of reach; a third falls."""
    rng = np.random.default_rng(seed)
    ladder = LEVELS[levels]
    reach = value.hi - value.lo + 1
    past = reach // beyond if beyond else 0
    at = rng.integers(value.lo - past, value.hi + past + 2, (rows, len(ladder) - 1))
    falling = rng.random((rows, 1)) < 0.33
    values = np.where(falling, ladder[::-1], ladder)
    low, high = np.full(rows, value.lo), np.full(rows, value.hi)
    if rows > 2 and beyond:  # rows need not reach all of the unit's range
        low[1], high[2] = value.lo + reach // 4, value.hi - reach // 4
    return from_thresholds(np.sort(at, axis=1), values, low, high)


def own_bases(stair: Staircase, seed: int) -> Staircase:
    """The same steps to values that no common ladder holds."""
    base = stair.base + np.random.default_rng(seed).integers(-40, 40, stair.rows)
    return Staircase(stair.steps, base, stair.sign, stair.lo, stair.hi)


def exhaustive(stair: Staircase, lanes: int, channels: int, value: Range):
    """(words, lanes) x and y: each row meets each of its inputs, in the order of a tensor's words."""
    blocks = channels // lanes
    reach = np.arange(value.lo, value.hi + 1)
    x = np.repeat(np.random.default_rng(7).permutation(reach), blocks).reshape(-1, channels // lanes, 1)
    channel = np.arange(channels).reshape(blocks, lanes)
    row = channel if stair.rows > 1 else np.zeros_like(channel)
    x = np.clip(x, stair.lo[row], stair.hi[row])
    y = np.empty_like(x)
    for r in range(stair.rows):
        y[..., row == r] = stair.row(r, x[..., row == r])
    return x.reshape(-1, lanes), y.reshape(-1, lanes)


def edges(stair: Staircase, lanes: int, words: int, seed: int):
    """(words, lanes) x and y: at and beside the steps, ends, anything; a row a channel."""
    rng = np.random.default_rng(seed)
    row = np.arange(words * lanes).reshape(words, lanes) % stair.rows
    near = stair.steps[row, rng.integers(0, stair.steps.shape[1], row.shape)] + rng.integers(-1, 1, row.shape)
    x = np.where(rng.random(row.shape) < 0.8, near, rng.integers(stair.lo[row], stair.hi[row] + 1))
    x = np.clip(x, stair.lo[row], stair.hi[row])
    y = stair.base[row] + stair.sign[row] * np.sum(stair.steps[row] <= x[..., None], axis=-1)
    return x, y


def check(unit: StaircaseUnit, x: np.ndarray, y: np.ndarray, seed: int = 1) -> None:
    """Drives the words with gaps; every word must come out `latency` clocks later."""
    valid = np.random.default_rng(seed).random(len(x) * 2) < 0.7
    clocks = np.flatnonzero(valid)[: len(x)]
    words = dict(zip(clocks.tolist(), (pack(word, unit.value.width) for word in x)))
    wanted = dict(zip((clocks + unit.latency).tolist(), (pack(word, unit.out.width) for word in y)))
    top = Module()
    top.submodules.unit = unit
    simulator = Simulator(top)
    simulator.add_clock(1e-6)

    async def bench(ctx):
        for t in range(int(clocks[-1]) + unit.latency + 1):
            ctx.set(unit.i.valid, t in words)
            ctx.set(unit.i.payload, unit.i.payload.shape().from_bits(words.get(t, 0)))
            assert ctx.get(unit.o.valid) == (t in wanted)
            if t in wanted:
                got = ctx.get(unit.o.payload).as_bits()
                assert got == wanted[t], f"{unit.form}: clock {t}: {got:x}, not {wanted[t]:x}"
            await ctx.tick()

    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("seed", range(40))
def test_codes_are_the_staircase(seed):
    """Both codes: sorted flags whose number says y, for each input of each row."""
    rng = np.random.default_rng(seed)
    value = Range(*sorted(rng.integers(-40, 60, 2)))
    stair = bits(7, str(rng.choice([*LEVELS])), value, seed)
    if seed % 3 == 0:
        stair = own_bases(stair, seed)
    for code in step_codes(stair, value):
        at = code.padded(code.count + seed % 3)
        cuts = cut_code(at, value)
        written = cuts.complements(at)
        assert not at.size or (written.min() >= 0 and written.max() < 1 << cuts.width)
        for r in range(stair.rows):
            x = np.arange(max(stair.lo[r], value.lo), min(stair.hi[r], value.hi) + 1)
            flags = (x[:, None] >= at[r]) ^ code.falling[r]
            carries = (x[:, None] - cuts.low + written[r] + cuts.inclusive) >> cuts.width
            assert np.array_equal(flags, carries ^ code.falling[r])
            assert np.all(flags[:, :-1] >= flags[:, 1:])
            index = flags.sum(axis=1)
            y = code.base[r] + index if code.values is None else code.values[index]
            assert np.array_equal(y, stair.row(r, x))


CASES = [  # levels, rows, lanes, channels, range
    ("1", 12, 4, 12, Range(-16, 15)),
    ("1", 7, 7, 7, Range(0, 31)),
    ("1", 33, 3, 33, Range(-5, 20)),
    ("2", 10, 2, 10, Range(-16, 15)),
    ("2", 5, 5, 5, Range(-9, 30)),
    ("2", 1, 3, 6, Range(0, 63)),
    ("3", 6, 2, 6, Range(-31, 31)),
    ("4", 9, 3, 9, Range(-32, 31)),
    ("4", 3, 3, 3, Range(0, 40)),
    ("4", 40, 1, 40, Range(0, 50)),
    ("ternary", 6, 3, 6, Range(-20, 11)),
    ("log2", 10, 2, 10, Range(-16, 31)),
    ("log2", 2, 2, 2, Range(-16, 31)),
    ("irregular", 14, 2, 14, Range(-30, 33)),
]


@pytest.mark.parametrize("form", ["comparators", "search"])
@pytest.mark.parametrize("number", range(len(CASES)))
def test_every_input(form, number):
    levels, rows, lanes, channels, value = CASES[number]
    stair = bits(rows, levels, value, seed=number)
    unit = StaircaseUnit(stair, lanes=lanes, channels=channels, value=value, target=GENERIC, form=form)
    check(unit, *exhaustive(stair, lanes, channels, value))


@pytest.mark.parametrize("form", ["comparators", "search"])
def test_rows_with_bases_of_their_own(form):
    value = Range(-25, 26)
    stair = own_bases(bits(6, "2", value, seed=3), 3)
    unit = StaircaseUnit(stair, lanes=2, channels=6, value=value, target=GENERIC, form=form)
    check(unit, *exhaustive(stair, 2, 6, value))


@pytest.mark.parametrize("seed", range(10))
def test_random_shapes(seed):
    """Lanes, channels and ranges of any size, whatever form is cheapest."""
    rng = np.random.default_rng(100 + seed)
    lanes, blocks = int(rng.integers(1, 12)), int(rng.integers(1, 20))
    width = int(rng.integers(8, 25))
    value = Range(-int(rng.integers(0, 1 << width)), int(rng.integers(1, 1 << width)))
    stair = bits(lanes * blocks, str(rng.choice([*LEVELS])), value, seed)
    target = (GENERIC, ICE40)[seed % 2]
    unit = StaircaseUnit(stair, lanes=lanes, channels=lanes * blocks, value=value, target=target)
    check(unit, *edges(stair, lanes, 150, seed))


def test_many_lanes_of_one_bit():
    value = Range(0, 784)
    stair = bits(480, "1", value)
    unit = StaircaseUnit(stair, lanes=96, channels=480, value=value, target=GENERIC)
    assert unit.form == "comparators" and unit.latency == 1
    check(unit, *edges(stair, 96, 60, 1))


def test_constant_functions():
    value = Range(-8, 7)
    stair = Staircase(
        np.full((4, 1), 8), np.array([0, 1, 1, 0]), np.array([1, 1, -1, -1]), *np.full((2, 4), [[-8], [7]])
    )
    for form in ("comparators", "search"):
        unit = StaircaseUnit(stair, lanes=2, channels=4, value=value, target=GENERIC, form=form)
        check(unit, *exhaustive(stair, 2, 4, value))


def test_too_many_steps_for_comparators():
    value = Range(-500, 500)
    stair = from_thresholds(
        np.arange(-400, 400, 40)[None, :], np.arange(21), np.array([-500]), np.array([500])
    )
    with pytest.raises(NoForm, match="20 steps"):
        StaircaseUnit(stair, lanes=1, channels=1, value=value, target=GENERIC, form="comparators")


@pytest.mark.synth
def test_carry_cells_compare(tmp_path: Path) -> None:
    """For every x, cut, choice and turn, by SAT; and the proof sees a wrong slot."""
    codes = [
        CutCode(Range.bits(width, signed), width, inclusive)
        for width in (1, 2, 7, 10)
        for signed in (False, True)
        for inclusive in (False, True)
    ]
    leaves = [compare_leaf(code, choice, ECP5) for code in codes for choice in (False, True)]
    texts = [leaf._TEXTS[each.name] for each in leaves]
    wrong = [compare_leaf(CutCode(Range.bits(7), 7, inclusive), False, ECP5) for inclusive in (True, False)]
    (tmp_path / "compare.il").write_text("\n".join(text.rtlil + "\n" + text.model for text in texts))
    pairs = [(each.name, each.name + "_model") for each in leaves]
    pairs.append((wrong[0].name, wrong[1].name + "_model"))
    assert unequal(pairs, ["read_rtlil compare.il", *YOSYS_CELLS], tmp_path) == pairs[-1:]
