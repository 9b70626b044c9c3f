"""What the unbuffered link takes on iCE40, UART and all: logic cells after nextpnr's packing."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hwgen.emit.verilog import to_rtlil
from hwgen.flow import synth, tools
from hwgen.hw.link.stream_link import StreamLink
from hwgen.runtime.link import Engine, Identity


class OnBoard(wiring.Component):
    """The link as on a board: 36 MHz, 1 Mbaud, 20 ms, registers without a reset."""

    def __init__(self) -> None:
        about = Identity(
            Engine.SYSTOLIC, (0, 1, 0), clock=36_000_000, design_id=0, inputs=0, outputs=0, board="icebreaker"
        )
        self.link = StreamLink(about, clocks_per_bit=36, idle_clocks=720_000)
        super().__init__({**self.link.signature.members, "clock": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = sync = ClockDomain(reset_less=True)
        m.submodules.link = self.link
        m.d.comb += sync.clk.eq(self.clock)
        for name, member in self.link.signature.members.items():
            inner, outer = getattr(self.link, name), getattr(self, name)
            if member.is_signature:
                ends = (wiring.flipped(outer), inner)
                wiring.connect(m, *ends)
            elif member.flow == In:
                m.d.comb += inner.eq(outer)
            else:
                m.d.comb += outer.eq(inner)
        return m


@pytest.mark.pnr
def test_logic_cells(tmp_path: Path) -> None:
    (tmp_path / "top.il").write_text(to_rtlil(OnBoard(), "top"))
    result = synth.synthesise([tmp_path / "top.il"], "top", "ice40up", tmp_path)
    (tmp_path / "empty.pcf").write_text("")
    ran = subprocess.run(
        [*tools.find("nextpnr-ice40").argv, "--up5k", "--package", "sg48", "--json", result.netlist.name,
         "--pcf", "empty.pcf", "--pcf-allow-unconstrained", "--pack-only"],
        cwd=result.netlist.parent, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    found = re.search(r"ICESTORM_LC:\s+(\d+)/", ran.stderr + ran.stdout)
    assert found, ran.stderr
    print(found[1], result.resources)
    assert 600 < int(found[1]) <= 670
    assert result.resources["bram"] == 0
