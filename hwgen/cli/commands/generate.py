"""hwgen generate: the hardware as Verilog."""

from __future__ import annotations

from typing import Any

import click

from hwgen.cli.options import board_options, design, finished, show
from hwgen.support.errors import UsageError
from hwgen.systolic import SystolicDesign


@click.command("generate")
@board_options
@click.option("--wishbone", is_flag=True, help="The systolic engine as a Wishbone peripheral, too.")
def command(as_json: bool, wishbone: bool, **options: Any) -> None:
    """Verilog, also as an AXI4-Stream peripheral; manifest.json, a test bench, a C driver."""
    if wishbone and options["engine"] != "systolic":
        raise UsageError(
            "is for the systolic engine: the stream engine has AXI4-Stream (rtl/*_axis.v)", where="--wishbone"
        )
    made = design(as_json, options)
    result = made.generate()
    if isinstance(made, SystolicDesign) and wishbone:
        made.write_wishbone()
    show(as_json, finished(made, result), f"written to {made.folder}")
