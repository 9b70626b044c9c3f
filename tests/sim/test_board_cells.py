"""Models of what surrounds a design on a board: PLLs that check themselves, clock gate, pads, LUT."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flashbench import build, run
from memories import yosys_model

from hwgen.emit.verilog import to_verilog
from hwgen.hw.pll import pll

MODELS = Path(__file__).resolve().parents[2] / "sim" / "models"
MHZ = 1_000_000
CASES = {"ecp5": (25, 100, False), "ice40up": (12, 30, True)}  # the pad's PLL holds the other one


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory):
    """The bench of a family's clock source, built once: counts what comes out, whole pulses only."""
    built: dict[str, list[str]] = {}

    def make(family: str) -> list[str]:
        if family not in built:
            source, wanted, pad = CASES[family]
            text = to_verilog(pll(family, source * MHZ, wanted * MHZ, pad=pad), "clock_source")
            built[family] = build(tmp_path_factory.mktemp(family), text + _CLOCKED)
        return built[family]

    return make


_CLOCKED = """
module bench(input clk);
  wire out, locked;
  clock_source dut(.clk_in(clk), .clk_out(out), .locked(locked));
  integer t = 0, first = 0, edges = 0, early = 0;
  always @(posedge clk) t = t + 1;
  always @(posedge out) begin
    if (edges == 0) first = t;
    edges = edges + 1;
    if (!clk) early = early + 1;  // a pulse that begins in the middle
  end
  always @(negedge out) if (clk) early = early + 1;
  always @(posedge clk) if (t == 4000) begin
    $display("first %0d edges %0d cut %0d", first, edges, early);
    $finish;
  end
endmodule
"""


@pytest.mark.sim
@pytest.mark.parametrize("family", CASES)
def test_pll_checks_its_frequencies(bench, tmp_path: Path, family: str) -> None:
    source, wanted, _ = CASES[family]
    command = bench(family)

    def ask(clk: float, sync: float, good: bool) -> str:
        plus = [f"+clk_hz={round(clk * MHZ)}", f"+sync_hz={round(sync * MHZ)}"]
        return " ".join(run(command, tmp_path, *plus, good=good))

    words = ask(source, wanted, True).split()
    first, edges, cut = int(words[1]), int(words[3]), int(words[5])
    wait = 0 if family == "ecp5" else 15 * wanted  # 15 us
    assert 16 + wait <= first <= 30 + wait and edges == 4000 - first + 1 and cut == 0
    assert "it does not make the design's clock" in ask(source, wanted + 1e-5, False)
    assert "it does not make the design's clock" in ask(source, wanted / 2, False)
    assert "it does not make the design's clock" in ask(source * 0.9999, wanted, False)
    assert "outside" in ask(source * 3, wanted * 3, False)
    assert "outside" in ask(source / 3, wanted / 3, False)
    assert "are needed" in " ".join(run(command, tmp_path, f"+sync_hz={wanted * MHZ}", good=False))


_CELLS = """
module bench(input clk);
  import configuration_clock::*;
  reg [7:0] i = 0;
  integer wrong = 0, pulses = 0, t = 0;
  wire [2:0] ours, theirs;
  localparam [47:0] TABLES = {16'hca51, 16'h8888, 16'h0001};
  genvar k;
  generate for (k = 0; k < 3; k = k + 1) begin : lut
    SB_LUT4 #(.LUT_INIT(TABLES[16*k +: 16])) a(ours[k], i[0], i[1], i[2], i[3]);
    yosys_lut #(.LUT_INIT(TABLES[16*k +: 16])) b(theirs[k], i[0], i[1], i[2], i[3]);
  end endgenerate
  wire b0, b1, o, line, gated;
  BB first(i[0], i[1], b0, line);
  BB second(i[2], !i[1], b1, line);  // open when the other one drives
  OB pad(i[3], o);
  USRMCLK mclk(i[4], i[5]);
  DCCA gate(clk, i[6], gated);
  always @(posedge gated) pulses = pulses + 1;
  always @(negedge clk) begin
    if (ours != theirs || o != i[3] || pin != (i[4] & !i[5]) || b0 != b1 || b0 != (i[1] ? i[2] : i[0]))
      wrong = wrong + 1;
  end
  // the gate's enable rises and falls while the clock is high
  always @(posedge clk) begin
    i <= i + 1;
    t = t + 1;
    if (t == 1025) begin $display("wrong %0d pulses %0d", wrong, pulses); $finish; end
  end
endmodule
"""


@pytest.mark.sim
def test_pads_gate_and_lut(tmp_path: Path) -> None:
    lut = yosys_model("SB_LUT4").replace("module SB_LUT4", "module yosys_lut")
    lut = re.sub(r"^`ifdef.*?^`endif$", "", lut, flags=re.MULTILINE | re.DOTALL)
    lut = re.sub(r"`ICE40_DEFAULT_ASSIGNMENT_\d", "", lut)
    models = (MODELS / "USRMCLK.v").read_text()
    said = run(build(tmp_path, models + lut + _CELLS), tmp_path)
    assert said[0] == "wrong 0 pulses 512"


def ports(text: str, cell: str) -> set[str]:
    """Names in a module's port list, without those of its parameters."""
    found = re.search(rf"^module {cell}\s*(?:#\(.*?^\))?\s*\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    assert found, cell
    listed = re.sub(r"//.*|\(\*.*?\*\)|\[[^]]*\]|\b(input|output|inout|wire|reg)\b", " ", found[1])
    return set(re.findall(r"\w+", listed))


@pytest.mark.parametrize("cell", ("EHXPLLL", "DCCA", "USRMCLK", "BB", "OB", "SB_PLL40_CORE", "SB_PLL40_PAD"))
def test_ports_are_those_of_the_cell(cell: str) -> None:
    """As Yosys declares its black boxes."""
    share = Path(pytest.importorskip("pyosys").__file__).parent / "share"
    family = "ice40/cells_sim.v" if cell.startswith("SB_") else "ecp5/cells_bb.v"
    theirs = (share / family).read_text()
    if f"module {cell}" not in theirs:
        theirs += (share / "ecp5/cells_io.vh").read_text()
    assert ports((MODELS / f"{cell}.v").read_text(), cell) == ports(theirs, cell)
