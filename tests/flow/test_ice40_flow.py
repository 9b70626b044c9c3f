"""iCE40 boards: a design with its link routed and packed for each of them; what nextpnr does not know of."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hwgen.emit import board_top
from hwgen.flow import board as boards
from hwgen.flow import pnr, synth
from hwgen.flow.family import FAMILIES
from hwgen.numeric.ranges import Range
from hwgen.support.errors import FitError

sys.path.insert(0, str(Path(__file__).parents[1] / "hw"))
from link_host import Fold

BOARDS = [name for name in boards.names() if boards.load(name).family.startswith("ice40")]
FAST = ("icebreaker",)  # the iCEstick's demo is routed in test_boards_demo.py
#: the start of every iCE40 bitstream: comment, then the preamble (IceStorm's description of the format)
START = b"\xff\x00\x00\xff\x7e\xaa\x99\x7e"


@pytest.mark.pnr
@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in BOARDS]
)
def test_link_routed_and_packed(name: str, tmp_path: Path) -> None:
    board = boards.load(name)
    core = Fold(Range(-128, 127), 4, 512)
    wanted = board.toolchain.clock_mhz * 1e6
    top = board_top.BoardTop(core, board, wanted, inputs=512, outputs=1, design_id=0x12345678)
    assert top.clock_hz == wanted
    (tmp_path / "top.il").write_text(board_top.to_rtlil(top))
    regions = ["core", "link", "pll"]
    result = synth.synthesise([tmp_path / "top.il"], "top", board.family, tmp_path, regions=regions)
    pnr.check_fit(result.resources, board)
    assert result.regions["link"]["lut4"] < 720 and result.regions["link"]["bram"] == 1
    assert result.cells.get("SB_PLL40_PAD", 0) == board.clock_on_pll_pad
    assert result.cells.get("SB_PLL40_CORE", 0) == (not board.clock_on_pll_pad)
    routed = pnr.place_and_route(result.netlist, board, tmp_path, freq_mhz=wanted / 1e6)
    assert routed.fmax_mhz > wanted / 1e6
    # nextpnr's cells are those counted in the netlist, and some to enter and leave carry chains
    assert 0 <= routed.resources["lut4"] - result.resources["lut4"] <= 0.05 * result.resources["lut4"]
    assert routed.resources["ff"] == result.resources["ff"] and routed.resources["bram"] == 1
    bitstream = pnr.pack(routed.config, tmp_path, board.toolchain)
    assert bitstream.name == "top.bin" and START in bitstream.read_bytes()[:32]


def test_constraints() -> None:
    lines = pnr.constraints(boards.load("icebreaker")).splitlines()
    assert lines[1:] == [
        "set_io clk 35",
        "set_io -pullup yes uart_rx 6",
        "set_io -pullup yes uart_tx 9",
        "set_io leds[0] 11",
        "set_io leds[1] 37",
        "set_frequency clk 12.000000",
    ]


@pytest.mark.parametrize(("cells", "clock"), [({"SB_LUT4": 9}, 90.0), ({"SB_MAC16": 1}, 50.0)])
def test_hard_blocks_limit_the_clock(cells: dict[str, int], clock: float) -> None:
    bels = FAMILIES["ice40up"].bels.values()
    report = {
        "fmax": {"clk": {"achieved": 90.0, "constraint": 36.0}},
        "critical_paths": [],
        "utilization": {bel: {"used": 1} for bel in bels},
    }
    record = pnr._record(report, FAMILIES["ice40up"], cells)
    assert record["fmax_mhz"] == clock and record["resources"]["lut4"] == 1


def test_too_large_is_a_fit_error() -> None:
    with pytest.raises(FitError, match="icestick: the design does not fit: 1300 lut4 of 1280"):
        pnr.check_fit({"lut4": 1300, "ff": 10, "dsp": 0, "bram": 0, "spram": 0}, boards.load("icestick"))
