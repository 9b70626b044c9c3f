"""hwgen flash: the design into a board."""

from __future__ import annotations

from pathlib import Path

import click

from hwgen import pipeline
from hwgen.cli.options import FOLDER, JSON, show


@click.command("flash")
@FOLDER
@click.option("--write-flash", is_flag=True, help="Into the flash, to stay after power-off.")
@click.option("--image-only", is_flag=True, help="Only the systolic engine's program and weights.")
@JSON
def command(folder: Path, write_flash: bool, image_only: bool, as_json: bool) -> None:
    """Program the board with the bitstream of a build folder, and the systolic engine's program."""
    commands = pipeline.flash(folder, write_flash=write_flash, image_only=image_only)
    show(as_json, {"programmed": True, "commands": commands}, "programmed")
