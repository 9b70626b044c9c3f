"""Quantiser: every activation against the definition in hwgen.program.instructions, in Python's integers."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from verilated import Case, first_mismatches

from hwgen.hw.systolic.quantiser import BLOCKS, Quantiser
from hwgen.program.array import GROUP, UP5K, Array
from hwgen.targets import ECP5, GENERIC, ICE40UP, Target

Parameters = tuple[int, int, int]  # multiplier, shift, bias
Layer = dict[str, int]


def clip(value: int, lo: int, hi: int) -> int:
    return min(max(value, lo), hi)


def requantised(acc: int, parameters: Parameters, layer: Layer, geometry: Array) -> int:
    multiplier, shift, bias = parameters
    d = clip(acc + bias, -(1 << geometry.operand - 1), (1 << geometry.operand - 1) - 1)
    q = (multiplier * d + layer["twice"] * (1 << geometry.multiplier - 1)) >> geometry.multiplier
    y = q if shift == 0 else (q + (1 << shift - 1) - (q < 0 and layer["away"])) >> shift
    return clip(y + layer["zero"], layer["lo"], layer["hi"])


def drawn(rng: random.Random, bits: int, signed: bool) -> int:
    """Of any size, or an end of the range, or zero, or near a power of two."""
    lo, hi = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    near = (1 << rng.randrange(bits)) + rng.randint(-1, 1)
    return clip(rng.choice([lo, hi, 0, near, -near, rng.randint(lo, hi), rng.randint(lo, hi)]), lo, hi)


def case(geometry: Array, target: Target, seed: int) -> Case:
    """Layers one after the other; blocks of sums, with the next block's parameters written meanwhile."""
    rng = random.Random(seed)
    dut = Quantiser(geometry=geometry, target=target)
    names = ("write", "write_bank", "write_word", "write_data", "valid", "bank", "column", "acc",
             "zero", "lo", "hi", "twice", "away")  # fmt: skip
    inputs: dict[str, list[int]] = {name: [] for name in names}
    expected: list[tuple[int, int | None]] = [(0, None)] * dut.latency

    def clock(layer: Layer, word: dict[str, int], result: int | None = None, **sum_: int) -> None:
        noise = {name: rng.getrandbits(24) for name in names} | {"write": 0, "valid": 0}
        values = noise | layer | word | sum_
        for name in names:
            inputs[name].append(values[name])
        expected.append((values["valid"], result))

    def words(block: list[Parameters], bank: int) -> list[dict[str, int]]:
        result = []
        for column, (multiplier, shift, bias) in enumerate(block):
            packed = multiplier | shift << 28 | (bias & 0xFFFFFFF) << 33
            for half in range(2):
                data = packed >> 32 * half & 0xFFFFFFFF
                place = {"write_bank": bank % BLOCKS, "write_word": 2 * column + half}
                result.append({"write": 1, "write_data": data, **place})
        return result

    def block() -> list[Parameters]:
        top = rng.choice([31, 8, geometry.operand + 1])
        return [
            (drawn(rng, geometry.multiplier, False), rng.randint(0, top), drawn(rng, geometry.bias, True))
            if rng.random() < 0.5
            else (rng.getrandbits(geometry.multiplier), rng.randint(0, 14), rng.randint(-5000, 5000))
            for _ in range(GROUP)
        ]

    for _ in range(12):
        ends = sorted(drawn(rng, 8, True) for _ in range(2))
        layer = {"zero": drawn(rng, 8, True), "lo": ends[0], "hi": ends[1],
                 "twice": rng.getrandbits(1), "away": rng.getrandbits(1)}  # fmt: skip
        if rng.random() < 0.5:
            layer |= {"lo": -128, "hi": 127}
        now = block()
        for word in words(now, 0):
            clock(layer, word)
        for turn in range(6):
            following = block()
            pending = words(following, turn + 1)
            for number in range(40):
                ready = bool(pending) and number >= dut.reads and rng.random() < 0.8
                word = pending.pop(0) if ready else {}
                if rng.random() < 0.1:
                    clock(layer, word)
                    continue
                column = rng.randrange(GROUP)
                acc = drawn(rng, geometry.accumulator, True)
                if rng.random() < 0.5:  # near the bias, where rounding matters
                    acc = clip(rng.randint(-4000, 4000) - now[column][2], -(1 << 23), (1 << 23) - 1)
                result = requantised(acc, now[column], layer, geometry)
                clock(layer, word, result, valid=1, bank=turn % BLOCKS, column=column, acc=acc)
            now = following
        for _ in range(dut.latency):
            clock(layer, {})
    clocks = len(inputs["valid"])
    outputs: dict[str, Sequence[int | None]] = {
        "output_valid": [v for v, _ in expected],
        "value": [r for _, r in expected],
    }
    return Case(dut, inputs, {name: values[:clocks] for name, values in outputs.items()})


@pytest.mark.sim
def test_every_activation(tmp_path: Path) -> None:
    narrow = replace(UP5K, operand=19, multiplier=21, bias=20)
    even = replace(UP5K, operand=18, multiplier=18)
    cases = {
        f"{target.name} {geometry.operand} {seed}": case(geometry, target, seed)
        for geometry in (UP5K, narrow, even)
        for target in (ICE40UP, GENERIC, ECP5)
        for seed in range(2)
    }
    cases["steady"] = case(replace(UP5K, shared_activations=False), ECP5, 2)
    assert first_mismatches(cases, tmp_path) == {}
