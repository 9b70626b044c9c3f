"""The board that a command talks to: on a serial port, or simulated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from hwgen import pipeline
from hwgen.device import Device
from hwgen.emit.payloads import Payloads
from hwgen.simulation import SimulatedBoard
from hwgen.support.errors import UsageError
from hwgen.support.progress import Progress, silent

_OPTIONS = (
    click.option("--baud", type=float, default=None, help="Of the board's line.  [default: as it was built]"),
    click.option("--simulate", is_flag=True, help="Simulate the board."),
    click.option("--port", default=None, help="Serial port of the board.  [default: the only USB one]"),
)


def line_options(command: Any) -> Any:
    """--port, --simulate, --baud."""
    for option in _OPTIONS:
        command = option(command)
    return command


@contextmanager
def board(
    folder: Path,
    port: str | None,
    simulate: bool,
    baud: float | None,
    *,
    labels: Sequence[str] | None = None,
    progress: Progress = silent,
) -> Iterator[Device]:
    """The board of a build folder, real or simulated, for as long as the context lasts."""
    if simulate and port is not None:
        raise UsageError("a simulated board has its own port", where="--port", hint="leave out --simulate")
    if not simulate:
        with Device(port, folder, baud=baud, labels=labels) as device:
            yield device
        return
    clocks = Payloads.of(folder).clocks
    with SimulatedBoard(pipeline.reopen(folder, progress=progress), baud=baud) as simulated:
        simulated.settle()  # a systolic engine has its program
        pace = simulated.pace(clocks)
        with Device(simulated.port, folder, labels=labels, baud=pace.baud, timeout=pace.timeout) as device:
            yield device
