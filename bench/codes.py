"""Every weight code in every product form that suits it: what a multiply-accumulate costs, side by side.

A row is a matrix-vector unit of `simd` x `pe` products a clock, its accumulators, control and weights' ROM
included; LUT4, flip-flops and multipliers are divided by the products. "*" marks the form that a planner
takes when multipliers are not short. Estimates are hwgen's own (held within a tenth by tests/synth); with
--synth the rows, or with --best those marked, are synthesised, and with --seeds also routed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.popcount import BOARDS, GOAL, Between
from hwgen.emit.verilog import to_rtlil
from hwgen.flow import board as boards
from hwgen.flow import pnr, synth
from hwgen.hw.mvu import MVU, accumulator_range, reducer_cost
from hwgen.hw.product.form import Levels
from hwgen.numeric.codes import Coded
from hwgen.numeric.ranges import Range
from hwgen.targets import Target, target
from hwgen.targets.resources import Resources
from hwgen.weights.code import CODES, FORMS

WORDS = 16  # of a group
OUTPUTS = 2  # groups

WEIGHTS: dict[str, Levels] = {
    "bipolar": (-1, 1),
    "ternary": (-1, 0, 1),
    "ternary, scales 3 and 5": (-3, 0, 5),
    "powers of two to 2": (-2, -1, 0, 1, 2),
    "powers of two to 4": (-4, -2, -1, 0, 1, 2, 4),
    "powers of two to 64": (-64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64),
    "odd to 3": (-3, -1, 1, 3),
    "odd to 7": (-7, -5, -3, -1, 1, 3, 5, 7),
    "two powers of two": (-12, -10, -9, -8, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 12),
    "int2": tuple(range(-2, 2)),
    "int4": tuple(range(-8, 8)),
    "int8": tuple(range(-128, 128)),
}
POWERS = tuple(1 << k for k in range(7))
ACTIVATIONS: dict[str, Range] = {
    "1": Range(0, 1),
    "2": Range(0, 3),
    "4": Range(0, 15),
    "8": Range(0, 255),
    "log3": Coded(0, 7, (0, *POWERS)),  # 0, 1, 2, 4 .. 64 as codes of 3 bits
    "log4": Coded(0, 14, (*(-power for power in POWERS[::-1]), 0, *POWERS)),
}


@dataclass(frozen=True)
class Case:
    """A set of weight values, activations, and the form for their products."""

    weights: str
    bits: str
    form: str
    simd: int
    pe: int
    family: Target

    @property
    def rom(self) -> str:
        return "bram" if self.family.instances else "auto"

    def matrix(self) -> np.ndarray:
        """Weights that take all the levels."""
        levels = WEIGHTS[self.weights]
        matrix = np.random.default_rng(1).choice(levels, (OUTPUTS * self.pe, WORDS * self.simd))
        count = min(len(levels), matrix.size)
        matrix.reshape(-1)[:count] = levels[:count]
        return matrix

    def unit(self) -> MVU:
        """What is measured."""
        return MVU(
            self.matrix(),
            simd=self.simd,
            pe=self.pe,
            value=ACTIVATIONS[self.bits],
            form=FORMS[self.form],
            rom=self.rom,
            target=self.family,
        )

    def estimate(self) -> Resources:
        """What the planner thinks."""
        return reducer_cost(
            form=FORMS[self.form],
            simd=self.simd,
            pe=self.pe,
            lanes=self.simd,
            depth=OUTPUTS * WORDS,
            levels=WEIGHTS[self.weights],
            value=ACTIVATIONS[self.bits],
            accumulator=accumulator_range(self.matrix(), ACTIVATIONS[self.bits]),
            rom=self.rom,
            target=self.family,
        )


def cases(weights: str, bits: str, simd: int, pe: int, family: Target) -> list[tuple[Case, Resources]]:
    """All forms that suit, cheapest first."""
    found = []
    for form, kind in FORMS.items():
        value = ACTIVATIONS[bits]
        if kind.coded == isinstance(value, Coded) and kind.suits(WEIGHTS[weights], value, simd, pe, family):
            case = Case(weights, bits, form, simd, pe, family)
            try:
                found.append((case, case.estimate()))
            except ValueError:  # a form that refuses these ranges
                continue
    return sorted(found, key=lambda each: each[1].lut4 + 0.3 * each[1].ff + 5 * each[1].dsp)


def measured(case: Case, seeds: int) -> tuple[Resources, list[float]]:
    """What synthesis makes of the unit, and MHz for each seed of place and route."""
    with tempfile.TemporaryDirectory() as name:
        folder, family = Path(name), case.family.name
        (folder / "top.il").write_text(to_rtlil(Between(case.unit()), "top"))
        made = synth.synthesise([folder / "top.il"], "top", family, folder, regions=["dut"])
        routed = [
            pnr.place_and_route(
                made.netlist,
                boards.load(BOARDS[family]),
                folder / str(seed),
                freq_mhz=GOAL[family],
                seed=seed,
                free_pins=True,
            ).fmax_mhz
            for seed in range(1, seeds + 1)
        ]
    return Resources(**made.regions["dut"]), routed


def row(case: Case, cost: Resources, mark: str, mhz: Sequence[float], found: str) -> str:
    """A line of the table."""
    products = case.simd * case.pe
    each = f"{cost.lut4 / products:6.1f} {cost.ff / products:6.1f} {cost.dsp / products:5.2f}"
    bits = FORMS[case.form].code_bits(case.simd, WEIGHTS[case.weights], ACTIVATIONS[case.bits])
    width = bits / case.simd / FORMS[case.form].outputs
    speed = ""
    if mhz:
        rate = min(mhz) * products / 1000
        speed = f"  {'/'.join(f'{each:.0f}' for each in mhz)} MHz, {rate:.1f} GMAC/s"
    return f"{case.weights:24}{case.bits:>4}  {mark}{case.form:14}{width:5.1f} {each}  {found}{speed}"


def run(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench codes", description=__doc__)
    parser.add_argument("--family", nargs="*", default=["ecp5"], choices=list(BOARDS))
    parser.add_argument("--weights", nargs="*", default=list(WEIGHTS), choices=list(WEIGHTS), metavar="SET")
    parser.add_argument("--activations", nargs="*", default=["2", "8", "log3"], choices=list(ACTIVATIONS))
    parser.add_argument("--simd", type=int, default=8)
    parser.add_argument("--pe", type=int, default=8)
    parser.add_argument("--synth", action="store_true", help="synthesise every row")
    parser.add_argument("--best", action="store_true", help="synthesise the marked rows")
    parser.add_argument("--seeds", type=int, default=0, help="place and route what is synthesised")
    given = parser.parse_args(arguments)
    for family in given.family:
        print(f"{family}, {given.simd} x {given.pe} products a clock; codes: {', '.join(CODES)}")
        print(
            f"{'weights':24}{'act':>4}   {'form':14}{'ROM':>5} {'LUT4':>6} {'FF':>6} {'DSP':>5}  each product"
        )
        for bits in given.activations:
            for weights in given.weights:
                rows = cases(weights, bits, given.simd, given.pe, target(family))
                for number, (case, cost) in enumerate(rows):
                    mark = " " if number else "*"
                    if given.synth or (given.best and not number):
                        real, mhz = measured(case, given.seeds)
                        share = 100 * cost.lut4 / real.lut4 - 100
                        found = f"synthesised; estimate {share:+.0f}%"
                        print(row(case, real, mark, mhz, found), flush=True)
                    else:
                        print(row(case, cost, mark, (), "estimate"), flush=True)


def main() -> None:
    """On ECP5, the cheapest form of each pair of weights and activations synthesised."""
    run(["--best"])


if __name__ == "__main__":
    run(sys.argv[1:])
