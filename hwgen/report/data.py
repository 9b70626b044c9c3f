"""`report.json`: what is known of a build folder, for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hwgen.support.files import write_atomic

NAME = "report.json"
RESOURCES = ("lut4", "ff", "dsp", "bram", "spram")


def read(folder: Path) -> dict[str, Any]:
    """The report in a build folder; {} where there is none yet or it cannot be read."""
    try:
        data = json.loads((Path(folder) / NAME).read_text())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def write_json(folder: Path, report: dict[str, Any]) -> None:
    """report.json, atomically."""
    write_atomic(Path(folder) / NAME, json.dumps(report, indent=2) + "\n")


def derive(report: dict[str, Any]) -> dict[str, Any]:
    """Fill in what follows from the rest: inferences per second and utilisation, whole and by layer."""
    interval = report.get("initiation_interval")
    clock = report.get("clock_mhz")
    if interval and clock:
        report["inferences_per_second"] = round(clock * 1e6 / interval, 1)
    shared = report.get("multipliers")  # of an engine whose layers take turns
    multipliers = shared or sum(layer.get("multipliers", 0) for layer in report.get("layers", []))
    if interval and multipliers:
        report["utilisation"] = round(report["macs"] / (interval * multipliers), 4)
    for layer in report.get("layers", []):
        peak = shared * layer["cycles"] if shared else layer.get("multipliers", 0) * (interval or 0)
        layer["utilisation"] = round(layer["macs"] / peak, 4) if peak else None
    return report
