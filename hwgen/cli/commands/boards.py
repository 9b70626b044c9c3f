"""hwgen boards: what there is to build for."""

from __future__ import annotations

import click

from hwgen.cli.options import JSON, show
from hwgen.flow import board as boards
from hwgen.support.table import table


@click.command("boards")
@JSON
def command(as_json: bool) -> None:
    """Boards and what they have."""
    rows = [boards.load(name).as_dict() for name in boards.names()]
    has = [", ".join(f"{value:,} {key}" for key, value in row["budget"].items() if value) for row in rows]
    text = "\n".join(table([(row["name"], row["title"], what) for row, what in zip(rows, has)]))
    show(as_json, rows, text)
