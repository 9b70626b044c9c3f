"""`rtl/<array>_wishbone.v`: the systolic engine as a Wishbone peripheral, for a SoC of one's own.

Ports of the module: clk, rst (synchronous, active high); wb_cyc, wb_stb, wb_we, wb_adr[3:0], wb_dat_w[31:0],
wb_dat_r[31:0], wb_ack, with the registers of hw/link/wishbone.py; interrupt; and the flash with program
and weights: flash_cs_n, flash_clock_enable, flash_d_o[3:0], flash_d_oe[3:0] (out), flash_d_i[3:0] (in), which
pads as in hw/flashpads.py connect (hw/systolic/flash.py says when what is sampled).
"""

from __future__ import annotations

from math import ceil
from pathlib import Path

from hwgen.emit.systolic_top import WAKE_SECONDS
from hwgen.emit.verilog import to_verilog
from hwgen.flow.board import Board, required_flash
from hwgen.hw.flashpads import flash_pads
from hwgen.hw.link.wishbone import WishboneCore
from hwgen.hw.systolic.core import SystolicCore
from hwgen.hw.systolic.loader import Loader
from hwgen.program.array import Array
from hwgen.support.files import write_atomic
from hwgen.targets import target


def wishbone_peripheral(geometry: Array, board: Board, clock_hz: float, *, depth: int = 64) -> WishboneCore:
    """The array with the board's place of the image and the latencies of its flash pads.

    depth: words of the FIFOs. BoardError: a board whose flash cannot be read.
    """
    pads = flash_pads(board.family, clock_hz)
    loader = Loader(
        geometry=geometry, base=required_flash(board).image, wake=ceil(clock_hz * WAKE_SECONDS),
        late=pads.late, divide=pads.divide,
    )  # fmt: skip
    core = SystolicCore(geometry=geometry, target=target(board.family), loader=loader)
    return WishboneCore(core, depth=depth)


def write_wishbone(folder: Path, name: str, geometry: Array, board: Board, clock_hz: float) -> Path:
    """Write the Verilog of the module `name` into the build folder; its path."""
    path = folder / "rtl" / f"{name}.v"
    write_atomic(path, to_verilog(wishbone_peripheral(geometry, board, clock_hz), name))
    return path
