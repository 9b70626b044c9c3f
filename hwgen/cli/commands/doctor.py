"""hwgen doctor: the tools."""

from __future__ import annotations

import click

from hwgen.cli.options import JSON, show
from hwgen.flow import tools
from hwgen.support.table import table


@click.command("doctor")
@JSON
def command(as_json: bool) -> None:
    """Which tools, which versions, what is missing and how to get it."""
    rows = tools.doctor()
    found = [("ok", *(str(row[key]) for key in ("tool", "version", "path"))) for row in rows if row["found"]]
    missing = [
        ("missing", str(row["tool"]), f"needed for {row['needed_for']}: {row['how_to_get']}")
        for row in rows
        if not row["found"]
    ]
    show(as_json, rows, "\n".join([*table(found), *table(missing)]))
