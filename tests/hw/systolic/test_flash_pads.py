"""A flash read through each family's pads: right with every delay that they allow, and with no longer one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Fragment, Module, Signal
from amaranth.hdl._ir import PortDirection
from flashbench import build, hex_file, run

from hwgen.emit.verilog import rtlil_to_verilog
from hwgen.hw.flashpads import Ecp5FlashPads, flash_pads
from hwgen.hw.systolic.flash import FlashReader
from hwgen.support.errors import UsageError

WORDS, ADDRESS = 40, 0x100123
# the chip's own pads: what comes in is `slow` clocks late; SCK leaves the chip through a primitive
_ECP5 = """
module USRMCLK(input USRMCLKI, USRMCLKTS);
  always @* bench.mclk = !USRMCLKTS & USRMCLKI;
endmodule
module OB(input I, output O); assign O = I; endmodule
module BB(input I, T, output O, inout B);
  assign B = T ? 1'bz : I;
  reg [7:0] past = 0;
  always @(posedge bench.clk) past <= {past[6:0], B};
  wire [8:0] seen = {past, B};
  assign O = seen[bench.slow];
endmodule
"""
_BENCH = """module bench(input clk);
  reg mclk = 0;
  integer slow = 0, count = 0, pause = 0;
  wire [3:0] io;
  wire cs_n, sck, valid;
  wire [31:0] word;
  initial if (!$value$plusargs("slow=%%d", slow)) slow = 0;
  reading dut(.clk(clk), .rst(1'b0), .flash_cs_n(cs_n), .flash_io(io), %s .word(word), .valid(valid));
  W25Q #(.FILE("flash.hex"), .OFFSET(%d), .BYTES(256), .WAKE(40), .REST(2)) flash(clk, cs_n, %s, io);
  always @(posedge clk) begin
    if (valid) begin
      $display("%%h", word);
      count <= count + 1;
    end
    if (count == %d) $finish;
  end
endmodule
"""


def reading(clock_hz: float, family: str) -> str:
    """Verilog of a reader that begins at ADDRESS, with pads."""
    m = Module()
    pads = flash_pads(family, clock_hz)
    m.submodules.pads = pads
    m.submodules.reader = reader = FlashReader(wake=48, late=pads.late, divide=pads.divide)
    word, valid = Signal(32), Signal()
    for name in ("clock_enable", "cs_n", "d_o", "d_oe"):
        m.d.comb += getattr(pads.pins, name).eq(getattr(reader.flash, name))
    m.d.comb += [
        reader.flash.d_i.eq(pads.pins.d_i),
        reader.start.eq(1),
        reader.address.eq(ADDRESS),
        reader.ready.eq(1),
        word.eq(reader.word),
        valid.eq(reader.valid),
    ]
    ports = {"word": (word, PortDirection.Output), "valid": (valid, PortDirection.Output)}
    ports |= {name: (port, PortDirection.Inout) for name, port in pads.ports.items()}
    text, _ = rtlil.convert_fragment(Fragment.get(m, None), ports, "reading", emit_src=False)
    return rtlil_to_verilog(text, "reading")


def lines(tmp_path: Path, clock_hz: float, family: str, slow: tuple[int, ...]) -> dict[int, list[str]]:
    """What is read for every delay, and None: what should be."""
    content = np.random.default_rng(2).integers(0, 256, 256, dtype=np.uint8).tobytes()
    hex_file(tmp_path / "flash.hex", content)
    mclk = family == "ecp5"
    bench = _BENCH % ("" if mclk else ".flash_clk(sck),", ADDRESS & ~0xFF, "mclk" if mclk else "sck", WORDS)
    command = build(tmp_path, reading(clock_hz, family) + bench + _ECP5 * mclk)
    result = {each: run(command, tmp_path, f"+slow={each}")[:WORDS] for each in slow}
    at = ADDRESS & 0xFF
    result[-1] = [content[at + 4 * k : at + 4 * k + 4][::-1].hex() for k in range(WORDS)]
    return result


@pytest.mark.sim
def test_ice40(tmp_path: Path) -> None:
    read = lines(tmp_path, 36e6, "ice40up", (0,))
    assert read[0] == read[-1]


@pytest.mark.sim
@pytest.mark.parametrize(("megahertz", "clocks"), ((50, 2), (84, 2), (120, 3)))
def test_ecp5(tmp_path: Path, megahertz: int, clocks: int) -> None:
    """A nibble that is on its way for fewer clocks than `clocks` is seen; at 120 MHz those are 25 ns."""
    assert clocks / megahertz >= 0.0238
    read = lines(tmp_path, megahertz * 1e6, "ecp5", tuple(range(clocks + 1)))
    assert all(read[slow] == read[-1] for slow in range(clocks))
    assert read[clocks] != read[-1]


def test_limits() -> None:
    assert [Ecp5FlashPads(hz).divide for hz in (25e6, 84e6, 85e6, 126e6)] == [2, 2, 3, 3]
    with pytest.raises(UsageError, match="above 126 MHz"):
        flash_pads("ecp5", 127e6)
    with pytest.raises(UsageError, match="no flash pads for the family 'x'"):
        flash_pads("x", 1e6)
