"""Place, route and pack small designs for the ULX3S with the real tools."""

from __future__ import annotations

import pytest

from hwgen.flow import board as boards
from hwgen.flow import pnr, synth
from hwgen.support.errors import FitError, ToolError

pytestmark = pytest.mark.pnr

# A serial input feeds a counter-driven multiplier; the LEDs show the sum's upper bits.
TOP = """
module top (input clk, input uart_rx, output uart_tx, output reg [7:0] leds);
  reg [23:0] n = 0; reg [7:0] a = 0, b = 0; reg [15:0] p = 0; reg [27:0] sum = 0;
  always @(posedge clk) begin
    n <= n + 1; a <= {a[6:0], uart_rx}; b <= n[23:16]; p <= a * b; sum <= sum + p; leds <= sum[27:20];
  end
  assign uart_tx = n[23];
endmodule
"""


@pytest.fixture(scope="module")
def netlist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pnr")
    (folder / "top.v").write_text(TOP)
    return synth.synthesise([folder / "top.v"], "top", "ecp5", folder / "synth").netlist


def test_lpf():
    text = pnr.constraints(boards.load("ulx3s-85f"))
    assert 'LOCATE COMP "clk" SITE "G2";\nIOBUF PORT "clk" IO_TYPE=LVCMOS33;' in text
    assert 'LOCATE COMP "uart_rx" SITE "M1";' in text and 'LOCATE COMP "leds[7]" SITE "H3";' in text
    assert text.endswith('FREQUENCY PORT "clk" 25.000000 MHZ;\n')


def test_route_and_pack(netlist, tmp_path):
    board, steps = boards.load("ulx3s-85f"), []

    def progress(what, fraction):
        steps.append((what, fraction))

    routed = pnr.place_and_route(netlist, board, tmp_path, freq_mhz=25, progress=progress)
    assert list(routed.clocks) == ["clk"] and routed.clocks["clk"].constraint == 25
    assert routed.fmax_mhz == routed.clocks["clk"].achieved > 50
    assert routed.resources["dsp"] == 1 and 60 <= routed.resources["ff"] <= 110
    assert routed.critical_path[0].kind == "clk-to-q"
    assert abs(sum(step.delay for step in routed.critical_path) - 1e3 / routed.fmax_mhz) < 0.2
    fractions = [fraction for _, fraction in steps]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert any(what.startswith("placing") for what, _ in steps)
    assert any(what.startswith("routing") for what, _ in steps)

    bitstream = pnr.pack(routed.config, tmp_path, board.toolchain)
    data = bitstream.read_bytes()
    assert len(data) > 100_000 and data[:2] == b"\xff\x00" and b"Part: LFE5U-85F-6CABGA381" in data[:200]

    steps.clear()  # nothing changed: nothing runs
    assert pnr.place_and_route(netlist, board, tmp_path, freq_mhz=25, progress=progress) == routed
    assert pnr.pack(routed.config, tmp_path, board.toolchain, progress=progress) == bitstream
    assert [what for what, _ in steps] == ["place and route is up to date", "bitstream is up to date"]
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_interrupt_leaves_no_output(netlist, tmp_path):
    def interrupt(what, fraction):
        if what.startswith("placing: packing"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pnr.place_and_route(netlist, boards.load("ulx3s-12f"), tmp_path, freq_mhz=25, progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["pnr.log"]


def test_too_many_multipliers_is_a_fit_error(tmp_path):
    """29 multipliers on a chip with 28: seen by the early check, and in nextpnr's own words."""
    products = " ^ ".join(f"(a[{i + 8}:{i}] * a[{i + 12}:{i + 3}])" for i in range(29))
    (tmp_path / "big.v").write_text(
        "module top (input clk, input uart_rx, output reg uart_tx); reg [63:0] a;\n"
        f"always @(posedge clk) begin a <= {{a[62:0], uart_rx}}; uart_tx <= ^({products}); end endmodule"
    )
    board = boards.load("ulx3s-25f")
    result = synth.synthesise([tmp_path / "big.v"], "top", "ecp5", tmp_path)
    with pytest.raises(FitError, match="29 dsp of 28"):
        pnr.check_fit(result.resources, board)
    with pytest.raises(FitError, match=r"ulx3s-25f: the design does not fit: .*dsp"):
        pnr.place_and_route(result.netlist, board, tmp_path, freq_mhz=25)
    pnr.check_fit(result.resources, boards.load("ulx3s-45f"))


def test_not_a_netlist(tmp_path):
    (tmp_path / "bad.json").write_text('{"modules": ')
    with pytest.raises(ToolError, match="nextpnr-ecp5: ") as caught:
        pnr.place_and_route(tmp_path / "bad.json", boards.load("ulx3s-12f"), tmp_path, freq_mhz=25)
    assert "\n" not in str(caught.value)
