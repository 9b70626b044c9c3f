"""A flash reader behind the link, routed and packed: the flash's pins and clock as each family makes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from amaranth.hdl import C, Elaboratable, IOPort, Module, Signal
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from hwgen.emit.board_frame import BoardFrame
from hwgen.emit.board_top import to_rtlil
from hwgen.flow import board as boards
from hwgen.flow import pnr, synth
from hwgen.flow.board import Board
from hwgen.hw.flashpads import flash_pads
from hwgen.hw.link.stream_link import StreamLink
from hwgen.hw.systolic.flash import FlashReader
from hwgen.support.errors import BoardError


class FlashTop(BoardFrame, Elaboratable):
    """Answers a request of four bytes, an address, with the low bytes of the words from there on."""

    def __init__(self, board: Board, clock_hz: float) -> None:
        super().__init__(board, clock_hz)
        self.pads = flash_pads(board.family, self.clock_hz)

    def ports(self) -> dict[str, tuple[Signal | IOPort, PortDirection]]:
        pads = {name: (port, PortDirection.Inout) for name, port in self.pads.ports.items()}
        return {**super().ports(), **pads}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.pads = self.pads
        m.submodules.link = link = StreamLink(clocks_per_bit=25, idle_clocks=500_000)
        m.submodules.reader = reader = FlashReader(late=self.pads.late, divide=self.pads.divide)
        wiring.connect(m, reader.flash, self.pads.pins)
        with m.If(link.o.valid):
            m.d.sync += reader.address.eq(link.o.payload << 16 | reader.address >> 8)
        m.d.comb += [
            link.inputs.eq(4), link.outputs.eq(16), link.enable.eq(1), link.design_id.eq(C(7, 32)),
            link.o.ready.eq(1), link.i.payload.eq(reader.word), link.i.valid.eq(reader.valid),
            reader.ready.eq(link.i.ready), reader.start.eq(link.busy), reader.stop.eq(~link.busy),
        ]  # fmt: skip
        self.connect(m, link, busy=link.busy, error=link.error)
        return m


@pytest.mark.pnr
@pytest.mark.parametrize(
    ("name", "megahertz", "cells"),
    [
        ("icebreaker", 30, {"SB_IO": 6}),
        pytest.param("ulx3s-12f", 100, {"USRMCLK": 1, "TRELLIS_IO": 5}, marks=pytest.mark.slow),
    ],
)
def test_routed_with_the_flash(name: str, megahertz: int, cells: dict[str, int], tmp_path: Path) -> None:
    board = boards.load(name)
    top = FlashTop(board, megahertz * 1e6)
    (tmp_path / "top.il").write_text(to_rtlil(top))
    result = synth.synthesise([tmp_path / "top.il"], "top", board.family, tmp_path)
    assert {kind: result.cells.get(kind, 0) for kind in cells} == cells
    routed = pnr.place_and_route(result.netlist, board, tmp_path, freq_mhz=megahertz, flash=True)
    assert routed.fmax_mhz >= top.clock_hz / 1e6
    assert pnr.pack(routed.config, tmp_path, board.toolchain).stat().st_size > 50_000


def test_constraints() -> None:
    lines = pnr.constraints(boards.load("icesugar"), flash=True).splitlines()
    assert [line for line in lines if "flash" in line] == [
        "set_io flash_cs_n 16",
        "set_io flash_io[0] 14",
        "set_io flash_io[1] 17",
        "set_io flash_io[2] 12",
        "set_io flash_io[3] 13",
        "set_io flash_clk 15",
    ]
    text = pnr.constraints(boards.load("ulx3s-85f"), flash=True)
    assert 'LOCATE COMP "flash_io[3]" SITE "W1";' in text and "flash_clk" not in text
    assert 'IOBUF PORT "flash_cs_n" IO_TYPE=LVCMOS33 PULLMODE=NONE DRIVE=4;' in text
    assert "flash" not in pnr.constraints(boards.load("ulx3s-85f"))
    with pytest.raises(BoardError, match="has no flash"):
        pnr.constraints(boards.load("upduino3"), flash=True)
