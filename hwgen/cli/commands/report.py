"""hwgen report: what is known of a build folder."""

from __future__ import annotations

from pathlib import Path

import click

from hwgen import report
from hwgen.cli.options import FOLDER, JSON, show
from hwgen.support.errors import UsageError


@click.command("report")
@FOLDER
@JSON
def command(folder: Path, as_json: bool) -> None:
    """Print the report of a build folder."""
    result = report.read(folder)
    if not result:
        raise UsageError(
            "no report here", where=str(folder), hint="run `hwgen build` or `hwgen verify` first"
        )
    show(as_json, result, report.render(result))
