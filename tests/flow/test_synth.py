"""Synthesis of small Verilog with the real Yosys: resources, regions, resuming, bad input."""

from __future__ import annotations

import json

import pytest

from hwgen.flow import synth, tools
from hwgen.support.errors import ToolError

pytestmark = pytest.mark.synth

TOP = r"""
module \top.core.mac (input clk, input [7:0] a, b, output reg [19:0] y);
  always @(posedge clk) y <= y + a * b;
endmodule
module \top.core.count (input clk, output reg [15:0] y);
  always @(posedge clk) y <= y + 1;
endmodule
module \top.core (input clk, input [7:0] a, b, output [19:0] y, output [15:0] n);
  \top.core.mac mac (.clk(clk), .a(a), .b(b), .y(y));
  \top.core.count count (.clk(clk), .y(n));
endmodule
module top (input clk, input [7:0] a, b, output reg [19:0] y, output [15:0] n);
  wire [19:0] z;
  \top.core core (.clk(clk), .a(a), .b(b), .y(z), .n(n));
  always @(posedge clk) y <= z;
endmodule
"""
REGIONS = ["core.mac", "core.count"]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "a name with 'blanks; and $signs.v"
    path.write_text(TOP)
    return path


def _counts(**values):
    return {"lut4": 0, "ff": 0, "dsp": 0, "bram": 0, "spram": 0, **values}


def test_resources_by_region(source, tmp_path):
    result = synth.synthesise([source], "top", "ecp5", tmp_path / "out", regions=REGIONS)
    assert result.regions == {
        "": _counts(ff=20),
        "core.mac": _counts(lut4=20, ff=20, dsp=1),
        "core.count": _counts(lut4=16, ff=16),
    }
    assert result.resources == _counts(lut4=36, ff=56, dsp=1)
    assert result.cells == {"CCU2C": 18, "MULT18X18D": 1, "TRELLIS_FF": 56}
    design = json.loads(result.netlist.read_text())
    carries = [c for c in design["modules"]["top"]["cells"].values() if c["type"] == "CCU2C"]
    assert sum(c["connections"]["COUT"] == ["x"] for c in carries) == 2  # the ends of the two chains
    assert not [path for path in (tmp_path / "out").iterdir() if path.is_dir()]


def test_without_regions_the_result_is_the_same_hardware(source, tmp_path):
    result = synth.synthesise([source], "top", "ecp5", tmp_path / "out")
    assert result.resources == _counts(lut4=36, ff=56, dsp=1) == result.regions[""]


def test_resumes_and_notices_changes(source, tmp_path, monkeypatch):
    first = synth.synthesise([source], "top", "ecp5", tmp_path / "out", regions=REGIONS)
    steps = []

    def again(**options):
        steps.clear()
        return synth.synthesise(
            [source],
            "top",
            "ecp5",
            tmp_path / "out",
            progress=lambda what, part: steps.append((what, part)),
            **options,
        )

    assert again(regions=REGIONS) == first
    assert steps == [("synthesis is up to date", 1.0)]
    source.write_text(TOP.replace("[15:0]", "[11:0]"))
    assert again(regions=REGIONS).resources["ff"] == 52
    assert steps[0] == ("synthesising", 0.0) and steps[-1] == ("synthesised", 1.0)
    fractions = [part for _, part in steps]
    assert fractions == sorted(fractions) and len(fractions) >= 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("module top(input a); garbage", "yosys: .*syntax error"),
        ("module top(input a, output b); absent x(a, b); endmodule", "absent"),
        ("module other; endmodule", "module 'top' is not in the source files"),
    ],
)
def test_yosys_errors_are_one_line(tmp_path, text, message):
    path = tmp_path / "x.v"
    path.write_text(text)
    with pytest.raises(ToolError, match=message) as caught:
        synth.synthesise([path], "top", "ecp5", tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "netlist.json").exists()


def test_bad_arguments(source, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ToolError, match=r"'top\.core\.none' is not in"):
        synth.synthesise([source], "top", "ecp5", out, regions=["core.none"])
    with pytest.raises(ToolError, match="no synthesis for the family 'ice99'"):
        synth.synthesise([source], "top", "ice99", out)
    with pytest.raises(ToolError, match="not an option"):
        synth.synthesise([source], "top", "ecp5", out, options=["-nowidelut; exec rm"])
    with pytest.raises(ToolError, match=r"nowhere\.v: cannot be read"):
        synth.synthesise([tmp_path / "nowhere.v"], "top", "ecp5", out)
    assert not out.exists()


def test_interrupted_leaves_nothing_stale(source, tmp_path):
    """A second run that is interrupted must not leave the first one's netlist as if it were its own."""
    out = tmp_path / "out"
    synth.synthesise([source], "top", "ecp5", out)
    source.write_text(TOP.replace("[15:0]", "[11:0]"))

    def interrupt(what, fraction):
        if fraction and fraction > 0.1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synth.synthesise([source], "top", "ecp5", out, progress=interrupt)
    assert sorted(path.name for path in out.iterdir()) == ["synth.log", "synth.ys"]
    assert synth.synthesise([source], "top", "ecp5", out).resources["ff"] == 52


def test_yosys_is_found():
    assert tools.find("yosys").version
