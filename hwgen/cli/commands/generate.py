"""hwgen generate: the hardware as Verilog."""

from __future__ import annotations

from typing import Any

import click

from hwgen.cli.options import board_options, design, finished, show


@click.command("generate")
@board_options
def command(as_json: bool, **options: Any) -> None:
    """Verilog, manifest.json and a test bench."""
    made = design(as_json, options)
    show(as_json, finished(made, made.generate()), f"written to {made.folder}")
