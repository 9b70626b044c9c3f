"""Adders of carry cells equal their expressions: proven for every input by SAT, not sampled."""

from __future__ import annotations

from pathlib import Path

import pytest
from amaranth.hdl import Module, Shape, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from prove import YOSYS_CELLS, unequal

from hwgen.emit.verilog import rtlil_to_verilog, to_rtlil
from hwgen.hw import carry, leaf
from hwgen.targets import ECP5

SHAPES = (
    (signed(8), signed(8), 9),
    (signed(8), unsigned(5), 12),
    (unsigned(8), signed(11), 10),
    (unsigned(3), unsigned(7), 8),
    (signed(6), signed(6), 3),  # the sum is cut
    (signed(1), unsigned(1), 1),
)


@pytest.mark.synth
@pytest.mark.parametrize("kind", carry._KINDS)
def test_carry_chain_equals_expression(kind: str, tmp_path: Path) -> None:
    leaves = [carry.adder_leaf(kind, a, b, width, ECP5) for a, b, width in SHAPES]
    texts = [leaf._TEXTS[each.name] for each in leaves]
    (tmp_path / "adders.il").write_text("\n".join(text.rtlil + "\n" + text.model for text in texts))
    pairs = [(each.name, each.name + "_model") for each in leaves]
    assert unequal(pairs, ["read_rtlil adders.il", *YOSYS_CELLS], tmp_path) == []


@pytest.mark.synth
def test_the_proof_sees_a_wrong_slot(tmp_path: Path) -> None:
    right = carry.Adder("add", signed(4), signed(4), 5, target=ECP5)
    wrong = carry.Adder("subtract", signed(4), signed(4), 5, target=ECP5)
    text = to_rtlil(right, "right") + to_rtlil(wrong, "wrong")
    (tmp_path / "adders.il").write_text(text)
    assert unequal([("right", "wrong")], ["read_rtlil adders.il", *YOSYS_CELLS], tmp_path) == [
        ("right", "wrong")
    ]


class _Top(wiring.Component):
    """The same adder twice."""

    def __init__(self) -> None:
        super().__init__({"a": In(signed(4)), "b": In(signed(4)), "x": Out(5), "y": Out(5)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.x.eq(carry.add(m, self.a, self.b, 5, target=ECP5))
        m.d.comb += self.y.eq(carry.add(m, self.b, self.a, 5, target=ECP5))
        return m


def test_equal_adders_share_one_module_with_one_model() -> None:
    text = rtlil_to_verilog(to_rtlil(_Top(), "core"), "core")
    name = carry.adder_leaf("add", Shape(4, True), Shape(4, True), 5, ECP5).name
    assert text.count(f"module {name}(") == 2  # the model and, behind `else, the carry cells
    assert text.count("`ifdef HWGEN_MODELS") == 1 and "_model" not in text
    assert text.count("CCU2C") == 3
