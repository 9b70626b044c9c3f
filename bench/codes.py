"""Every weight code in every product form that suits it: what a multiply-accumulate costs, side by side.

A row is a matrix-vector unit of simd x pe products a clock, its accumulators, control and weights' ROM (in
block RAM) included; an operation is a product and its addition. "*" marks the form that a planner takes
when multipliers are not short. LUT4, FF, DSP and BRAM are hwgen's estimates (held within a tenth by
tests/synth); with --synth the rows, or with --best those marked, are synthesised, and with --seeds also
routed. MHz are nextpnr's: a row that was never routed has none; --record keeps what was
(bench/routed.json). pJ: of an operation and its weight's reading, 45 nm (bench/code_cases.py). exact: the
unit simulated against NumPy (bench/code_exact.py).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.code_cases import ACTIVATIONS, WEIGHTS, Case, cases, measured
from bench.code_exact import exact
from bench.code_picture import Bar, picture
from bench.popcount import BOARDS
from hwgen.support.files import write_atomic
from hwgen.support.table import table
from hwgen.targets import target
from hwgen.targets.resources import Resources
from hwgen.weights.code import CODES

ROUTED = Path(__file__).parent / "routed.json"
DEFAULT = ["1", "2", "8", "log3"]  # activations
SHOWN = 3  # structures of a pair of weights and activations in the document
HEAD = (
    "weights", "act bits", "ROM bits", "structure", "", "unit", "LUT4", "FF", "DSP", "BRAM", "MHz", "LUT4/op",
    "Gop/s", "pJ/op", "exact", "from",
)  # fmt: skip
RIGHT = (1, 2, *range(6, 14))
ALONE = (
    ("XNOR and popcount, weights at run time, 64 to 512 inputs", "1.61 to 1.64", "258 to 292"),
    ("XNOR matrix of constant weights, 64 x 16", "0.83", "253"),
)


@dataclass(frozen=True)
class Row:
    """A measured or estimated unit; mhz: of each seed, none if never routed; rank: 0 is the cheapest."""

    case: Case
    rank: int
    cost: Resources
    mhz: tuple[float, ...]
    source: str

    def cells(self) -> tuple[str, ...]:
        """As HEAD."""
        case, cost = self.case, self.cost
        speed = f"{min(self.mhz) * case.products / 1000:.1f}" if self.mhz else "-"
        return (
            case.weights,
            case.bits,
            f"{case.weight_bits:.1f}",
            case.form,
            "" if self.rank else "*",
            f"{case.simd}x{case.pe}",
            f"{cost.lut4:,}",
            f"{cost.ff:,}",
            f"{cost.dsp}",
            f"{cost.bram}",
            "/".join(f"{each:.0f}" for each in self.mhz) or "-",
            f"{self.lut4:.2f}",
            speed,
            f"{case.picojoules:.3f}",
            "yes" if exact(case.weights, case.bits, case.form) else "NO",
            self.source,
        )

    def bar(self) -> Bar:
        """For the picture."""
        mhz = min(self.mhz, default=None)
        return self.case.weights, self.case.bits, self.case.form, self.lut4, self.cost.dsp, mhz

    @property
    def lut4(self) -> float:
        """Of an operation."""
        return self.cost.lut4 / self.case.products


def key(case: Case) -> str:
    """Of a unit in routed.json."""
    return f"{case.family.name}, {case.weights} x {case.bits}, {case.form}, {case.simd}x{case.pe}"


def rows(given: argparse.Namespace, family: str) -> list[Row]:
    """All of a family, in the order of the arguments."""
    known = json.loads(ROUTED.read_text())
    result = []
    for bits in given.activations:
        simd = given.simd or (64 if bits == "1" else 8)  # words of bits are long
        for weights in given.weights:
            for rank, (case, cost) in enumerate(cases(weights, bits, simd, given.pe, target(family))):
                mhz, source = tuple(known.get(key(case), ())), "estimate"
                if given.synth or (given.best and not rank):
                    seeds = 0 if key(case) in known and not given.again else given.seeds
                    real, routed = measured(case, seeds)
                    source = f"synthesis; estimate {100 * cost.lut4 / real.lut4 - 100:+.0f}%"
                    cost, mhz = real, tuple(routed) or mhz
                    if given.record and routed:
                        known[key(case)] = [round(each, 1) for each in routed]
                        write_atomic(ROUTED, json.dumps(known, indent=1) + "\n")
                result.append(Row(case, rank, cost, mhz, source))
    return result


def document(tables: dict[str, list[Row]]) -> str:
    """docs/codes.md."""
    lines = ["# Weight codes, side by side", "", "Made by `python -m bench codes --write docs`.", ""]
    lines += [" ".join((__doc__ or "").split("\n\n", 1)[1].split()), ""]
    lines += ["![LUT4 an operation, ECP5](codes.svg)", ""]
    for family, found in tables.items():
        lines += [f"## {family}", "", f"The {SHOWN} cheapest structures of each; the command prints all.", ""]
        lines += ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
        lines += ["| " + " | ".join(row.cells()) + " |" for row in found if row.rank < SHOWN]
        lines += [""]
    lines += ["## Structures alone", ""]
    lines += [
        "No ROM, no accumulators; routed by `python -m bench popcount` for an ECP5 of speed 6.",
        "",
    ]
    lines += ["| structure | LUT4/op | MHz |", "|---|---|---|"]
    lines += [f"| {' | '.join(each)} |" for each in ALONE]
    return "\n".join(lines) + "\n"


def run(arguments: Sequence[str]) -> None:
    """What the options ask for, printed; with --write also as a document and a picture."""
    parser = argparse.ArgumentParser(prog="bench codes", description=__doc__)
    parser.add_argument("--family", nargs="*", default=list(BOARDS), choices=list(BOARDS))
    parser.add_argument("--weights", nargs="*", default=list(WEIGHTS), choices=list(WEIGHTS), metavar="SET")
    parser.add_argument("--activations", nargs="*", default=DEFAULT, choices=list(ACTIVATIONS))
    parser.add_argument("--simd", type=int, help="default: 64 for activations of one bit, else 8")
    parser.add_argument("--pe", type=int, default=8)
    parser.add_argument("--synth", action="store_true", help="synthesise every row")
    parser.add_argument("--best", action="store_true", help="synthesise the marked rows")
    parser.add_argument("--seeds", type=int, default=0, help="place and route what is synthesised")
    parser.add_argument("--record", action="store_true", help="keep the MHz of what was routed")
    parser.add_argument("--again", action="store_true", help="route also what is recorded")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write codes.md and codes.svg there")
    given = parser.parse_args(arguments)
    tables = {}
    for family in given.family:
        found = tables[family] = rows(given, family)
        print(f"{family}; codes: {', '.join(CODES)}")
        print("\n".join(table([HEAD, *(row.cells() for row in found)], right=RIGHT)), "\n", flush=True)
    if given.write:
        given.write.mkdir(parents=True, exist_ok=True)
        write_atomic(given.write / "codes.md", document(tables))
        drawn = next(iter(tables.values()))
        bars = [row.bar() for row in drawn]
        write_atomic(given.write / "codes.svg", picture(f"LUT4 an operation, {given.family[0]}", bars))


def main() -> None:
    """The cheapest form of each pair of weights and activations synthesised for ECP5; estimates for iCE40."""
    run(["--family", "ecp5", "--best"])
    run(["--family", "ice40", "ice40up"])


if __name__ == "__main__":
    run(sys.argv[1:])
