"""Load a bitstream, and a program of the systolic engine, into a board with its programmer."""

from __future__ import annotations

from pathlib import Path

from hwgen.flow import process, tools
from hwgen.flow.board import Board, required_flash
from hwgen.program.array import Array
from hwgen.program.image import HEADER_BYTES, MAX_BYTES, read_image
from hwgen.program.instructions import BadProgram
from hwgen.support.errors import FitError, ToolError, UsageError

LOG = "flash.log"
IMAGE = "image.bin"
_HINTS = {"shared libraries": "install libusb-1.0 (see `hwgen doctor`)"}


def command(
    file: Path,
    board: Board,
    *,
    write_flash: bool = False,
    offset: int | None = None,
    cable: str | None = None,
) -> list[str]:
    """The command line: into the FPGA's SRAM by default (gone at power-off), or into the board's flash.

    A board that takes one of the two only gets that. offset: into the flash from that byte on, as it is.
    UsageError: an option for a programmer that has none.
    """
    tool = tools.find(board.programmer)
    start, path = [*tool.argv, *board.programmer_arguments], str(file.resolve())
    if board.programmer == "openFPGALoader":
        extra = ["--cable", cable] if cable else []
        if offset is not None:
            return [*start, *extra, "--write-flash", "--offset", str(offset), path]
        return [*start, *extra, f"--write-{memory(board, write_flash)}", path]
    if cable:
        raise UsageError("has no --cable", where=board.programmer)
    if offset is None:
        return [*start, path]
    if board.programmer != "icesprog":
        raise UsageError("cannot write to the middle of a flash", where=board.programmer)
    return [*start, "-o", f"{offset:#x}", path]


def memory(board: Board, write_flash: bool) -> str:
    """Which of the board's memories gets the bitstream, "sram" or "flash"."""
    return "flash" if write_flash and "flash" in board.memories else board.memories[0]


def check_image(path: Path, board: Board, array: Array) -> None:
    """UsageError: a file that is no good image for `array`. FitError: the flash cannot hold it."""
    flash = required_flash(board)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + HEADER_BYTES + 1)
        read_image(data, array)
    except FileNotFoundError as error:
        raise UsageError(f"no image {path.name}", where=str(path.parent), hint=_BUILD) from error
    except (OSError, BadProgram) as error:
        raise UsageError(f"not flashed: {error}", where=str(path), hint=_BUILD_AGAIN) from error
    room = min(flash.size, MAX_BYTES) - flash.image
    if len(data) > room:
        raise FitError(f"an image of {len(data)} bytes, its flash has room for {room}", where=board.name)


_BUILD = "run `hwgen build` first"
_BUILD_AGAIN = "run `hwgen build` with --engine systolic for this board again"


def flash(
    build_dir: Path,
    board: Board,
    *,
    image: Path | None = None,
    array: Array | None = None,
    image_only: bool = False,
    write_flash: bool = False,
    cable: str | None = None,
    timeout: float = 300.0,
    progress: process.Progress = process.silent,
) -> list[list[str]]:
    """Load `build_dir`'s bitstream into the board; the commands that did it.

    image: goes into the flash first, where the systolic engine looks for it, once it is known to be good for
    `array`; image_only: nothing else does. The board then starts anew with the bitstream in its flash.
    UsageError: nothing was built there, or the image is damaged or not for this array. FitError: the image
    is too large. ToolError: the programmer is missing, finds no board, or fails.
    """
    if image_only and image is None:
        raise UsageError("has no program image", where=str(build_dir), hint="--engine systolic makes one")
    if cable is not None and not cable.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"not a cable's name: {cable!r}", where=board.programmer)
    steps: list[tuple[str, list[str]]] = []
    if image is not None:
        if array is None:
            raise ValueError("an image is for an array")
        check_image(image, board, array)
        offset = required_flash(board).image
        steps.append(("program into", command(image, board, offset=offset, cable=cable)))
    if not image_only:
        bitstream = Path(build_dir) / board.toolchain.bitstream
        if not bitstream.is_file():
            raise UsageError(f"no bitstream {bitstream.name}", where=str(build_dir), hint=_BUILD)
        steps.append(("", command(bitstream, board, write_flash=write_flash, cable=cable)))
    names = {"sram": "SRAM", "flash": "flash"}
    for what, argv in steps:
        place = "flash" if what else names[memory(board, write_flash)]
        progress(f"loading {what + ' ' if what else ''}{board.name}'s {place}", None)
        _run(argv, board, Path(build_dir), timeout)
    progress(f"{board.name} is running the design", 1.0)
    return [argv for _, argv in steps]


def _run(argv: list[str], board: Board, folder: Path, timeout: float) -> None:
    try:
        process.run(argv, tool=board.programmer, cwd=folder, log=folder / LOG, timeout=timeout)
    except ToolError as error:
        for symptom, hint in _HINTS.items():
            if symptom in error.what:
                raise ToolError(error.what, where=error.where, hint=hint) from error
        raise
