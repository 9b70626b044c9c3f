"""Whether a product form is exact: its unit simulated in plain logic against the products of NumPy."""

from __future__ import annotations

import functools

import numpy as np
from amaranth.hdl import Value
from amaranth.sim import Simulator

from bench.code_cases import ACTIVATIONS, WEIGHTS
from hwgen.hw.mvu import MVU
from hwgen.numeric.codes import Coded
from hwgen.targets import GENERIC
from hwgen.weights.code import FORMS

SIMD, WORDS, PE, VECTORS = 4, 4, 2, 12
AFTER = 40  # clocks, more than any form's latency


@functools.cache
def exact(weights: str, bits: str, form: str) -> bool:
    """Random and extreme weights and activations, every sum compared, on the generic target.

    tests/targets holds the primitives of each family equal to plain logic."""
    rng = np.random.default_rng(7)
    levels, value = WEIGHTS[weights], ACTIVATIONS[bits]
    matrix = rng.choice(levels, (PE, SIMD * WORDS))
    matrix[0, : min(len(levels), SIMD * WORDS)] = levels[: SIMD * WORDS]
    matrix[1, :SIMD], matrix[1, SIMD : 2 * SIMD] = levels[0], levels[-1]
    x = rng.integers(value.lo, value.hi + 1, (VECTORS, SIMD * WORDS))
    x[0], x[1] = value.lo, value.hi
    unit = MVU(matrix, simd=SIMD, pe=PE, value=value, form=FORMS[form], target=GENERIC)
    real = np.array(value.values)[x - value.lo] if isinstance(value, Coded) else x
    return np.array_equal(_sums(unit, x, value.width), real @ matrix.T + unit.offset)


def _sums(unit: MVU, x: np.ndarray, width: int) -> np.ndarray:
    """(vectors, outputs), what all outputs share taken off."""
    found: list[list[int]] = []
    lanes = PE + any(form.shared for form in unit.forms)
    bits = unit.accumulator.width

    async def bench(ctx) -> None:  # type: ignore[no-untyped-def]
        for clock in range(len(x) * WORDS + AFTER):
            vector, word = divmod(clock, WORDS)
            busy = vector < len(x)
            if busy:
                lane = x[vector, word * SIMD : (word + 1) * SIMD]
                packed = sum((int(each) & ((1 << width) - 1)) << (at * width) for at, each in enumerate(lane))
                ctx.set(Value.cast(unit.i.payload), packed)
            ctx.set(unit.i.valid, busy)
            ctx.set(unit.i.first, word == 0)
            ctx.set(unit.i.last, word == WORDS - 1)
            await ctx.tick()
            if ctx.get(unit.o.valid):
                total = int(ctx.get(Value.cast(unit.o.payload)))
                words = [total >> (at * bits) for at in range(lanes)]
                shared = words[PE] if lanes > PE else 0  # both may overflow, their difference does not
                found.append([_signed(word - shared, bits, unit) for word in words[:PE]])

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return np.array(found)


def _signed(word: int, bits: int, unit: MVU) -> int:
    word &= (1 << bits) - 1
    return word - (1 << bits) if unit.accumulator.lo < 0 and word >> (bits - 1) else word
