"""hwgen report: what is known of a build folder."""

from __future__ import annotations

from pathlib import Path

import click

from hwgen import report
from hwgen.cli.options import FOLDER, JSON, show
from hwgen.report.page import PAGE, write_page
from hwgen.support.errors import UsageError


@click.command("report")
@FOLDER
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help=f"Where to write the page with pictures.  [default: {PAGE} in the folder]",
)
@JSON
def command(folder: Path, html: Path | None, as_json: bool) -> None:
    """Print the report of a build folder, and write it as a page with pictures."""
    result = report.read(folder)
    if not result:
        raise UsageError(
            "no report here", where=str(folder), hint="run `hwgen build` or `hwgen verify` first"
        )
    show(as_json, result, report.render(result))
    try:
        path = write_page(folder, html)
    except OSError as error:
        if html is not None:
            raise UsageError(f"cannot be written: {error.strerror}", where=str(html)) from error
        click.echo(f"no page: {folder / PAGE} cannot be written: {error.strerror}", err=True)
    else:
        click.echo(f"page: {path}", err=True)
