"""Ram: the generic form in Amaranth's simulator, the ECP5 form as Verilog with the model of sim/."""

from __future__ import annotations

import random

import pytest
from streambench import Bench
from verilated import Case, first_mismatches

from hwgen.hw.ram import Ram, block_shape, cheapest_form, inferred_count
from hwgen.targets import ECP5, GENERIC

SHAPES = [
    (64, 16),
    (64, 500),
    (36, 512),
    (37, 512),
    (20, 1024),
    (9, 2048),
    (7, 1500),
    (3, 4096),
    (2, 8192),
    (1, 16384),
]


def accesses(ram: Ram, clocks: int, seed: int) -> tuple[dict[str, list[int]], list[int | None]]:
    """Random writes and reads (never of one word at once), and what must be read; None where undefined."""
    rng = random.Random(seed)
    used = sorted({0, 1, ram.depth - 1, *(rng.randrange(ram.depth) for _ in range(12))})
    names = ("write_en", "write_addr", "write_data", "read_addr")
    inputs: dict[str, list[int]] = {name: [] for name in names}
    cells: dict[int, int] = {}
    reads: list[int | None] = []
    for _ in range(clocks):
        written, read = rng.sample(used, 2)
        enabled, word = rng.random() < 0.6, rng.getrandbits(ram.width)
        for name, value in zip(names, (int(enabled), written, word, read)):
            inputs[name].append(value)
        reads.append(cells.get(read))
        if enabled:
            cells[written] = word
    return inputs, ([None] * ram.latency + reads)[:clocks]


@pytest.mark.parametrize("form", ["block", "distributed"])
def test_generic(form):
    ram = Ram(width=9, depth=24, form=form, target=GENERIC)
    inputs, expected = accesses(ram, 200, 1)
    bench = Bench(ram)

    async def process(ctx):
        for clock in range(200):
            for name, values in inputs.items():
                ctx.set(getattr(ram, name), values[clock])
            if expected[clock] is not None:
                assert ctx.get(ram.read_data) == expected[clock], clock
            await ctx.tick()

    bench.add(process)
    bench.run()


@pytest.mark.sim
def test_ecp5(tmp_path):
    cases = {}
    for width, depth in SHAPES:
        for form in ("block", "distributed") if depth <= 500 else ("block",):
            ram = Ram(width=width, depth=depth, form=form, target=ECP5)
            inputs, expected = accesses(ram, 300, width)
            cases[f"{form} {width}x{depth}"] = Case(ram, inputs, {"read_data": expected})
    assert first_mismatches(cases, tmp_path) == {}


def test_forms():
    assert cheapest_form(64, 16, ECP5) == "distributed"
    assert cheapest_form(64, 256, ECP5) == "block"
    assert cheapest_form(8, 32, ECP5) == "distributed"
    assert (block_shape(64, 512, ECP5).width, block_shape(18, 600, ECP5).width) == (36, 18)


@pytest.mark.parametrize(
    "fields", [dict(width=0, depth=4), dict(width=1, depth=1), dict(width=4, depth=4, form="flash"),
               dict(width=1, depth=20000, form="block", target=ECP5)]
)  # fmt: skip
def test_errors(fields):
    with pytest.raises(ValueError, match="ram:"):
        Ram(**fields)


def test_inferred_memories_may_be_deep():
    assert inferred_count(8, 27648, ECP5) == 14  # an image for a network, a byte a word
    assert inferred_count(8, 2048, ECP5) == 1
