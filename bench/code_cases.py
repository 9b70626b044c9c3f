"""What the bench of codes measures: sets of weights, activations, and the unit of each product form."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.popcount import GOAL, Between
from hwgen.emit.verilog import to_rtlil
from hwgen.flow import board as boards
from hwgen.flow import pnr, synth
from hwgen.hw.mvu import MVU, accumulator_range, reducer_cost
from hwgen.hw.product.form import Levels
from hwgen.numeric.codes import Coded
from hwgen.numeric.ranges import Range
from hwgen.plan.systolic.energy.joules import PICOJOULES, TABLE_BITS
from hwgen.support.errors import FitError
from hwgen.targets import Target
from hwgen.targets.resources import Resources
from hwgen.weights.code import FORMS

WORDS = 16  # of a group
OUTPUTS = 2  # groups
ROM = "bram"  # weights lie in block RAM, so that LUTs are the arithmetic's
#: Of 32-bit integers at 45 nm; source, and the memory's, in hwgen/plan/systolic/energy/joules.py. A product
#: of narrow numbers is taken at its share of the 32 x 32 bits, with the width that its weight has in the ROM;
#: a sum and a ROM word at their share of 32 bits. They rank codes and predict no FPGA's power.
MULTIPLY, ADD = 3.1, 0.1

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

#: where units are routed: the first on which they fit
ROOM = {"ecp5": ("ulx3s-25f", "ulx3s-85f"), "ice40": ("ice40hx8k",), "ice40up": ("icebreaker",)}


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
    def products(self) -> int:
        """Of a clock."""
        return self.simd * self.pe

    @property
    def weight_bits(self) -> float:
        """ROM bits that a product reads."""
        form = FORMS[self.form]
        read = form.code_bits(self.simd, WEIGHTS[self.weights], ACTIVATIONS[self.bits])
        return read / self.simd / form.outputs

    @property
    def picojoules(self) -> float:
        """Of a product, its addition and the reading of its weight; see PICOJOULES."""
        value = ACTIVATIONS[self.bits]
        share = self.weight_bits * value.width / TABLE_BITS**2
        added = accumulator_range(self.matrix(), value).width / TABLE_BITS
        read = self.weight_bits / TABLE_BITS
        return MULTIPLY * share + ADD * added + PICOJOULES["memory"] * read

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
            rom=ROM,
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
            rom=ROM,
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
    """What synthesis makes of the unit, and MHz for each seed of place and route, on the first board that it
    fits (none: no MHz)."""
    with tempfile.TemporaryDirectory() as name:
        folder, family = Path(name), case.family.name
        (folder / "top.il").write_text(to_rtlil(Between(case.unit()), "top"))
        made = synth.synthesise([folder / "top.il"], "top", family, folder, regions=["dut"])
        for board in map(boards.load, ROOM[family] if seeds else ()):
            try:
                routed = [
                    pnr.place_and_route(
                        made.netlist, board, folder / f"{board.name}-{seed}",
                        freq_mhz=GOAL[family], seed=seed, free_pins=True,
                    ).fmax_mhz
                    for seed in range(1, seeds + 1)
                ]  # fmt: skip
                break
            except FitError:
                continue
        else:
            routed = []
    return Resources(**made.regions["dut"]), routed
