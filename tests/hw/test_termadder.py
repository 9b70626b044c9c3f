"""Adders of masked terms: carry cells equal the expression, proven for every input."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from amaranth.hdl import signed, unsigned
from prove import YOSYS_CELLS, unequal

from hwgen.hw import leaf
from hwgen.hw.termadder import TermAdder, fits, term_adder_leaf
from hwgen.targets import ECP5, GENERIC

KINDS = [kinds for kinds in itertools.product(("", "f", "t", "ft"), repeat=2) if fits(*kinds)]
SHAPES = ((signed(4), signed(4), 6), (unsigned(3), signed(5), 7), (signed(1), unsigned(2), 3))


def test_kinds_that_fit_are_those_of_four_pins() -> None:
    assert [pins for pins in itertools.product(("", "f", "t", "ft"), repeat=2) if not fits(*pins)] == [
        ("f", "ft"), ("t", "ft"), ("ft", ""), ("ft", "f"), ("ft", "t"), ("ft", "ft"),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="do not fit a carry slot"):
        TermAdder(("ft", "f"), signed(4), signed(4), 5, False, target=GENERIC)


@pytest.mark.synth
def test_carry_chains_equal_expressions(tmp_path: Path) -> None:
    leaves = [
        term_adder_leaf(kinds, *shapes, carry, ECP5)
        for kinds in KINDS
        for shapes in SHAPES
        for carry in (False, True)
    ]
    texts = [leaf._TEXTS[each.name] for each in leaves]
    (tmp_path / "adders.il").write_text("\n".join(text.rtlil + "\n" + text.model for text in texts))
    pairs = [(each.name, each.name + "_model") for each in leaves]
    assert unequal(pairs, ["read_rtlil adders.il", *YOSYS_CELLS], tmp_path) == []
