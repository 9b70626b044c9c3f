"""hwgen profile: what a board spends its clocks on."""

from __future__ import annotations

from pathlib import Path

import click

from hwgen.cli.board import board, line_options
from hwgen.cli.options import FOLDER, JSON, show
from hwgen.profile import measure
from hwgen.support.progress import Console, silent


@click.command("profile")
@FOLDER
@line_options
@JSON
def command(folder: Path, port: str | None, simulate: bool, baud: float | None, as_json: bool) -> None:
    """Where the clocks of an inference go, measured on the board, beside the plan; which layer is slowest.

    The design is to be made with `hwgen build --profile`; the systolic engine needs no counters for it.
    """
    progress = silent if as_json else Console()
    with board(folder, port, simulate, baud, progress=progress) as device:
        made = measure(device, folder)
    if isinstance(progress, Console):
        progress.done()
    show(as_json, made.as_dict(), str(made))
