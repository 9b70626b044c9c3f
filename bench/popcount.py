"""XNOR-popcount structures alone, between shift registers: LUT4, flip-flops, MHz, per binary operation."""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.emit.verilog import to_rtlil
from hwgen.flow import board as boards
from hwgen.flow import pnr, synth
from hwgen.hw.popcount import LONGEST, Popcount
from hwgen.hw.popcount_matrix import ConstantXnorMatrix
from hwgen.targets import target

BOARDS = {"ecp5": "ulx3s-25f", "ice40": "ice40hx8k", "ice40up": "icebreaker"}
#: asked of nextpnr, which tries no harder than it must
GOAL = {"ecp5": 350.0, "ice40": 220.0, "ice40up": 80.0}


class Between(wiring.Component):
    """A unit whose inputs come from one shift register and whose outputs end, by pipelined parities, in one
    bit: pins do not limit it, and nothing of it is optimised away."""

    def __init__(self, unit: wiring.Component) -> None:
        self.unit = unit
        super().__init__({"serial": In(1), "parity": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = self.unit
        ports = [(value, member.flow) for _, member, value in self.unit.signature.flatten(self.unit)]
        inputs = Cat(Value.cast(value) for value, flow in ports if flow == wiring.In)
        outputs = Cat(Value.cast(value) for value, flow in ports if flow == wiring.Out)
        shift = Signal(len(inputs), reset_less=True)
        m.d.sync += shift.eq(Cat(self.serial, shift[:-1]))
        m.d.comb += inputs.eq(shift)
        bits = Signal(len(outputs), reset_less=True)
        m.d.sync += bits.eq(outputs)
        while len(bits) > 1:
            following = Signal(-(-len(bits) // 4), reset_less=True)
            m.d.sync += following.eq(Cat(bits[at : at + 4].xor() for at in range(0, len(bits), 4)))
            bits = following
        m.d.comb += self.parity.eq(bits)
        return m


@dataclass(frozen=True)
class Measured:
    """Of the unit alone. lut4, ff: synthesised. placed: logic sites after placement, hidden ones included.
    mhz: for each seed. Neither if not routed."""

    lut4: int
    ff: int
    placed: int | None
    mhz: tuple[float, ...]


def measure(unit: wiring.Component, family: str, seeds: int = 0) -> Measured:
    """Synthesise `unit` with hwgen's flow, and place and route it with that many seeds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "top.il").write_text(to_rtlil(Between(unit), "top"))
        made = synth.synthesise([folder / "top.il"], "top", family, folder, regions=["dut"])
        board = boards.load(BOARDS[family])
        routed = [
            pnr.place_and_route(
                made.netlist, board, folder / str(seed), freq_mhz=GOAL[family], seed=seed, free_pins=True
            )
            for seed in range(1, seeds + 1)
        ]
        used = made.regions["dut"]
        placed = routed[0].resources["lut4"] - _around(unit, family) if routed else None
        return Measured(used["lut4"], used["ff"], placed, tuple(each.fmax_mhz for each in routed))


def _around(unit: wiring.Component, family: str) -> int:
    """Logic sites of `Between` itself; a flip-flop needs one on iCE40 only."""
    widths = {wiring.In: 0, wiring.Out: 0}
    for _, member, value in unit.signature.flatten(unit):
        widths[member.flow] += len(Value.cast(value))
    parities, bits = 0, widths[wiring.Out]
    while bits > 1:
        bits = -(-bits // 4)
        parities += bits
    return parities + (0 if family == "ecp5" else sum(widths.values()))


def main() -> None:
    """Run-time weights by lanes, then constant matrices, on ECP5 and iCE40."""
    run([])


def run(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", nargs="*", default=["ecp5", "ice40"], choices=list(BOARDS))
    parser.add_argument("--lanes", type=int, nargs="*", default=[64, 256, 512])
    parser.add_argument("--matrix", nargs="*", default=["64x16", "64x64", "256x64"], metavar="INPUTSxROWS")
    parser.add_argument("--levels", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--longest", type=int, nargs="*", default=[LONGEST])
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args(arguments)
    for family in given.family:
        for levels, longest in itertools.product(given.levels, given.longest):
            options: dict[str, Any] = {"levels": levels, "longest": longest, "target": target(family)}
            for lanes, matches in itertools.product(given.lanes, (False, True)):
                unit = Popcount(lanes, matches=matches, **options)
                what = f"{lanes} {'a == w' if matches else 'a != w'}"
                report(family, f"{what}, chains of {longest}", unit, unit.latency, lanes, given.seeds)
            for size in given.matrix:
                count, rows = map(int, size.split("x"))
                weights = np.random.default_rng(5).choice([-1, 1], (rows, count))
                matrix = ConstantXnorMatrix(weights, **options)
                what = f"constant {size}, chains of {longest}"
                report(family, what, matrix, matrix.latency, rows * count, given.seeds)


def report(family: str, what: str, unit: wiring.Component, latency: int, operations: int, seeds: int) -> None:
    found = measure(unit, family, seeds)
    routed = ""
    if found.placed is not None:
        mhz = "/".join(f"{each:.0f}" for each in found.mhz)
        routed = f", {found.placed} sites placed ({found.placed / operations:.2f}), {mhz} MHz"
    print(
        f"{family} {what}, {latency} clocks: {found.lut4} LUT4 ({found.lut4 / operations:.2f} each), "
        f"{found.ff} FF ({found.ff / operations:.2f}){routed}",
        flush=True,
    )


if __name__ == "__main__":
    run(sys.argv[1:])
