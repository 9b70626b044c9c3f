"""The AXI4-Stream peripheral of a real core, as Verilog, through all patterns of gaps and back-pressure."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import hwgen
from hwgen.emit.axi import axi_stream, peripheral_name
from hwgen.emit.manifest import Manifest
from hwgen.golden.run import execute
from hwgen.support.errors import UsageError
from hwgen.verify.rtl import verify_rtl

DIGITS = Path(__file__).parents[2] / "examples" / "digits" / "digits_small.tflite"
# What the bench knows, around what a SoC would see: TLAST is checked, and made, by counting.
ADAPTER = """
module adapter(input clk, input rst, input [{in_top}:0] i_payload, input i_valid, output i_ready,
               output [{out_top}:0] o_payload, output o_valid, input o_ready);
  reg [31:0] ins = 0, outs = 0;
  wire last, error;
  {module} dut (.aclk(clk), .aresetn(!rst), .s_axis_tdata(i_payload), .s_axis_tvalid(i_valid),
    .s_axis_tready(i_ready), .s_axis_tlast(ins == {in_transfers} - 1), .m_axis_tdata(o_payload),
    .m_axis_tvalid(o_valid), .m_axis_tready(o_ready), .m_axis_tlast(last), .frame_error(error));
  always @(posedge clk) begin
    if (i_valid && i_ready) ins <= ins == {in_transfers} - 1 ? 0 : ins + 1;
    if (o_valid && o_ready) begin
      outs <= outs == {out_transfers} - 1 ? 0 : outs + 1;
      if (!rst && last != (outs == {out_transfers} - 1)) $fatal(1, "TLAST at transfer %0d", outs);
    end
    if (error) $fatal(1, "frame error");
    if (rst) begin ins <= 0; outs <= 0; end
  end
endmodule
"""


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory):
    made = hwgen.compile(DIGITS, fps=2000, out=tmp_path_factory.mktemp("axi"))
    made.generate()
    return made


@pytest.mark.sim
def test_a_core_behind_axi(design) -> None:
    facts = Manifest.read(design.folder / "manifest.json")
    about = facts.axi_stream
    assert about == json.loads(json.dumps(axi_stream(facts)))
    sides = about["s_axis"], about["m_axis"]
    assert all(side["lane_bytes"] == 1 for side in sides)  # int8: what the bench sends needs no padding
    text = ADAPTER.format(
        module=about["module"], in_top=8 * sides[0]["bytes"] - 1, out_top=8 * sides[1]["bytes"] - 1,
        in_transfers=sides[0]["transfers"], out_transfers=sides[1]["transfers"],
    )  # fmt: skip
    adapter = design.folder / "adapter.v"
    adapter.write_text(text)
    inputs = design.net.random_inputs(6)
    expected = execute(design.graph, inputs)
    sources = [design.folder / about["file"], design.folder / "rtl" / f"{design.name}.v", adapter]
    seen = replace(facts, core="adapter", axi_stream=None)
    result = verify_rtl(sources, seen, inputs, expected, design.folder / "axi")
    assert result.exact and len(result.patterns) > 3


def test_lanes_in_whole_bytes(design) -> None:
    facts = design.manifest()
    port = replace(facts.ports[0], lanes=1, range=type(facts.ports[0].range)(0, 1000))
    entry = axi_stream(replace(facts, ports=(port, facts.ports[1])))
    assert entry["s_axis"]["lane_bytes"] == 2 and entry["s_axis"]["bytes"] == 2
    assert peripheral_name(facts) == "digits_small_axis"
    with pytest.raises(UsageError, match="one input and one output"):
        axi_stream(replace(facts, ports=facts.ports[:1]))
