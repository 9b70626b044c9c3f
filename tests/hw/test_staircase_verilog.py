"""The ECP5 form of staircase units (MULT18X18D, DP16KD, CCU2C) in Verilator, clock by clock."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from test_staircase import extremes, few_steps, float32_rule, tflite, twice_quantised
from test_staircase_bits import bits
from verilated import Case, first_mismatches

from hwgen.hw.staircase import StaircaseUnit
from hwgen.hw.stream import shape_of
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import from_function
from hwgen.targets import ECP5

pytestmark = [
    pytest.mark.sim,
    pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler on this machine"),
]


def packed(values: np.ndarray, value: Range) -> int:
    """A word of lanes, lane 0 in the low bits."""
    width = shape_of(value).width
    return sum((int(v) & ((1 << width) - 1)) << (k * width) for k, v in enumerate(values))


def case(
    stair, *, lanes: int, channels: int | None = None, words: int = 300, seed: int = 1, **options
) -> Case:
    channels = channels or stair.rows
    options = {"value": stair.input_range, "target": ECP5} | options
    unit = StaircaseUnit(stair, lanes=lanes, channels=channels, **options)
    rng = np.random.default_rng(seed)
    x, y = extremes(stair, lanes, channels, stair.input_range, rng, words)
    valid = rng.random(words * 2) < 0.6
    count = int(valid.sum())
    x, y = np.resize(x, (count, lanes)), np.resize(y, (count, lanes))
    if count > words:
        valid[np.flatnonzero(valid)[words:]] = False
    taken = np.cumsum(valid) - 1
    noise = rng.integers(0, 2**31, valid.size)
    payload = [packed(x[k], unit.value) if v else int(noise[t]) for t, (v, k) in enumerate(zip(valid, taken))]
    late = unit.latency
    tail = [0] * late
    return Case(
        unit,
        {
            "i_valid": [*map(int, valid), *tail],
            "i_payload": [*payload, *tail],
            "i_first": [*map(int, valid), *tail],
        },
        {
            "o_valid": [*tail, *map(int, valid)],
            "o_payload": [
                *[None] * late,
                *[packed(y[k], unit.out) if v else None for v, k in zip(valid, taken)],
            ],
            "o_first": [*[None] * late, *[1 if v else None for v in valid]],
        },
    )


def test_every_form_in_ecp5_primitives(tmp_path):
    relu, relu_bias = tflite(8, zero_point=-128)
    signed, signed_bias = tflite(6, zero_point=4, low=-11, reach=1 << 20)
    many, many_bias = tflite(64, zero_point=-128, seed=7)
    wide, wide_bias = tflite(4, zero_point=4, low=-13, reach=1 << 22)
    tied, tied_bias = float32_rule()
    twice, twice_bias = twice_quantised(2.63, 5)
    table = from_function(lambda x: np.rint(x / 4).astype(np.int64), np.array([-300]), np.array([211]))
    odd = Range(0, 1000)
    cases = {
        "relu, tables in LUTs": case(relu, lanes=2, split_at=-relu_bias, form="linear"),
        "mirrored, 19-bit operand": case(signed, lanes=1, split_at=-signed_bias, form="linear"),
        "tables in block RAM": case(many, lanes=1, split_at=-many_bias, form="linear"),
        "21-bit operand": case(wide, lanes=1, split_at=-wide_bias, form="linear"),
        "exceptions": case(tied, lanes=1, words=500, split_at=-tied_bias, form="linear"),
        "table behind the line": case(twice, lanes=1, split_at=-twice_bias, form="linear"),
        "comparators": case(few_steps(6, 3, 3), lanes=2, form="comparators"),
        "search": case(few_steps(6, 15, 4), lanes=1, form="search"),
        "1 bit, many lanes": case(bits(40, "1", odd), lanes=8),
        "2 bits, choice of cuts": case(bits(30, "2", odd), lanes=3, form="search"),
        "4 bits, cuts in block RAM": case(bits(140, "4", odd), lanes=1, form="search"),
        "table": case(table, lanes=2, channels=2, form="table"),
    }
    assert first_mismatches(cases, tmp_path) == {}
