"""hwgen mlperf: a board as MLPerf Tiny's device under test."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from hwgen import pipeline
from hwgen.cli.board import board, line_options
from hwgen.cli.options import FOLDER
from hwgen.mlperf.clocks import BoardClock, Clock, WallClock
from hwgen.mlperf.dut import Dut
from hwgen.mlperf.task import TASKS, Model
from hwgen.mlperf.terminal import Terminal, serve, speaker
from hwgen.runtime.serialport import SerialPort, Transport
from hwgen.support.errors import UsageError

PTY = "pty"


@click.command("mlperf")
@FOLDER
@line_options
@click.option("--listen", default=PTY, show_default=True, help="The runner's serial port, or a new pty.")
@click.option("--listen-baud", type=int, default=115_200, show_default=True, help="Of that serial port.")
@click.option("--link", type=click.Path(path_type=Path), default=None, help="Another name for the new pty.")
@click.option("--task", type=click.Choice(sorted(TASKS)), default=None, help="[default: by the input's size]")
@click.option(
    "--time", "clock", type=click.Choice(("wall", "board")), default=None,
    help="Time by this computer's clock, serial line included, or by the board's count of clocks.  "
    "[default: wall; board if it is simulated]",
)  # fmt: skip
def command(
    folder: Path, port: str | None, simulate: bool, baud: float | None, listen: str, listen_baud: int,
    link: Path | None, task: str | None, clock: str | None,
) -> None:  # fmt: skip
    """Answer the commands of EEMBC's runner (name, db load, infer, results, ...) with a board."""
    if listen != PTY and link is not None:
        raise UsageError("is for a new pty, not for --listen", where="--link")
    model = Model.read(pipeline.reopen(folder).net.path, task)
    with ExitStack() as stack:
        device = stack.enter_context(board(folder, port, simulate, baud))
        runner: Transport
        if listen == PTY:
            runner = terminal = stack.enter_context(Terminal(link))
            where = str(link or terminal.path)
        else:
            runner, where = SerialPort(listen, listen_baud), listen
            stack.callback(runner.close)
        counted = clock == "board" or (clock is None and simulate)
        time: Clock = BoardClock(device) if counted else WallClock()
        click.echo(f"{model.task.model} on {device.identity.board}: the runner's port is {where}")
        serve(Dut(f"hwgen-{device.identity.board}", model, device, time, speaker(runner)), runner)
