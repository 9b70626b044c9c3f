"""hwgen dataflow: what each dataflow of a systolic array costs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hwgen import dataflow, pipeline
from hwgen.cli.options import JSON, MODEL, RUNTIME
from hwgen.flow import board as boards


@click.command("dataflow")
@MODEL
@click.option("--board", default="icebreaker", show_default=True, help="See `hwgen boards`.")
@RUNTIME
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default=None, help="Folder for table and picture."
)
@JSON
def command(model: Path, board: str, runtime: str | None, out: Path | None, as_json: bool) -> None:
    """Cycles, accesses and energy of every dataflow on the board's systolic array."""
    result = dataflow.report(pipeline.load(model, runtime).graph, boards.load(board))
    if out:
        dataflow.write(out, result)
    click.echo(json.dumps(result, indent=2) if as_json else dataflow.render(result), nl=as_json)
