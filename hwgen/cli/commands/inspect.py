"""hwgen inspect: what a model file holds."""

from __future__ import annotations

from pathlib import Path

import click

from hwgen import pipeline, report
from hwgen.cli.options import JSON, MODEL, RUNTIME, show


@click.command("inspect")
@MODEL
@RUNTIME
@JSON
def command(model: Path, runtime: str | None, as_json: bool) -> None:
    """Layers, shapes, ranges, weights, MACs; everything unsupported at once."""
    facts = pipeline.load(model, runtime).inspect()
    show(as_json, facts, report.render_model(facts))
