"""hwgen simulate: a board that is not there."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from hwgen import pipeline
from hwgen.cli.options import FOLDER, JSON
from hwgen.simulation import SimulatedBoard
from hwgen.support.progress import Console, silent

_LOOK = 0.5  # seconds between looks whether the simulator still runs


@click.command("simulate")
@FOLDER
@click.option("--baud", type=float, default=None, help="Of the serial line.  [default: 8 clocks a bit]")
@JSON
def command(folder: Path, baud: float | None, as_json: bool) -> None:
    """Simulate the board of a build folder behind a pseudo-terminal, until Ctrl-C.

    What is simulated is the whole top as it is placed and routed: PLL, UART, core, flash. Any program can use
    its port as that of the real board, `hwgen run --port` first of all.
    """
    progress = silent if as_json else Console()
    board = SimulatedBoard(pipeline.reopen(folder, progress=progress), baud=baud)
    with board:
        if isinstance(progress, Console):
            progress.done()
        facts = {"port": board.port, "clock_hz": board.clock_hz, "baud": board.baud}
        told = f"{board.port}\n  hwgen run {folder} INPUT --port {board.port}\n  Ctrl-C ends it"
        click.echo(json.dumps(facts) if as_json else told)
        try:
            while True:
                time.sleep(_LOOK)
                board.check()
        except KeyboardInterrupt:
            pass
