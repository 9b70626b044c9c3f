"""hwgen boards: what there is to build for, and what became of each board's demo."""

from __future__ import annotations

import click

from hwgen.cli.options import JSON, show
from hwgen.flow import board as boards
from hwgen.flow import board_list, routed


@click.command("boards")
@click.argument("name", required=False)
@JSON
def command(name: str | None, as_json: bool) -> None:
    """Boards: budget, link, memories, programmer, demo. With a NAME: all about that one."""
    routings = routed.read()
    chosen = [boards.load(each) for each in ([name] if name is not None else boards.names())]
    facts = [board_list.as_dict(board, routings.get(board.name)) for board in chosen]
    if name is not None:
        show(as_json, facts[0], board_list.details(chosen[0], routings.get(name)))
    else:
        show(as_json, facts, board_list.overview(chosen, routings))
