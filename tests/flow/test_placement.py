"""Placed cells by tile and part of the design."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from hwgen.flow import board as boards
from hwgen.flow import pnr, synth
from hwgen.flow.placement import KINDS, part_of, placement

TOP = """
module unit (input clk, input d, output reg [30:0] q = 0);
  always @(posedge clk) q <= {q, d} + 31'd5;
endmodule
module core (input clk, input d, output q);
  wire [30:0] a, b;
  unit l00_conv (.clk(clk), .d(d), .q(a));
  unit l01_conv (.clk(clk), .d(^a), .q(b));
  assign q = ^b;
endmodule
module top (input clk, input uart_rx, output uart_tx);
  core core (.clk(clk), .d(uart_rx), .q(uart_tx));
endmodule
"""


def cell(kind: str, bel: str) -> dict:
    return {"type": kind, "attributes": {"NEXTPNR_BEL": bel}}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("core.l00_conv.reducer.a_LUT4_Z", "core.l00_conv"),
        ("$flatten\\core.\\l00_conv.$procdff$17", "core.l00_conv"),
        ("link.a_TRELLIS_FF_Q", "link"),
        ("uart_tx$tr_io", ""),
        ("$nextpnr_CCU2C_57$CCU2_COMB0", ""),
        ("core.U$3.a", "core"),
        ("core.<script>.a", "core"),
        ("U$3.core.a", ""),
    ],
)
def test_parts(name, part):
    assert part_of(name) == part


def test_counts_by_tile():
    cells = {
        "core.a.x": cell("TRELLIS_COMB", "X3/Y2/SLICEA.LUT0"),
        "core.a.y": cell("TRELLIS_FF", "X3/Y2/SLICEA.FF0"),
        "core.b.x": cell("MULT18X18D", "X9/Y4/MULT18_0"),
        "$nextpnr_CCU2C_1$CCU2_COMB0": cell("TRELLIS_COMB", "X3/Y2/SLICEA.K0"),  # of its tile's part
        "core.c.x": {"type": "TRELLIS_FF", "attributes": {}},  # not placed
    }
    found = placement({"modules": {"top": {"cells": cells}}}, "LFE5U-85F")
    assert (found["width"], found["height"], found["up"]) == (127, 96, False)
    assert found["parts"] == {"core.a": [[3, 2, 2, 1, 0, 0, 0, 0]], "core.b": [[9, 4, 0, 0, 1, 0, 0, 0]]}


@pytest.mark.pnr
@pytest.mark.parametrize("name", ["ulx3s-12f", "icebreaker"])
def test_routed(name, tmp_path):
    """Every placed cell is counted once and in its instance's part."""
    board = boards.load(name)
    (tmp_path / "top.v").write_text(TOP)
    netlist = synth.synthesise([tmp_path / "top.v"], "top", board.family, tmp_path).netlist
    routed = pnr.place_and_route(netlist, board, tmp_path, freq_mhz=12, free_pins=True)
    found = json.loads((tmp_path / "placement.json").read_text())
    total = Counter()
    for tiles in found["parts"].values():
        for tile in tiles:
            assert 0 <= tile[0] < found["width"] and 0 <= tile[1] < found["height"] and sum(tile[2:]) > 0
            total.update(dict(zip(KINDS, tile[2:])))
    assert total["lut4"] == routed.resources["lut4"]
    if board.family == "ecp5":
        assert total["ff"] == routed.resources["ff"] == 62
        units = [sum(tile[3] for tile in found["parts"][f"core.{unit}"]) for unit in ("l00_conv", "l01_conv")]
        assert units == [31, 31]
    assert not (tmp_path / "routed.json").exists()
