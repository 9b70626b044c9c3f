"""hwgen driver: C for microcontrollers."""

from __future__ import annotations

from pathlib import Path

import click

from hwgen import pipeline
from hwgen.cli.options import FOLDER, JSON, show
from hwgen.emit.driver import write_driver


@click.command("driver")
@FOLDER
@JSON
def command(folder: Path, as_json: bool) -> None:
    """Write the C driver of a build folder (`hwgen generate` does it too): DIR/driver/*.h and *.c."""
    design = pipeline.reopen(folder)
    files = write_driver(folder, design.manifest(), design.traffic())
    show(as_json, {"files": [str(path) for path in files]}, "\n".join(map(str, files)))
