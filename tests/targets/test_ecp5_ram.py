"""Pins and parameters of our DP16KD memory against those of Yosys' own mapping of the same memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from amaranth.hdl import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwgen.emit.verilog import to_rtlil
from hwgen.flow.synth import synthesise
from hwgen.targets.ecp5_ram import ADDRESS_SHIFT, ram_block


class Memory(wiring.Component):
    """A full block RAM, by instance or as a memory for Yosys to map."""

    def __init__(self, width: int, instance: bool) -> None:
        self.instance = instance
        self.depth = 16384 >> ADDRESS_SHIFT[width]
        ports = {
            "en": In(1),
            "waddr": In(range(self.depth)),
            "wdata": In(width),
            "raddr": In(range(self.depth)),
        }
        super().__init__(ports | {"rdata": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.instance:
            data = ram_block(
                m, width=len(self.wdata), write_en=self.en, write_addr=self.waddr, write_data=self.wdata,
                read_addr=self.raddr,
            )  # fmt: skip
        else:
            m.submodules.cells = cells = memory.Memory(
                shape=len(self.wdata), depth=self.depth, init=[], attrs={"ram_style": "block"}
            )
            write, read = cells.write_port(), cells.read_port()
            m.d.comb += [
                write.en.eq(self.en),
                write.addr.eq(self.waddr),
                write.data.eq(self.wdata),
                read.addr.eq(self.raddr),
            ]
            data = read.data
        m.d.comb += self.rdata.eq(data)
        return m


def block(width: int, instance: bool, folder: Path) -> tuple[dict[str, object], dict[str, object]]:
    """Parameters and pins (as port and bit, or constant) of the one DP16KD that comes out."""
    folder.mkdir()
    # no register and multiplexer to imitate a read during a write: they would hide the pins
    text = to_rtlil(Memory(width, instance), "ram").replace("COLLISION_X_MASK 1'0", "COLLISION_X_MASK 1'1")
    (folder / "ram.il").write_text(text)
    netlist = synthesise([folder / "ram.il"], "ram", "ecp5", folder).netlist
    top = json.loads(netlist.read_text())["modules"]["ram"]
    names = {bit: (name, k) for name, port in top["ports"].items() for k, bit in enumerate(port["bits"])}
    (cell,) = (cell for cell in top["cells"].values() if cell["type"] == "DP16KD")
    pins = {pin: names.get(bits[0], bits[0]) for pin, bits in cell["connections"].items() if bits}
    return cell["parameters"], pins


@pytest.mark.synth
@pytest.mark.parametrize("width", ADDRESS_SHIFT)
def test_pins_are_those_of_yosys(width: int, tmp_path: Path) -> None:
    ours, our_pins = block(width, True, tmp_path / "ours")
    theirs, their_pins = block(width, False, tmp_path / "theirs")
    for name in (
        "DATA_WIDTH_A",
        "DATA_WIDTH_B",
        "CSDECODE_A",
        "CSDECODE_B",
        "CLKAMUX",
        "CLKBMUX",
    ):
        assert ours[name] == theirs[name], name
    assert ours["REGMODE_A"] == ours["REGMODE_B"] == "OUTREG"
    used = {pin: place for pin, place in their_pins.items() if isinstance(place, tuple)}
    assert {p for p in used if p.startswith(("DI", "DO"))}, "nothing to compare"
    for pin, place in used.items():
        if pin.startswith(("DI", "DO", "AD", "CLK")) and place != ("en", 0):  # Yosys writes by byte enable
            assert our_pins.get(pin) == place, pin
    assert our_pins["CEA"] == ("en", 0) and our_pins["WEA"] == "1" and our_pins["WEB"] == "0"
