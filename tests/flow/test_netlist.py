"""Passes on the JSON netlist, on hand-made netlists."""

from __future__ import annotations

import itertools

import pytest

from hwgen.flow import netlist

SUM = "1001011010101010"  # P = A ^ B ^ C with D = 1: an adder bit
OUT = {"S0", "S1", "COUT"}


def _ccu2c(init0=SUM, inject0="NO", **pins):
    pins = {
        "A0": [2],
        "B0": [3],
        "C0": ["0"],
        "D0": ["1"],
        "CIN": ["0"],
        "COUT": [10],
        "S0": [11],
        "S1": [12],
        **pins,
    }
    return {
        "type": "CCU2C",
        "parameters": {"INIT0": init0, "INIT1": SUM, "INJECT1_0": inject0, "INJECT1_1": "NO"},
        "port_directions": {pin: "output" if pin in OUT else "input" for pin in pins},
        "connections": pins,
    }


def _module(*cells, outputs=()):
    return {
        "ports": {
            "a": {"direction": "input", "bits": [2, 3]},
            "y": {"direction": "output", "bits": list(outputs)},
        },
        "cells": {f"c{i}": cell for i, cell in enumerate(cells)},
    }


def test_dangling_cout_is_cut():
    module = _module(_ccu2c(), outputs=[11, 12])
    assert netlist.clean_carries(module) == (1, 0)
    assert module["cells"]["c0"]["connections"]["COUT"] == ["x"]
    assert module["cells"]["c0"]["connections"]["CIN"] == ["0"]  # the sum needs it


@pytest.mark.parametrize("outputs", [[10], [10, 11]])
def test_read_cout_stays(outputs):
    module = _module(_ccu2c(), outputs=outputs)
    assert netlist.clean_carries(module) == (0, 0)
    assert module["cells"]["c0"]["connections"]["COUT"] == [10]


def test_cout_into_the_next_cell_stays():
    module = _module(_ccu2c(), _ccu2c(CIN=[10], COUT=[20], S0=[21], S1=[22]), outputs=[20])
    assert netlist.clean_carries(module) == (0, 0)


@pytest.mark.parametrize(
    ("init", "pins", "outputs", "idle"),
    [
        ("0000000000001010", {"C0": ["1"], "D0": ["1"]}, [10], 1),  # slot 0 generates A and never propagates
        (
            "0000000000001010",
            {"C0": ["1"], "D0": ["1"]},
            [10, 11],
            0,
        ),  # its sum is read, and carry goes in there
        ("0000000000001010", {"C0": [5], "D0": ["0"]}, [10], 0),  # C may be 0: the LUT may propagate
        ("0001000000001010", {"C0": ["1"], "D0": ["1"]}, [10], 0),  # propagates for A = B = 0
        ("0001000000001010", {"A0": ["1"], "C0": ["1"], "D0": ["1"]}, [10], 1),  # A = 1 excludes that row
        (
            "0000000000001010",
            {"C0": ["1"], "D0": ["1"], "CIN": [7]},
            [10],
            0,
        ),  # a real carry in is not ours to cut
    ],
)
def test_idle_cin(init, pins, outputs, idle):
    module = _module(_ccu2c(init, **pins), outputs=outputs)
    assert netlist.clean_carries(module)[1] == idle


def test_ignores_carry_agrees_with_the_cells_equations():
    """Against the equations of a CCU2C's first slot, over all fixed-input patterns and several LUTs."""
    inits = [0x96AA, 0x000A, 0x0000, 0x0F0F, 0xF000, 0x1000, 0x0800, 0x6666]
    seen = set()
    for init, fixed, inject in itertools.product(inits, itertools.product("01x", repeat=4), ("YES", "NO")):
        free = [(int(value),) if value in "01" else (0, 1) for value in fixed]
        outputs = set()
        for a, b, c, d in itertools.product(*free):
            per_carry = []
            for cin in (0, 1):
                lut4, lut2 = init >> (a + 2 * b + 4 * c + 8 * d) & 1, init >> (a + 2 * b) & 1
                gated = 0 if inject == "YES" else 1
                per_carry.append((lut4 ^ (gated & cin), (1 - lut4) & gated & lut2 | lut4 & cin))
            outputs.add(per_carry[0] == per_carry[1])
        pins = {
            f"{pin}0": [value] if value in "01" else [40 + i]
            for i, (pin, value) in enumerate(zip("ABCD", fixed))
        }
        cell = _ccu2c(f"{init:016b}", inject, **pins)
        claimed = netlist._ignores_carry(cell, {11})
        seen.add(claimed)
        if claimed:
            assert outputs == {True}
    assert seen == {True, False}


def test_count_and_regions():
    kinds = {"a.x": "LUT4", "a.y": "CCU2C", "ab.z": "TRELLIS_FF", "a.b.r": "DP16KD", "q": "TRELLIS_DPR16X4",
             "$flatten\\a.b.$m": "MULT18X18D"}  # fmt: skip
    module = {"cells": {name: {"type": kind} for name, kind in kinds.items()}}
    zero = dict.fromkeys(netlist.RESOURCES, 0)
    assert netlist.count(kinds.values()) == {"lut4": 9, "ff": 1, "dsp": 1, "bram": 1, "spram": 0}
    assert netlist.count_regions(module, ["a", "a.b", "none"]) == {
        "": {**zero, "lut4": 6, "ff": 1},
        "a": {**zero, "lut4": 3},
        "a.b": {**zero, "bram": 1, "dsp": 1},
        "none": zero,
    }


def _register(data, q, clock=1, **changes):
    parameters = {"CEMUX": "1 ", "CLKMUX": "CLK", "GSR": "DISABLED", "LSRMUX": "LSR", "REGSET": "RESET"}
    pins = {"CLK": [clock], "DI": [data], "LSR": ["0"], "Q": [q]}
    for key, value in changes.items():
        (parameters if key in ("CEMUX", "REGSET", "CLKMUX") else pins)[key] = value
    return {
        "type": "TRELLIS_FF",
        "parameters": parameters,
        "port_directions": {pin: "output" if pin == "Q" else "input" for pin in pins},
        "connections": pins,
    }


def _ram(**changes):
    pins = {"CLKA": [1], "CEA": ["1"], "RSTA": ["0"], "OCEA": ["1"], "DOA0": [20], "DOA1": [21], "DOA2": [22],
            "CLKB": [1], "CEB": ["1"], "RSTB": ["0"], "OCEB": ["0"], "DOB0": [30], **changes}  # fmt: skip
    return {
        "type": "DP16KD",
        "parameters": {"REGMODE_A": "NOREG", "REGMODE_B": "NOREG"},
        "port_directions": {pin: "output" if pin.startswith("DO") else "input" for pin in pins},
        "connections": pins,
    }


def test_ram_registers_move_in():
    module = _module(_ram(), _register(20, 40), _register(21, 41, CEMUX="CE", CE=["1"]), outputs=[40, 41])
    assert netlist.absorb_ram_registers(module) == 1
    assert list(module["cells"]) == ["c0"]
    ram = module["cells"]["c0"]
    assert ram["parameters"] == {"REGMODE_A": "OUTREG", "REGMODE_B": "NOREG"}  # nobody reads B
    assert [ram["connections"][pin] for pin in ("DOA0", "DOA1", "DOA2")] == [[40], [41], [22]]
    assert netlist.absorb_ram_registers(module) == 0


@pytest.mark.parametrize(
    ("ram", "registers", "outputs"),
    [
        ({}, [_register(20, 40)], [40, 21]),  # a bit is also read without a register
        ({}, [_register(20, 40)], [40, 20]),  # the same bit is
        ({}, [_register(20, 40), _register(20, 42)], [40, 42]),
        ({}, [_register(20, 40, clock=9)], [40]),
        ({}, [_register(20, 40, CEMUX="CE", CE=[8])], [40]),
        ({}, [_register(20, 40, CEMUX="INV", CE=["1"])], [40]),
        ({}, [_register(20, 40, LSR=[8])], [40]),
        ({}, [_register(20, 40, REGSET="SET")], [40]),
        ({}, [_register(20, 40, CLKMUX="INV")], [40]),
        ({"CEA": [8]}, [_register(20, 40)], [40]),
        ({"RSTA": [8]}, [_register(20, 40)], [40]),
    ],
)
def test_ram_registers_that_must_stay(ram, registers, outputs):
    module = _module(_ram(**ram), *registers, outputs=outputs)
    before = str(module)
    assert netlist.absorb_ram_registers(module) == 0
    assert str(module) == before


def test_ice40_cells_that_share_no_lut():
    """Only a carry with its LUT and a flip-flop that its LUT alone feeds share a logic cell."""

    def cell(kind, **pins):
        outputs = {"O", "CO", "Q"}
        return {
            "type": kind,
            "port_directions": {pin: "output" if pin in outputs else "input" for pin in pins},
            "connections": {pin: [bit] for pin, bit in pins.items()},
        }

    module = {
        "ports": {"a": {"direction": "input", "bits": [2, 3]}, "y": {"direction": "output", "bits": [20]}},
        "cells": {
            "sum": cell("SB_LUT4", I0="0", I1=2, I2=3, I3=4, O=10),
            "carry": cell("SB_CARRY", I0=2, I1=3, CI=4, CO=5),
            "no_lut": cell("SB_CARRY", I0=2, I1=2, CI=5, CO=6),
            "behind": cell("SB_DFF", C=7, D=10, Q=11),
            "shared": cell("SB_LUT4", I0=2, I1=3, I2=11, I3=6, O=20),  # its output is a port, too
            "beside": cell("SB_DFFE", C=7, E=2, D=20, Q=21),
            "delay": cell("SB_DFFSR", C=7, D=21, Q=22),
        },
    }
    assert netlist.lone_cells(module) == {"no_lut", "beside", "delay"}
    assert netlist.count_regions(module, [])[""] == {"lut4": 5, "ff": 3, "dsp": 0, "bram": 0, "spram": 0}
