"""Popcounts: every plan counts right, on every target; slots of carry cells proven equal to expressions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playing import clocked
from prove import YOSYS_CELLS, unequal
from reducerbench import case, mvu_groups
from test_mvu import check
from verilated import Case, first_mismatches

from hwgen.emit.verilog import to_rtlil
from hwgen.hw import popcount_build
from hwgen.hw.mvu import MVU
from hwgen.hw.popcount import Popcount, popcount_cost, popcount_latency, popcount_leaf
from hwgen.hw.popcount_plan import Adder, Gate, Plan, Wire, popcount_plan
from hwgen.hw.product.xnor import XnorForm
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, GENERIC, ICE40
from hwgen.weights.code.bipolar import Bipolar

BIT = Range(0, 1)


def words(rng: np.random.Generator, lanes: int, count: int) -> list[tuple[int, int]]:
    """Pairs of words: equal, opposite, and random ones of every density."""
    full = (1 << lanes) - 1
    pairs = [(0, 0), (0, full), (full, full)]
    for density in np.linspace(0, 1, count):
        differ = sum(int(bit) << at for at, bit in enumerate(rng.random(lanes) < density))
        a = int.from_bytes(rng.bytes(lanes // 8 + 1), "little") & full
        pairs.append((a, a ^ differ))
    return pairs


def counted(lanes: int, a: int, w: int, matches: bool, both: bool = False) -> int:
    if both:
        return (a & w).bit_count()
    differ = (a ^ w).bit_count()
    return lanes - differ if matches else differ


def run(plan: Plan, differ: np.ndarray) -> np.ndarray:
    """What a plan counts for lanes (samples, lanes), in NumPy: each adder as one integer sum."""
    known: dict[int, np.ndarray] = {}
    for gate in plan.gates:
        bits = differ[:, list(gate.lanes)]
        known[gate.wire] = bits.all(axis=1) * 1 if gate.both else bits.sum(axis=1) % 2

    def value(bit: object) -> np.ndarray:
        if isinstance(bit, Wire):
            return known[bit.number] ^ bit.inverted
        return np.full(len(differ), 1) if isinstance(bit, int) else differ[:, bit.number]

    for level in plan.levels:
        for adder in level:
            total = np.zeros(len(differ), dtype=np.int64) if adder.carry is None else value(adder.carry) * 1
            for at, row in enumerate(adder.rows):
                total = total + (sum(value(bit) for bit in row) << at if row else 0)
            assert adder.out is not None or total.max() < 1 << len(adder.rows)
            for at, wire in enumerate((*adder.sums, adder.out)):
                if wire is not None:
                    known[wire] = (total >> at & 1) ^ adder.flip
    return sum(value(bit) << at for at, bit in enumerate(plan.result) if bit is not None)


@pytest.mark.parametrize("fours", [True, False])
@pytest.mark.parametrize("matches", [True, False])
def test_plans_of_ten_lanes_and_fewer_count_every_input(fours: bool, matches: bool) -> None:
    for lanes in range(1, 11):
        differ = np.arange(1 << lanes)[:, None] >> np.arange(lanes) & 1
        expected = (1 - differ if matches else differ).sum(axis=1)
        assert (run(popcount_plan(lanes, fours=fours, matches=matches), differ) == expected).all()


@pytest.mark.parametrize("lanes", [11, 37, 64, 127, 128, 200, 513, 1024])
def test_plans_of_many_lanes_count(lanes: int) -> None:
    rng = np.random.default_rng(lanes)
    differ = (rng.random((40, lanes)) < np.linspace(0, 1, 40)[:, None]).astype(np.int64)
    for fours in (True, False):
        for matches in (True, False):
            expected = (1 - differ if matches else differ).sum(axis=1)
            assert (run(popcount_plan(lanes, fours=fours, matches=matches), differ) == expected).all()


@pytest.mark.parametrize("lanes", [1, 2, 3, 5, 8, 16, 33, 64, 100])
def test_popcount_counts_with_its_latency(lanes: int) -> None:
    rng = np.random.default_rng(lanes)
    pairs = words(rng, lanes, 12)
    for target, matches, levels in (
        (GENERIC, True, 0),
        (GENERIC, False, 1),
        (GENERIC, True, 2),
        (ICE40, True, 1),
        (ICE40, False, 3),
    ):
        dut = Popcount(lanes, matches=matches, levels=levels, longest=16, target=target)
        expected = [counted(lanes, a, w, matches) for a, w in pairs]
        assert played(dut, pairs) == expected
    for target in (GENERIC, ICE40):
        dut = Popcount(lanes, both=True, target=target)
        expected = [counted(lanes, a, w, False, both=True) for a, w in pairs]
        assert played(dut, pairs) == expected


def played(dut: Popcount, pairs: list[tuple[int, int]]) -> list[int]:
    return clocked(dut, "count", [{"a": a, "w": w} for a, w in pairs])


def test_the_latency_is_that_of_the_function() -> None:
    for lanes in (1, 3, 64, 300):
        for levels in (0, 1, 2, 9):
            dut = Popcount(lanes, levels=levels, target=ECP5)
            assert dut.latency == popcount_latency(lanes, levels=levels, target=ECP5)
            assert dut.latency == Popcount(lanes, levels=levels, target=GENERIC).latency


@pytest.mark.synth
def test_carry_slots_equal_expressions(tmp_path: Path) -> None:
    """For every input, by SAT: chains of the ECP5 against long additions, and these against plain sums."""
    text, pairs = [_PLAIN.format(n=n, w=n.bit_length()) for n in (3, 7, 10, 23)], []
    for lanes in (1, 2, 3, 7, 10, 23):
        for kind, product in enumerate(({"matches": False}, {"matches": True}, {"both": True})):
            for longest in (8, 24):
                names = [f"p{lanes}_{kind}_{longest}_{target.name}" for target in (ECP5, GENERIC)]
                for name, target in zip(names, (ECP5, GENERIC)):
                    unit = Popcount(lanes, target=target, levels=0, longest=longest, **product)
                    (tmp_path / f"{name}.il").write_text(to_rtlil(unit, name))
                pairs.append((names[1], names[0]))
            if lanes in (3, 7, 10):
                pairs.append((f"plain{lanes}_{kind}", names[1]))
    (tmp_path / "plain.v").write_text("\n".join(text))
    reads = ["read_verilog plain.v", *(f"read_rtlil {file.name}" for file in sorted(tmp_path.glob("*.il")))]
    assert unequal(pairs, [*reads, *YOSYS_CELLS], tmp_path) == []


_PLAIN = """
module plain{n}_0(input [{n}-1:0] a, input [{n}-1:0] w, output reg [{w}-1:0] count);
  integer i;
  always @* begin count = 0; for (i = 0; i < {n}; i = i + 1) count = count + (a[i] ^ w[i]); end
endmodule
module plain{n}_1(input [{n}-1:0] a, input [{n}-1:0] w, output [{w}-1:0] count);
  wire [{w}-1:0] other;
  plain{n}_0 inner(a, w, other);
  assign count = {n} - other;
endmodule
module plain{n}_2(input [{n}-1:0] a, input [{n}-1:0] w, output [{w}-1:0] count);
  plain{n}_0 inner(a & w, {n}'b0, count);
endmodule
"""


@pytest.mark.synth
def test_the_proof_sees_a_wrong_slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    units = [Popcount(7, matches=True, levels=0, target=target) for target in (GENERIC, ECP5)]
    (tmp_path / "good.il").write_text(to_rtlil(units[0], "good"))
    right = popcount_build.truth_table
    monkeypatch.setattr(popcount_build, "truth_table", lambda function: right(function) ^ 0x8000)
    (tmp_path / "wrong.il").write_text(to_rtlil(units[1], "wrong"))
    reads = ["read_rtlil good.il", "read_rtlil wrong.il", *YOSYS_CELLS]
    assert unequal([("good", "wrong")], reads, tmp_path) == [("good", "wrong")]


def popcount_case(lanes: int, matches: bool, levels: int, rng: np.random.Generator) -> Case:
    pairs = words(rng, lanes, 60)
    dut = Popcount(lanes, matches=matches, levels=levels, target=ECP5)
    expected = [counted(lanes, a, w, matches) for a, w in pairs]
    ports = {"a": [a for a, _ in pairs], "w": [w for _, w in pairs]}
    for values in ports.values():
        values += [0] * dut.latency
    return Case(dut, ports, {"count": [None] * dut.latency + expected})


def signs(rng: np.random.Generator, outputs: int, inputs: int) -> np.ndarray:
    weights = rng.choice([-1, 1], (outputs, inputs))
    weights[0], weights[1] = -1, 1
    return weights


def xnor_case(outputs: int, inputs: int, simd: int, pe: int, rng: np.random.Generator) -> Case:
    dut = MVU(signs(rng, outputs, inputs), simd=simd, pe=pe, value=BIT, form=XnorForm, target=ECP5)
    x = rng.integers(0, 2, (40, inputs))
    x[0], x[1] = 0, 1
    return case(dut, mvu_groups(dut, x), rng)


@pytest.mark.sim
def test_counts_are_exact_in_emitted_verilog(tmp_path: Path) -> None:
    """The models that Verilator reads in place of carry cells; a popcount and layers of many lanes."""
    rng = np.random.default_rng(3)
    cases = {
        f"mvu {shape}": xnor_case(*shape, rng)
        for shape in ((4, 6, 1, 2), (4, 64, 32, 2), (6, 45, 15, 3), (2, 128, 64, 1))
    }
    assert first_mismatches(cases, tmp_path) == {}


@pytest.mark.sim
def test_counts_are_exact_with_primitives_simulated(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    cases = {
        f"popcount {lanes} {matches} {levels}": popcount_case(lanes, matches, levels, rng)
        for lanes, matches, levels in ((1, True, 1), (16, False, 2), (33, True, 1))
    }
    cases["mvu"] = xnor_case(2, 16, 8, 1, rng)
    assert first_mismatches(cases, tmp_path, "HWGEN_PRIMITIVES") == {}


@pytest.mark.parametrize("target", [GENERIC, ICE40], ids=lambda target: target.name)
@pytest.mark.parametrize("shape", [(4, 6, 1, 2), (4, 32, 8, 2), (2, 64, 64, 2), (6, 15, 5, 3)], ids=str)
def test_xnor_form_is_a_matrix_vector_product(shape: tuple[int, int, int, int], target: object) -> None:
    rng = np.random.default_rng(5)
    outputs, inputs, simd, pe = shape
    weights = signs(rng, outputs, inputs)
    dut = MVU(weights, simd=simd, pe=pe, value=BIT, form=XnorForm, target=target)  # type: ignore[arg-type]
    assert (dut.offset == (weights < 0).sum(axis=1)).all()
    assert dut.accumulator == Range(0, inputs)
    x = rng.integers(0, 2, (4, inputs))
    x[0], x[1] = 0, 1
    check(dut, mvu_groups(dut, x), rng)


def test_equal_popcounts_share_one_module() -> None:
    assert popcount_leaf(9, True, 1, 24, ECP5) is popcount_leaf(9, True, 1, 24, ECP5)


def test_a_plan_says_what_it_costs() -> None:
    full_adder = Plan(
        (Gate(0, (0,)), Gate(1, (1,)), Gate(2, (2,))),
        ((Adder(0, Wire(2), ((Wire(0), Wire(1)),), (3,), 4),),),
        (Wire(3), Wire(4)),
    )
    cost = popcount_build.plan_cost(full_adder, stages=(0,), longest=8, target=ECP5)
    assert (cost.lut4, cost.ff) == (3 + 4, 2)
    for lanes in (64, 256, 512, 1024):
        assert popcount_cost(lanes, matches=False, target=ECP5).lut4 <= 1.66 * lanes


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="1 to 4096 lanes, not 5000"):
        Popcount(5000, target=ECP5)
    with pytest.raises(ValueError, match="must not be negative"):
        Popcount(8, levels=-1, target=ECP5)
    with pytest.raises(ValueError, match="weights must be -1 or 1, not 0"):
        XnorForm(np.array([[[0, 1, -1]]]), value=BIT, target=ECP5)
    with pytest.raises(ValueError, match=r"activations must be 0 or 1, not 0\.\.3"):
        XnorForm(np.array([[[1, -1]]]), value=Range(0, 3), target=ECP5)
    with pytest.raises(ValueError, match="bipolar: weights must be -1 or 1, not 0, 2"):
        Bipolar((-1, 0, 1, 2))


def test_xnor_suits_bipolar_weights_and_bits_only() -> None:
    assert XnorForm.suits((-1, 1), BIT, 8, 2, ECP5) and XnorForm.suits((1,), BIT, 8, 2, ECP5)
    assert not XnorForm.suits((-1, 0, 1), BIT, 8, 2, ECP5)
    assert not XnorForm.suits((-1, 1), Range(0, 3), 8, 2, ECP5)
