"""The Verilog models in sim/models against Yosys' own models and against arithmetic."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "hw"))

from amaranth.hdl import Shape
from factors import products
from prove import YOSYS_CELLS, unequal
from verilated import MODELS, first_mismatches

from hwgen.targets import ECP5


@pytest.mark.synth
def test_ccu2c_equals_yosys_model_for_every_input(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tables = [0x0000, 0x000F, 0x000A, 0x66AA, 0x99AA, 0x8777, 0xFFFF, *rng.integers(0, 1 << 16, 12).tolist()]
    wrappers, pairs = [], []
    ports = "input CIN, A0, B0, C0, D0, A1, B1, C1, D1, output S0, S1, COUT"
    names = ["CIN", "A0", "B0", "C0", "D0", "A1", "B1", "C1", "D1", "S0", "S1", "COUT"]
    pins = ", ".join(f".{name}({name})" for name in names)
    for number, (first, second) in enumerate(zip(tables, reversed(tables))):
        inject = ("NO", "YES")[number % 3 == 2], ("NO", "YES")[number % 4 == 3]
        for prefix, cell in (("gold", "CCU2C"), ("gate", "own_CCU2C")):
            parameters = (
                f'.INIT0({first}), .INIT1({second}), .INJECT1_0("{inject[0]}"), .INJECT1_1("{inject[1]}")'
            )
            wrappers.append(
                f"module {prefix}{number}({ports}); {cell} #({parameters}) cell ({pins}); endmodule"
            )
        pairs.append((f"gold{number}", f"gate{number}"))
    (tmp_path / "own.v").write_text((MODELS / "CCU2C.v").read_text().replace("CCU2C", "own_CCU2C"))
    (tmp_path / "wrappers.v").write_text("\n".join(wrappers))
    assert unequal(pairs, [*YOSYS_CELLS, "read_verilog own.v", "read_verilog wrappers.v"], tmp_path) == []


@pytest.mark.sim
def test_mult18x18d_multiplies_after_two_clocks(tmp_path: Path) -> None:
    shapes = [
        (Shape(18, True), Shape(18, True)),
        (Shape(8, False), Shape(9, True)),
        (Shape(17, False), Shape(17, False)),
    ]
    cases = products(shapes, (36, 20), ECP5)
    assert first_mismatches(cases, tmp_path) == {}
