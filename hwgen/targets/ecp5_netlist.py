"""Clean-up of a synthesised ECP5 netlist (Yosys' JSON) before nextpnr.

Yosys ties an open carry input to 0 and wires an open carry output to a net that nothing reads; nextpnr spends
a whole extra CCU2C on each of the two, four LUT4 sites for every adder. Both can be left out without a change
of function: a dangling output always, and an input constant where the first slot ignores it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any


def trim_carry_chains(netlist: dict[str, Any]) -> int:
    """Open the needless carry pins of every CCU2C in place; the number of pins opened.

    netlist: the parsed JSON of `write_json`. A carry input is needless where the slot behind it (LUT4 = 0 for
    its tied inputs C = D = 1) sets the carry by itself: `hwgen.targets.ecp5.carry_chain` starts so.
    """
    opened = 0
    for module in netlist["modules"].values():
        cells = module["cells"].values()
        used = Counter(bit for port in module["ports"].values() for bit in port["bits"])
        for cell in cells:
            for port, bits in cell["connections"].items():
                if cell["port_directions"][port] == "input":
                    used.update(bits)
        for cell in cells:
            if cell["type"] != "CCU2C":
                continue
            pins = cell["connections"]
            if pins.get("COUT", ["x"]) != ["x"] and not used[pins["COUT"][0]]:
                pins["COUT"] = ["x"]
                opened += 1
            if pins.get("CIN") == ["0"] and _sets_carry(cell):
                pins["CIN"] = ["x"]
                opened += 1
    return opened


def _sets_carry(cell: dict[str, Any]) -> bool:
    """Whether slot 0 has LUT4 = 0 whatever A and B are, so that its carry is LUT2(A, B)."""
    pins, table = cell["connections"], cell["parameters"]["INIT0"]
    value = int(table, 2) if isinstance(table, str) else int(table)
    return pins["C0"] == ["1"] and pins["D0"] == ["1"] and value >> 12 == 0
