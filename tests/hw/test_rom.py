"""ROM forms: contents, latency, choice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator
from verilated import Case, first_mismatches

from hwgen.hw.rom import EXCHANGED, Rom, cheapest_rom, rom_cost, rom_layout
from hwgen.targets import ECP5, GENERIC, ICE40, Target


def content(rng: np.random.Generator, depth: int, width: int) -> np.ndarray:
    return rng.integers(0, 2, (depth, width), dtype=np.uint8)


def number(row: np.ndarray) -> int:
    return sum(int(bit) << at for at, bit in enumerate(row))


@pytest.mark.parametrize("form", ["bram", "lut", "generic"])
@pytest.mark.parametrize(("depth", "width"), [(1, 5), (2, 70), (37, 3), (1300, 4), (512 * 9 + 3, 2)])
def test_generic_rom_answers_after_two_clocks(form: str, depth: int, width: int) -> None:
    rng = np.random.default_rng(1)
    bits = content(rng, depth, width)
    dut = Rom(bits, form=form, target=GENERIC)
    addresses = [int(a) for a in rng.integers(0, depth, 50)]

    async def bench(ctx):  # type: ignore[no-untyped-def]
        for t in range(len(addresses)):
            ctx.set(dut.addr, addresses[t])
            if t >= dut.latency:
                assert ctx.get(dut.data) == number(bits[addresses[t - dut.latency]])
            await ctx.tick()

    top = Module()
    top.domains.sync = ClockDomain()  # a ROM of one word has no register of its own
    top.submodules.dut = dut
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.sim
def test_ecp5_rom_in_every_aspect_ratio(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    cases = {}
    shapes = (
        (5, 70),
        (512, 40),
        (600, 20),
        (1500, 9),
        (3000, 5),
        (5000, 2),
        (9000, 1),
        (700, 37),
        (5120, 16),
    )
    for depth, width in shapes:
        bits = content(rng, depth, width)
        dut = Rom(bits, form="bram", target=ECP5)
        edges = [0, depth - 1, depth // 2, min(511, depth - 1), min(512, depth - 1)]
        addresses = [*edges, *(int(a) for a in rng.integers(0, depth, 300))]
        data = [None, None, *(number(bits[a]) for a in addresses[:-2])]
        cases[f"{depth}x{width}"] = Case(dut, {"addr": addresses}, {"data": data})
    bits = content(rng, 40, 8)
    dut = Rom(bits, form="lut", target=ECP5)
    cases["lut"] = Case(dut, {"addr": range(40)}, {"data": [None, None, *(number(row) for row in bits[:-2])]})
    assert first_mismatches(cases, tmp_path) == {}


def test_layout_takes_the_fewest_block_rams() -> None:
    assert rom_layout(36, 512, ECP5).blocks == 1
    assert rom_layout(37, 512, ECP5).blocks == 2
    assert rom_layout(18, 513, ECP5).blocks == 1
    assert rom_layout(16, 5120, ECP5).blocks == 5
    with pytest.raises(ValueError, match="too deep"):
        rom_layout(1, 1 << 20, ECP5)


@pytest.mark.parametrize("target", [ECP5, GENERIC], ids=lambda t: t.name)
def test_choice_follows_the_exchange_rate(target: Target) -> None:
    assert cheapest_rom(36, 1, target) == "lut"
    assert cheapest_rom(36, 16, target) == "lut"
    assert cheapest_rom(36, 512, target) == "bram"
    assert rom_cost(36, 16, target, "lut") == (36, 0)


def test_bad_content_is_refused() -> None:
    for bad in (np.zeros((0, 4)), np.full((2, 2), 2), np.zeros(4)):
        with pytest.raises(ValueError, match="array of bits"):
            Rom(bad, target=GENERIC)


@pytest.mark.sim
@pytest.mark.parametrize("target", [ECP5, ICE40], ids=lambda t: t.name)
def test_rom_whose_content_is_exchanged(tmp_path: Path, target: Target) -> None:
    rng = np.random.default_rng(3)
    cases = {}
    for depth, width in ((2, 40), (300, 17), (600, 5)):
        bits = content(rng, depth, width)
        dut = Rom(bits, form="exchange", target=target)
        addresses = [0, depth - 1, *(int(a) for a in rng.integers(0, depth, 300))]
        data = [None, None, *(number(bits[a]) for a in addresses[:-2])]
        cases[f"{depth}x{width}"] = Case(dut, {"addr": addresses}, {"data": data})
    assert first_mismatches(cases, tmp_path) == {}


@pytest.mark.parametrize("target", [ECP5, ICE40], ids=lambda t: t.name)
def test_content_that_is_exchanged_is_no_structure(target: Target) -> None:
    def structure(bits: np.ndarray) -> list[str]:
        text = rtlil.convert(Rom(bits, form="exchange", target=target), emit_src=False)
        return [line for line in text.splitlines() if "\\INIT" not in line]

    for depth, width in ((1, 5), (300, 17)):
        bits = content(np.random.default_rng(4), depth, width)
        assert structure(bits) == structure(bits * 0) == structure(bits | 1)
        assert f"{EXCHANGED}_0_0" in " ".join(structure(bits))
    assert rom_cost(17, 300, ICE40, "exchange") == (17, 4)
