"""Runs a Verilog bench with the models of sim/, in Verilator or in Icarus Verilog."""

from __future__ import annotations

import subprocess
from pathlib import Path

import verilated

_CLOCK = "module clock; reg clk = 0; always #5 clk = !clk; bench bench(clk); endmodule\n"


def hex_file(path: Path, content: bytes) -> Path:
    """Bytes as $readmemh takes them."""
    path.write_text("\n".join(f"{byte:02x}" for byte in content) + "\n")
    return path


def board(dut: str, *, registers: int, file: str, **parameters: int) -> str:
    """Verilog that joins pins called flash_* of one scope to a flash called `dut`_flash.

    registers: in the pins: 0 none, 1 on the way in, 2 on the way out too.
    """
    settings = "".join(f", .{name}({value})" for name, value in parameters.items())
    lines = """  wire [3:0] io, flash_d_o, flash_d_oe;
  wire flash_clock_enable, flash_cs_n;
"""
    pins = "{flash_clock_enable, flash_cs_n, flash_d_oe, flash_d_o}"
    if registers > 1:
        lines += f"  reg [9:0] out = 10'h100; always @(posedge clk) out <= {pins};\n"
    else:
        lines += f"  wire [9:0] out = {pins};\n"
    lines += "".join(f"  assign io[{k}] = out[{k + 4}] ? out[{k}] : 1'bz;\n" for k in range(4))
    lines += f'  W25Q #(.FILE("{file}"){settings}) {dut}_flash(clk, out[8], !clk & out[9], io);\n'
    if registers:
        return lines + "  reg [3:0] flash_d_i; always @(posedge clk) flash_d_i <= io;\n"
    return lines + "  wire [3:0] flash_d_i = io;\n"


PINS = ", ".join(f".flash_{pin}(flash_{pin})" for pin in ("clock_enable", "cs_n", "d_o", "d_oe", "d_i"))


def build(folder: Path, verilog: str, *, icarus: bool = False) -> list[str]:
    """Builds `verilog`, whose top is bench(clk): the command that runs it."""
    (folder / "bench.v").write_text(verilog + _CLOCK * icarus)
    if icarus:
        sources = [str(folder / "bench.v"), *map(str, sorted(verilated.MODELS.glob("*.v")))]
        argv = ["iverilog", "-g2012", "-s", "clock", "-o", "bench", *sources]
        ran = subprocess.run(argv, cwd=folder, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr[-3000:]
        return ["vvp", "-N", "bench"]
    return verilated.build(folder)


def run(command: list[str], folder: Path, *plusargs: str, good: bool = True) -> list[str]:
    """Lines that the bench prints; good: whether it must end as it should."""
    argv = [*command, *plusargs]
    ran = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=300)
    assert (ran.returncode == 0) == good, ran.stdout[-2000:] + ran.stderr[-2000:]
    return ran.stdout.splitlines()
