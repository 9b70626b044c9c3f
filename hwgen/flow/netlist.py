"""Passes on Yosys' JSON netlist: what Yosys leaves undone on ECP5 (carry chains, RAM registers), counting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

# LUT4 sites that a cell occupies. ECP5: a CCU2C is two of them; a distributed RAM four for its bits and two
# that its write port blocks. iCE40: see `lone_cells`.
_LUT_SITES = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6, "SB_LUT4": 1}
_KINDS = {
    "TRELLIS_FF": "ff", "MULT18X18D": "dsp", "DP16KD": "bram", "PDPW16KD": "bram",
    "SB_MAC16": "dsp", "SB_SPRAM256KA": "spram",
}  # fmt: skip
_KIND_STARTS = {"SB_DFF": "ff", "SB_RAM40_4K": "bram"}  # whatever their resets and clock edges
_CARRY_PINS = frozenset(("A0", "B0", "C0", "D0", "A1", "B1", "C1", "D1", "CIN", "S0", "S1", "COUT"))
RESOURCES = ("lut4", "ff", "dsp", "bram", "spram")


def clean_carries(module: dict[str, Any]) -> tuple[int, int]:
    """Cut the ends of carry chains that carry nothing; returns (dangling COUTs, idle CINs) cut.

    nextpnr-ecp5 spends hidden sites to bring a carry out to the fabric even where nobody reads it,
    and to bring a constant in even where the first slot ignores its carry input. Left unconnected,
    both are free. A first slot ignores CIN when its LUT gives 0 for every input it can see (the
    carry out is then the generate term) and its sum output is unused or injection is off.
    """
    read = _read_bits(module)
    dangling = idle = 0
    for cell in module["cells"].values():
        if cell["type"] != "CCU2C":
            continue
        pins = cell["connections"]
        for pin in _CARRY_PINS - pins.keys():  # Yosys leaves out what an instance does not name
            pins[pin] = ["x"]  # what nextpnr takes as "no net"; it fails on a missing pin
            cell["port_directions"][pin] = "output" if pin in ("S0", "S1", "COUT") else "input"
        if pins.get("COUT") not in (None, [], ["x"]) and not any(bit in read for bit in pins["COUT"]):
            pins["COUT"] = ["x"]
            dangling += 1
        if pins.get("CIN") in (["0"], ["1"]) and _ignores_carry(cell, read):
            pins["CIN"] = ["x"]
            idle += 1
    return dangling, idle


def _read_bits(module: Mapping[str, Any]) -> set[int | str]:
    """All bits that some cell or an output port of the module reads."""
    read: set[int | str] = set()
    for cell in module["cells"].values():
        directions = cell.get("port_directions", {})
        for port, bits in cell["connections"].items():
            if directions.get(port) != "output":
                read.update(bits)
    for port in module["ports"].values():
        if port["direction"] != "input":
            read.update(port["bits"])
    return read


def _ignores_carry(cell: Mapping[str, Any], read: set[int | str]) -> bool:
    """Whether a CCU2C's outputs are the same for both values of CIN."""
    parameters, pins = cell["parameters"], cell["connections"]
    init = parameters.get("INIT0", "")
    if not isinstance(init, str) or not init or set(init) - {"0", "1"}:
        return False
    if parameters.get("INJECT1_0") != "YES" and any(bit in read for bit in pins.get("S0", [])):
        return False
    table = int(init, 2)
    fixed = {i: pins.get(f"{pin}0", ["x"])[0] for i, pin in enumerate("ABCD")}
    reachable = (
        index
        for index in range(16)
        if all(value not in ("0", "1") or index >> i & 1 == int(value) for i, value in fixed.items())
    )
    return all(not table >> index & 1 for index in reachable)


# read ports of the block RAMs: (clock enable, output enable, reset, clock, register mode, data out)
_READ_PORTS = {
    "DP16KD": [(f"CE{p}", f"OCE{p}", f"RST{p}", f"CLK{p}", f"REGMODE_{p}", f"DO{p}") for p in "AB"],
    "PDPW16KD": [("CER", "OCER", "RST", "CLKR", "REGMODE", "DO")],
}


def absorb_ram_registers(module: dict[str, Any]) -> int:
    """Move registers right behind block RAMs into them; returns how many read ports got theirs.

    A DP16KD without its output register takes 5.6 ns from clock to data, with it 0.6 ns; Yosys never
    uses it. Done where it is the same hardware: every data bit that is read at all goes to one
    flip-flop and nowhere else; these have the RAM's clock, no enable, no reset and start with 0; and
    the RAM port is always enabled and never reset.
    """
    readers: dict[int | str, list[tuple[str, str]]] = {}
    for name, cell in module["cells"].items():
        directions = cell.get("port_directions", {})
        for pin, bits in cell["connections"].items():
            if directions.get(pin) != "output":
                for bit in bits:
                    readers.setdefault(bit, []).append((name, pin))
    for port_name, port in module["ports"].items():
        for bit in port["bits"]:
            readers.setdefault(bit, []).append(("", port_name))
    absorbed = 0
    for ram in list(module["cells"].values()):
        for enable, output_enable, reset, clock, mode, output in _READ_PORTS.get(ram["type"], ()):
            pins = ram["connections"]
            if (
                ram["parameters"].get(mode) != "NOREG"
                or pins.get(enable) != ["1"]
                or pins.get(reset) != ["0"]
            ):
                continue
            data = {
                pin: bits[0]
                for pin, bits in pins.items()
                if pin.startswith(output) and pin[len(output) :].isdigit() and bits and readers.get(bits[0])
            }
            registers = {pin: _plain_register(module, readers[bit], pins[clock]) for pin, bit in data.items()}
            if not data or None in registers.values():
                continue
            for pin, register in registers.items():
                assert register is not None
                pins[pin] = module["cells"].pop(register)["connections"]["Q"]
            pins[output_enable] = ["1"]
            ram["parameters"][mode] = "OUTREG"
            absorbed += 1
    return absorbed


def _plain_register(
    module: dict[str, Any], readers: list[tuple[str, str]], clock: list[int | str]
) -> str | None:
    """The name of the flip-flop that is the one reader of a bit and does nothing but delay it, or None."""
    if len(readers) != 1 or readers[0][1] != "DI":
        return None
    cell = module["cells"].get(readers[0][0])
    if cell is None or cell["type"] != "TRELLIS_FF":
        return None
    pins, parameters = cell["connections"], cell["parameters"]
    free_running = parameters.get("CEMUX") == "1 " or (
        parameters.get("CEMUX") == "CE" and pins.get("CE") == ["1"]
    )
    no_reset = pins.get("LSR", ["0"]) == ["0"] and parameters.get("LSRMUX", "LSR") == "LSR"
    same_clock = pins.get("CLK") == clock and parameters.get("CLKMUX", "CLK") == "CLK"
    zero_start = parameters.get("REGSET") == "RESET" and "M" not in pins
    return readers[0][0] if free_running and no_reset and same_clock and zero_start else None


def lone_cells(module: Mapping[str, Any]) -> set[str]:
    """Names of the carries and flip-flops that take an iCE40 logic cell without its LUT being counted.

    A logic cell is a LUT4, its carry (from I1, I2 and the carry that is I3) and a flip-flop that only the LUT
    feeds. A carry without such a LUT, a flip-flop behind a LUT that something else reads or behind no LUT at
    all has a cell of its own. What nextpnr-ice40 packs, but for the cells by which a chain is left.
    """
    if not any(cell["type"] in ("SB_CARRY", "SB_LUT4") for cell in module["cells"].values()):
        return set()
    luts, readers, outputs = set(), Counter[int | str](), set[int | str]()
    for cell in module["cells"].values():
        directions = cell.get("port_directions", {})
        for pin, bits in cell["connections"].items():
            if directions.get(pin) != "output":
                readers.update(bits)
        if cell["type"] == "SB_LUT4":
            pins = cell["connections"]
            luts.add(tuple(pins.get(pin, ["0"])[0] for pin in ("I1", "I2", "I3")))
            outputs.update(pins["O"])
    for port in module["ports"].values():
        if port["direction"] != "input":
            readers.update(port["bits"])
    lone = set()
    for name, cell in module["cells"].items():
        pins = cell["connections"]
        if cell["type"] == "SB_CARRY":
            if tuple(pins.get(pin, ["0"])[0] for pin in ("I0", "I1", "CI")) not in luts:
                lone.add(name)
        elif cell["type"].startswith("SB_DFF") and (pins["D"][0] not in outputs or readers[pins["D"][0]] > 1):
            lone.add(name)
    return lone


def cell_types(design: Mapping[str, Any]) -> Counter[str]:
    """Cells of the top module of a flat netlist, by type."""
    tops = [module for module in design["modules"].values() if int(module["attributes"].get("top", "0"), 2)]
    return Counter(cell["type"] for module in tops for cell in module["cells"].values())


def count(cell_types: Iterable[str]) -> dict[str, int]:
    """Resources of cells, in the units of a board's budget: lut4 sites, ff, dsp, bram, spram."""
    total = dict.fromkeys(RESOURCES, 0)
    for kind, number in Counter(cell_types).items():
        total["lut4"] += _LUT_SITES.get(kind, 0) * number
        resource = _KINDS.get(kind) or next(
            (name for start, name in _KIND_STARTS.items() if kind.startswith(start)), None
        )
        if resource:
            total[resource] += number
    return total


def count_regions(module: Mapping[str, Any], regions: Iterable[str]) -> dict[str, dict[str, int]]:
    """Resources of each region (an instance path such as `core.conv_0`) of a flattened module.

    A cell belongs to the longest path that its name starts with; what belongs to none is under "".
    """
    paths = sorted(regions, key=len, reverse=True)
    cells: dict[str, list[str]] = {"": [], **{path: [] for path in sorted(regions)}}
    lone = lone_cells(module)
    alone = Counter[str]()
    for name, cell in module["cells"].items():
        plain = name.removeprefix("$flatten").replace("\\", "").lstrip("$")
        owner = next((path for path in paths if plain.startswith(path + ".")), "")
        cells[owner].append(cell["type"])
        alone[owner] += name in lone
    counted = {path: count(kinds) for path, kinds in cells.items()}
    for path, number in alone.items():
        counted[path]["lut4"] += number
    return counted
