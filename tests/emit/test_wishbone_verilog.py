"""The Wishbone peripheral's Verilog: the ports that its documentation names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from hwgen.cli.commands.generate import command
from hwgen.emit.wishbone import write_wishbone
from hwgen.flow import board as boards
from hwgen.program.array import UP5K
from hwgen.support.errors import UsageError

DIGITS = Path(__file__).parents[2] / "examples" / "digits" / "digits_mobile.tflite"
PORTS = {
    "clk": 1, "rst": 1, "wb_cyc": 1, "wb_stb": 1, "wb_we": 1, "wb_adr": 4, "wb_dat_w": 32, "wb_dat_r": 32,
    "wb_ack": 1, "interrupt": 1, "flash_cs_n": 1, "flash_clock_enable": 1, "flash_d_o": 4, "flash_d_oe": 4,
    "flash_d_i": 4,
}  # fmt: skip


@pytest.mark.synth
def test_ports(tmp_path: Path) -> None:
    path = write_wishbone(tmp_path, "engine_wishbone", UP5K, boards.load("icebreaker"), 30e6)
    text = path.read_text()
    module = text[text.index("module engine_wishbone(") :]
    module = module[: module.index("endmodule")]
    found = re.findall(r"^  (?:input|output) (?:\[(\d+):0\] )?(\w+);", module, re.MULTILINE)
    assert {name: int(top or 0) + 1 for top, name in found} == PORTS


def test_option(tmp_path: Path) -> None:
    arguments = [str(DIGITS), "--board", "icebreaker", "-o", str(tmp_path), "--wishbone", "--json"]
    with pytest.raises(UsageError, match="--wishbone: is for the systolic engine"):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert not (tmp_path / "manifest.json").exists()
    done = CliRunner().invoke(command, [*arguments, "--engine", "systolic"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "module systolic_4x4_wishbone(" in (tmp_path / "rtl" / "systolic_4x4_wishbone.v").read_text()
