"""SB_IO: the model of sim/ against that of Yosys in the modes that hwgen uses, driven from outside too."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "hw" / "systolic"))

from memories import yosys_model

MODELS = Path(__file__).resolve().parents[2] / "sim" / "models"
_BENCH = """module bench;
  reg clock = 0, enable = 0, first = 0, second = 0, drive = 0, level = 0;
  wire [2:0] ours, theirs, ours_in, theirs_in;
  localparam [17:0] MODES = {6'b010101, 6'b010001, 6'b110100};
  genvar k;
  generate for (k = 0; k < 3; k = k + 1) begin : mode
    SB_IO #(.PIN_TYPE(MODES[6*k +: 6]))
      a(ours[k], 1'b0, 1'b1, clock, clock, enable, first, second, ours_in[k], );
    yosys_io #(.PIN_TYPE(MODES[6*k +: 6]))
      b(theirs[k], 1'b0, 1'b1, clock, clock, enable, first, second, theirs_in[k], );
  end endgenerate
  assign ours[0] = drive ? level : 1'bz;
  assign theirs[0] = drive ? level : 1'bz;
  integer t, seed = 7, changes = 0, open = 0;
  // Yosys' registers are undefined before the first edges; DDR and the plain output have no input
  task compare; begin
    #4;
    if (t > 1 && (ours !== theirs || ours_in[0] !== theirs_in[0])) begin
      $display("step %0d: %b %b, Yosys has %b %b", t, ours, ours_in, theirs, theirs_in);
      $finish;
    end
    if (ours[1]) changes = changes + 1;
    if (ours[0] === 1'bz) open = open + 1;
  end endtask
  initial begin
    for (t = 0; t < 5000; t = t + 1) begin
      {enable, first, second, level} = $random(seed);
      drive = $random(seed);
      compare;
      clock = 1; compare;
      {first, second, level} = $random(seed);
      compare;
      clock = 0; compare;
    end
    $display("equal, %0d high, %0d open", changes, open);
  end
endmodule
"""


def _run(folder: Path, bench: str) -> str:
    (folder / "bench.v").write_text(bench)
    files = [str(folder / "bench.v"), str(MODELS / "SB_IO.v")]
    subprocess.run(["iverilog", "-g2012", "-s", "bench", "-o", "bench", *files], cwd=folder, check=True)
    return subprocess.run(
        ["vvp", "-N", "bench"], cwd=folder, capture_output=True, text=True, timeout=60
    ).stdout


@pytest.mark.sim
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not on PATH")
def test_model_is_yosys_model(tmp_path: Path) -> None:
    theirs = yosys_model("SB_IO").replace("module SB_IO", "module yosys_io")
    said = _run(tmp_path, theirs.replace("`ICE40_DEFAULT_ASSIGNMENT_1", "") + _BENCH)
    assert said.startswith("equal"), said
    high, open_ = (int(word) for word in said.replace(",", "").split() if word.isdigit())
    assert high > 3000 and open_ > 1000, said


@pytest.mark.sim
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not on PATH")
def test_other_modes_stop_the_simulation(tmp_path: Path) -> None:
    text = 'module bench; SB_IO #(.PIN_TYPE(6\'b101001)) a(); initial #1 $display("on"); endmodule\n'
    assert "a mode that its model does not have: 101001" in _run(tmp_path, text)
