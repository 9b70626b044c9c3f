"""hwgen profile: what a board spends its clocks on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from hwgen import pipeline
from hwgen.cli.options import FOLDER, JSON, show
from hwgen.device import Device
from hwgen.emit.payloads import Payloads
from hwgen.profile import measure
from hwgen.simulation import SimulatedBoard
from hwgen.support.errors import UsageError
from hwgen.support.progress import Console, Progress, silent


@click.command("profile")
@FOLDER
@click.option("--port", default=None, help="Serial port of the board.  [default: the only one]")
@click.option("--simulate", is_flag=True, help="Simulate the board.")
@click.option("--baud", type=float, default=None, help="Of the serial line.  [default: as it was built]")
@JSON
def command(folder: Path, port: str | None, simulate: bool, baud: float | None, as_json: bool) -> None:
    """Where the clocks of an inference go, measured on the board, beside the plan; which layer is slowest.

    The design is to be made with `hwgen build --profile`; the systolic engine needs no counters for it.
    """
    if simulate and port is not None:
        raise UsageError("a simulated board has its own port", where="--port", hint="leave out --simulate")
    progress = silent if as_json else Console()
    with _device(folder, port, baud, simulate, progress) as device:
        made = measure(device, folder)
    if isinstance(progress, Console):
        progress.done()
    show(as_json, made.as_dict(), str(made))


@contextlib.contextmanager
def _device(
    folder: Path, port: str | None, baud: float | None, simulate: bool, progress: Progress
) -> Iterator[Device]:
    if not simulate:
        with Device(port, folder, baud=baud) as device:
            yield device
        return
    with SimulatedBoard(pipeline.reopen(folder, progress=progress), baud=baud) as board:
        board.settle()  # a systolic engine has its program
        pace = board.pace(Payloads.of(folder).clocks)
        with Device(board.port, folder, baud=pace.baud, timeout=pace.timeout) as device:
            yield device
