"""Addition units against the operation's own tables, under random gaps and back-pressure."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from streambench import Bench, beats

from hwgen.hw.addunit import AddUnit, add_cost, pieces
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import Staircase, from_function
from hwgen.targets import ECP5, GENERIC

sys.path.insert(0, str(Path(__file__).parents[1] / "numeric"))
from test_fit_add import tflite_add

INT8 = Range(-128, 127)
SCALES = (0.03127, 0.05281, 0.07019), (3, -5, 4)


def pairs(a: Range, b: Range, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(a.lo, a.hi + 1, count), rng.integers(b.lo, b.hi + 1, count)
    ends = [(p, q) for p in (a.lo, a.hi) for q in (b.lo, b.hi)]
    for k, (p, q) in enumerate(ends):
        x[k], y[k] = p, q
    return x, y


def wanted(add, x, y):
    tables, offsets, act = add
    return act.row(0, tables[0][x - offsets[0]] + tables[1][y - offsets[1]])


def run(add, *, a=INT8, b=INT8, lanes=1, gaps=0.4, count=240, seed=1, form="auto", sink_gaps=None):
    unit = AddUnit(*add, a=a, b=b, lanes=lanes, target=GENERIC, form=form)
    x, y = pairs(a, b, count, seed)
    bench = Bench(unit, seed=seed, gaps=gaps)
    bench.send(unit.a, beats(x, lanes))
    bench.send(unit.b, beats(y, lanes))
    got = bench.receive(unit.o, count // lanes, gaps=sink_gaps)
    bench.run()
    assert np.array_equal(np.array(got).ravel(), wanted(add, x, y))
    return unit, bench


@pytest.mark.parametrize("form", ["linear", "tables"])
@pytest.mark.parametrize("lanes", [1, 4])
def test_tflite_add(form, lanes):
    assert run(tflite_add(*SCALES), lanes=lanes, form=form)[0].form == form


def test_full_speed_and_a_slow_consumer():
    add = tflite_add(*SCALES)
    unit, bench = run(add, gaps=0)
    clocks = bench.clocks["o"]
    assert clocks[-1] - clocks[0] == len(clocks) - 1
    assert clocks[0] == unit.latency + 4  # two through the queue, its permit comes one late
    run(add, gaps=0, sink_gaps=0.9)


def test_ties_are_mirrored_about_zero():
    unit, _ = run(tflite_add((0.05, 0.05, 0.1), (3, -5, 7)), form="linear")
    assert unit._act.fit.middle is not None


def test_ranges_other_than_bytes():
    a, b = Range(0, 255), Range(-256, 255)
    run(tflite_add((0.03, 0.02, 0.07), (12, -128, -128), a, b), a=a, b=b, lanes=2)


def test_falling_and_irregular_activations():
    table = np.arange(0, 512, 2)
    steps = np.array([[-300, -10, 0, 5, 6, 200]])
    for sign in (-1, 1):
        act = Staircase(steps, np.array([2]), np.array([sign]), np.array([-512]), np.array([508]))
        run(((table - 256, table - 256), (-128, -128), act))


def test_halves_to_even():
    x = np.arange(-128, 128) * 4
    act = from_function(lambda s: np.rint(s / 8).astype(np.int64), np.array([-1024]), np.array([1016]))
    assert run(((x, x), (-128, -128), act))[0].form == "tables"


def test_pieces_add_up():
    for value in (Range(-128, 127), Range(0, 511), Range(-3, 2), Range(0, 1)):
        parts = pieces(-37, 11, value)
        for x in range(value.lo, value.hi + 1):
            total = sum(int(p.table[(x >> p.at) & ((1 << p.width) - 1)]) for p in parts)
            assert total == -37 * x + 11


def test_wrong_arguments_are_refused():
    add = tflite_add(*SCALES)
    with pytest.raises(ValueError, match="no table entry"):
        AddUnit(*add, a=Range(-129, 5), b=INT8, lanes=1, target=GENERIC)
    with pytest.raises(ValueError, match="form must be"):
        AddUnit(*add, a=INT8, b=INT8, lanes=1, target=GENERIC, form="magic")


def test_cost_is_small():
    cost = add_cost(*tflite_add(*SCALES), a=INT8, b=INT8, lanes=1, target=ECP5)
    assert cost.lut4 < 320 and cost.dsp == 0


@pytest.mark.sim
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler on this machine")
def test_ecp5_primitives(tmp_path):
    from verilated import Case, first_mismatches

    cases = {}
    x, y = pairs(INT8, INT8, 200, 5)
    for form in ("linear", "tables"):
        add = tflite_add(*SCALES)
        unit = AddUnit(*add, a=INT8, b=INT8, lanes=1, target=ECP5, form=form)
        late = unit.latency + 2
        out = [int(v) & 255 for v in wanted(add, x, y)]
        tail = [0] * late
        cases[form] = Case(
            unit,
            {
                "a_valid": [1] * 200 + tail,
                "b_valid": [1] * 200 + tail,
                "o_ready": [1] * (200 + late),
                "a_payload": [int(v) & 255 for v in x] + tail,
                "b_payload": [int(v) & 255 for v in y] + tail,
            },
            # the queue permits from its second clock on: the first pair is not taken
            {"o_valid": tail + [0, *[1] * 199], "o_payload": [*[None] * (late + 1), *out[1:]]},
        )
    assert first_mismatches(cases, tmp_path) == {}
