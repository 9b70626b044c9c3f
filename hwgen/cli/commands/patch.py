"""hwgen patch: retrained weights into a finished design."""

from __future__ import annotations

from pathlib import Path

import click

from hwgen.cli.options import FOLDER, JSON, show
from hwgen.patch import patch
from hwgen.support.progress import Console, silent


@click.command("patch")
@FOLDER
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--verify", is_flag=True, help="Simulate the patched design, for a new certificate.")
@click.option("--samples", type=int, default=4, show_default=True, help="Random inputs to verify with.")
@JSON
def command(folder: Path, model: Path, verify: bool, samples: int, as_json: bool) -> None:
    """Put MODEL, of the same architecture, into the bitstream (or the flash image) in FOLDER."""
    console = Console()
    result = patch(folder, model, verify=samples if verify else None, progress=silent if as_json else console)
    if not as_json:
        console.done()
    facts, exact = result["patch"], result["exact"]
    what = (
        f"{facts['changed']} of {facts['blocks']} block RAMs changed"
        if facts["blocks"]
        else f"an image of {facts['image_bytes']:,} bytes"
    )
    proof = (
        f"exact: {exact['samples']} inputs, {exact['integers']:,} integers compared, none differs"
        if verify
        else "not verified: give --verify for a certificate"
    )
    show(as_json, result, f"patched with {facts['model']} in {facts['seconds']} s: {what}; {proof}")
