"""hwgen verify: the hardware against the golden model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from hwgen.cli.options import board_options, design, finished, show
from hwgen.support.errors import UsageError


@click.command("verify")
@board_options
@click.option("--inputs", type=click.Path(path_type=Path), default=None, help="Inputs, batch first (.npy).")
@click.option("--samples", type=int, default=None, help="How many inputs.  [default: all, or 4 random ones]")
@click.option("--stages", is_flag=True, help="Compare every layer's stream, not only the last.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of inputs and stalls.")
@click.option("--waveform", is_flag=True, help="Write a waveform around the first mismatch.")
@click.option(
    "--simulator", type=click.Choice(("verilator", "icarus")), default="verilator", show_default=True
)
def command(
    as_json: bool, inputs: Path | None, samples: int | None, stages: bool, seed: int, waveform: bool,
    simulator: str, **options: Any,
) -> None:  # fmt: skip
    """Simulate the Verilog and compare every integer with the golden model."""
    x = _read(inputs) if inputs else None
    made = design(as_json, options)
    result = made.verify(x, samples=samples, stages=stages, seed=seed, waveform=waveform, simulator=simulator)
    exact = finished(made, result)["exact"]
    show(
        as_json,
        result,
        f"exact: {exact['samples']} inputs, {exact['integers']:,} integers compared, "
        f"{exact['mismatches']} differ ({', '.join(exact['levels'])})",
    )


def _read(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(
            f"cannot be read: {error}", where=str(path), hint="give a .npy file, batch first"
        ) from error
