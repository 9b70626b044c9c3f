"""Load a bitstream into a board with its programmer."""

from __future__ import annotations

from pathlib import Path

from hwgen.flow import process, tools
from hwgen.flow.board import Board
from hwgen.support.errors import ToolError, UsageError

LOG = "flash.log"


def command(
    bitstream: Path, board: Board, *, write_flash: bool = False, cable: str | None = None
) -> list[str]:
    """The command line: into the FPGA's SRAM by default (gone at power-off), or into the board's flash.

    A board that takes one of the two only gets that. UsageError: a cable for a programmer that has none.
    """
    tool = tools.find(board.programmer)
    start, path = [*tool.argv, *board.programmer_arguments], str(bitstream.resolve())
    if board.programmer != "openFPGALoader":
        if cable:
            raise UsageError("has no --cable", where=board.programmer)
        return [*start, path]
    extra = ["--cable", cable] if cable else []
    return [*start, *extra, f"--write-{memory(board, write_flash)}", path]


def memory(board: Board, write_flash: bool) -> str:
    """Which of the board's memories gets the bitstream, "sram" or "flash"."""
    return "flash" if write_flash and "flash" in board.memories else board.memories[0]


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
    bitstream = Path(build_dir) / board.toolchain.bitstream
    if not bitstream.is_file():
        raise UsageError(
            f"no bitstream {bitstream.name}", where=str(build_dir), hint="run `hwgen build` first"
        )
    if cable is not None and not cable.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"not a cable's name: {cable!r}", where=board.programmer)
    names = {"sram": "SRAM", "flash": "flash"}
    progress(f"loading {board.name}'s {names[memory(board, write_flash)]}", None)
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
