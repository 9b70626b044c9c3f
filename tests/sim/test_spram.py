"""SB_SPRAM256KA: the model of sim/ against Yosys' own, in Icarus Verilog, which knows undefined values."""

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
  reg clock = 0, wren, select, standby, sleep, power;
  reg [13:0] address; reg [15:0] data; reg [3:0] mask;
  wire [15:0] ours, theirs;
  SB_SPRAM256KA a(address, data, mask, wren, select, clock, standby, sleep, power, ours);
  yosys_spram b(address, data, mask, wren, select, clock, standby, sleep, power, theirs);
  integer t, known = 0, unknown = 0, seed = 5;
  task compare; begin
    #1;
    if (ours !== theirs) begin $display("step %0d: %h, Yosys has %h", t, ours, theirs); $finish; end
    if (^ours === 1'bx) unknown = unknown + 1; else known = known + 1;
  end endtask
  initial begin
    standby = 0; sleep = 0; power = 1; wren = 0; select = 0; address = 0; data = 0; mask = 0;
    for (t = 0; t < 20000; t = t + 1) begin
      wren = $random(seed); select = ($random(seed) & 7) != 0; mask = $random(seed) | {4{t[4]}};
      data = $random(seed); address = {$random(seed)} % 4 ? $random(seed) & 7 : 14'h3ff8 | $random(seed);
      standby = ($random(seed) & 31) == 0;
      compare;
      clock = 1; compare;
      clock = 0; compare;
      if (t % 500 == 499) begin sleep = 1; compare; sleep = 0; compare; end
      if (t % 5000 == 4999) begin power = 0; compare; power = 1; compare; end
    end
    $display("equal, %0d known, %0d unknown", known, unknown);
  end
endmodule
"""


@pytest.mark.sim
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not on PATH")
def test_model_is_yosys_model(tmp_path: Path) -> None:
    theirs = yosys_model("SB_SPRAM256KA").replace("module SB_SPRAM256KA", "module yosys_spram")
    (tmp_path / "bench.v").write_text(theirs + _BENCH)
    files = [str(tmp_path / "bench.v"), str(MODELS / "SB_SPRAM256KA.v")]
    subprocess.run(["iverilog", "-g2012", "-s", "bench", "-o", "bench", *files], cwd=tmp_path, check=True)
    ran = subprocess.run(["vvp", "-N", "bench"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.stdout.startswith("equal"), ran.stdout
    known, unknown = (int(word) for word in ran.stdout.replace(",", "").split() if word.isdigit())
    assert known > 10_000 and unknown > 10_000, ran.stdout
