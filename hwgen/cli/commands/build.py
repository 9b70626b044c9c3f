"""hwgen build: the bitstream."""

from __future__ import annotations

from typing import Any

import click

from hwgen import report
from hwgen.cli.options import board_options, design, finished, show


@click.command("build")
@board_options
@click.option("--seed", type=int, default=1, show_default=True, help="Of placement.")
def command(as_json: bool, seed: int, **options: Any) -> None:
    """Synthesise, place, route, pack: bitstream and report."""
    made = design(as_json, options)
    result = finished(made, made.build(seed=seed))
    show(as_json, result, report.render(result))
