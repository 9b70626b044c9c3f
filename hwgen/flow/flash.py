"""Load a bitstream into a board with its programmer (openFPGALoader)."""

from __future__ import annotations

from pathlib import Path

from hwgen.flow import process, tools
from hwgen.flow.board import Board
from hwgen.flow.pnr import BITSTREAM
from hwgen.support.errors import ToolError, UsageError

LOG = "flash.log"


def command(
    bitstream: Path, board: Board, *, write_flash: bool = False, cable: str | None = None
) -> list[str]:
    """The command line: into the FPGA's SRAM by default (gone at power-off), or into the board's flash."""
    tool = tools.find(board.programmer)
    where = ["--write-flash"] if write_flash else ["--write-sram"]
    extra = ["--cable", cable] if cable else []
    return [*tool.argv, *board.programmer_arguments, *extra, *where, str(bitstream.resolve())]


def flash(
    build_dir: Path,
    board: Board,
    *,
    write_flash: bool = False,
    cable: str | None = None,
    timeout: float = 300.0,
    progress: process.Progress = process.silent,
) -> None:
    """Load `build_dir`'s bitstream into the board.

    UsageError: nothing was built there. ToolError: the programmer is missing, finds no board, or fails.
    """
    bitstream = Path(build_dir) / BITSTREAM
    if not bitstream.is_file():
        raise UsageError(f"no bitstream {BITSTREAM}", where=str(build_dir), hint="run `hwgen build` first")
    if cable is not None and not cable.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"not a cable's name: {cable!r}", where=board.programmer)
    target = "flash" if write_flash else "SRAM"
    progress(f"loading {board.name}'s {target}", None)
    argv = command(bitstream, board, write_flash=write_flash, cable=cable)
    try:
        process.run(
            argv, tool=board.programmer, cwd=Path(build_dir), log=Path(build_dir) / LOG, timeout=timeout
        )
    except ToolError as error:
        if "shared libraries" in error.what:
            raise ToolError(
                error.what, where=error.where, hint="install libusb-1.0 (see `hwgen doctor`)"
            ) from error
        raise
    progress(f"{board.name} is running the design", 1.0)
