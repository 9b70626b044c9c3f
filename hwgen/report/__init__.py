"""What came out of a build folder: `report.json` for programs, text and an HTML page for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwgen.report.data import NAME, RESOURCES, derive, read, write_json
from hwgen.report.facts import path_steps, timeline, weight_facts
from hwgen.report.text import render, render_model
from hwgen.support.files import write_atomic

__all__ = [
    "NAME", "RESOURCES", "derive", "path_steps", "read", "render", "render_model", "timeline",
    "weight_facts", "write",
]  # fmt: skip


def write(folder: Path, report: dict[str, Any]) -> None:
    """report.json and report.txt, atomically."""
    write_json(folder, report)
    write_atomic(Path(folder) / "report.txt", render(report))
