"""What is around a board's top when it is simulated: its flash, and what the simulator is told."""

from __future__ import annotations

from math import ceil

from hwgen.emit.board_frame import BoardFrame
from hwgen.flow.board import required_flash
from hwgen.flow.templates import render

MODULE = "board"  # of rtl_templates/board.v.j2
IMAGE_FILE = "flash.hex"  # in the folder where the simulator runs
_LEAST_FLASH = 1 << 16  # bytes that are simulated
_WAKE_SECONDS, _REST_SECONDS = 3e-6, 10e-9  # W25Q128JV: tRES1, tSHSL1


def shell(top: BoardFrame, name: str, image: bytes | None) -> str:
    """Verilog of the module `board`. name: of the design. image: what the flash holds, if the top has one."""
    flash = None
    if top.has_flash:
        where = required_flash(top.board)
        flash = {
            "mclk": where.mclk,
            "offset": where.image,
            "bytes": max(_LEAST_FLASH, 1 << (len(image or b"") - 1).bit_length()),
            "wake": ceil(_WAKE_SECONDS * top.clock_hz),
            "rest": ceil(_REST_SECONDS * top.clock_hz),
        }
    return render("board.v.j2", name=name, leds=len(top.leds), flash=flash)


def arguments(top: BoardFrame, bit: int, seed: int) -> list[str]:
    """Arguments of the simulator. bit: clocks of one. seed: of registers and memories that have no initial
    value."""
    given = ["--bit", str(bit), "--seed", str(seed)]
    given += [f"+clk_hz={top.board.clock_hz}", f"+sync_hz={round(top.clock_hz)}"]
    return [*given, f"+flash={IMAGE_FILE}"] if top.has_flash else given


def flash_text(image: bytes) -> bytes:
    """What the simulated flash reads: a byte a line."""
    return "\n".join(f"{byte:02x}" for byte in image).encode() + b"\n"
