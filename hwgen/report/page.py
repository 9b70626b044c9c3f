"""The HTML page of a build folder: one file, no script, nothing from the network.

Every text that is not the template's own is escaped; a Content-Security-Policy in the page forbids anything
but its own style, so that not even a mistake here could run or load something.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from hwgen.emit.manifest import version
from hwgen.flow import board as boards
from hwgen.report import charts
from hwgen.report.data import RESOURCES
from hwgen.report.device import GREY, Map, device_map, owner_of
from hwgen.report.folder import Facts, gather
from hwgen.report.graph import HEIGHT, WIDTH, draw
from hwgen.report.layers import Layer, layers_of
from hwgen.report.roofline import roofline
from hwgen.support import resources
from hwgen.support.errors import BoardError, UsageError
from hwgen.support.files import write_atomic

PAGE = "report.html"
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_RUNGS = {"golden": "golden model", "rtl": "Verilog in simulation", "netlist": "netlist in simulation"}
_NAMES = {"lut4": "LUT4", "ff": "FF", "dsp": "DSP", "bram": "BRAM", "spram": "SPRAM"}
_MEANINGS = {
    "lut4": "look-up tables of 4 inputs: the logic",
    "ff": "flip-flops: one bit of state each",
    "dsp": "hard multipliers",
    "bram": "block RAMs",
    "spram": "large single port RAMs",
}


def write_page(folder: Path, file: Path | None = None) -> Path:
    """Write the page, into the folder if no file is named; returns its path. UsageError: no report there."""
    target = Path(folder) / PAGE if file is None else Path(file)
    write_atomic(target, page(folder))
    return target


def page(folder: Path) -> str:
    """The page of a build folder. UsageError where it has no report, or files that are not those of hwgen."""
    facts = gather(folder)
    try:
        values = _values(facts, layers_of(facts))
        return _environment().get_template("report.html.j2").render(**values)
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        jinja2.UndefinedError,
    ) as error:
        raise UsageError(
            f"its files do not fit together ({type(error).__name__}: {error})",
            where=str(folder),
            hint="run `hwgen generate` again",
        ) from error


def _values(facts: Facts, layers: list[Layer]) -> dict[str, Any]:
    report = facts.report
    title, family = _board(report["board"])
    shared = bool(report.get("multipliers"))
    device = device_map(facts.placement, layers, shared=shared)
    used = {
        key: report["resources"][key]
        for key in RESOURCES
        if report["resources"].get(key, {}).get("available")
    }
    return {
        "report": report,
        "layers": layers,
        "numbered": {layer.number: layer for layer in layers},
        "shared": shared,
        "board_title": title,
        "exact": report.get("exact", {}),
        "rungs": [_RUNGS.get(level, level) for level in report.get("exact", {}).get("levels", [])],
        "certificate": facts.certificate,
        "proofs": [_proof(level) for level in facts.certificate.get("levels", [])],
        "routed": bool(report.get("fmax_mhz")),
        "used": used,
        "sized": any(entry["used"] for entry in used.values()),
        "names": _NAMES,
        "meanings": _MEANINGS,
        "columns": [key for key in used if any(layer.resources[key] for layer in layers)],
        "others": _others(report, layers),
        "inputs": _inputs(facts.manifest),
        "graph": draw(layers),
        "box": (WIDTH, HEIGHT),
        "bottleneck": max(layers, key=lambda layer: layer.cycles),
        "measured": any(layer.stalls for layer in layers),
        "profile": facts.profile,
        "roofline": roofline(facts, layers, family),
        "chart": charts.turns(layers, report) if shared else charts.pipeline(layers, report),
        "path": charts.slow_path(layers, report, partial(_part, device)),
        "device": device,
        "version": version(),
    }


def _board(name: str) -> tuple[str, str]:
    """Title and family of a board; of one that is no longer there its name."""
    try:
        board = boards.load(name)
    except BoardError:
        return name, ""
    return board.title, board.family


def _part(device: Map | None, place: str) -> tuple[str, str]:
    """Name and colour of a part of the critical path that is no layer: those that it has on the map."""
    name = owner_of(place, {}, shared=True).replace("_", " ")
    owners = device.owners if device else []
    return name, next((owner.colour for owner in owners if owner.name == name and not owner.number), GREY)


def _inputs(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The model's inputs, as its user sees them."""
    made = {layer["output"] for layer in manifest.get("layers", [])}
    return [edge for edge in manifest.get("edges", []) if edge["tensor"] not in made]


def _others(report: dict[str, Any], layers: list[Layer]) -> list[tuple[str, dict[str, int]]]:
    """What parts that are no layer take: those that synthesis counted, and the rest of the whole."""
    names = {layer.name for layer in layers}
    regions = report.get("layer_resources", {})
    rows = [(name, used) for name, used in regions.items() if name not in names]
    if regions:
        parts = [*(layer.resources for layer in layers), *(used for _, used in rows)]
        rest = {
            key: report["resources"][key]["used"] - sum(part.get(key, 0) for part in parts)
            for key in RESOURCES
        }
        rows.append(("between them, and added by place and route", {k: max(0, v) for k, v in rest.items()}))
    return rows


def _proof(level: dict[str, Any]) -> dict[str, Any]:
    """A rung of the certificate for its table."""
    details = level.get("details", {})
    return {
        "level": " = ".join(_RUNGS.get(name, name) for name in str(level.get("level", "")).split("=")),
        "exact": bool(level.get("exact")),
        "samples": level.get("samples", 0),
        "compared": level.get("compared", 0),
        "simulator": details.get("simulator", ""),
        "cycles": details.get("cycles", 0),
        "patterns": [
            {key: run.get(key, "") for key in ("pattern", "seed", "samples", "compared", "cycles")}
            for run in details.get("patterns", [])
        ],
    }


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resources.folder("rtl_templates")),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
    )
    environment.filters |= {"count": _count, "short": _short, "percent": _percent, "ellipsis": _ellipsis}
    return environment


def _harmless(value: Any) -> Any:
    """Text without what HTML cannot hold or what turns its neighbours' direction round."""
    return _UNSAFE.sub("\ufffd", value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _count(value: float) -> str:
    """A number with commas."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}"


def _short(value: float) -> str:
    """A number of about three digits: 1.23 M."""
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if value >= unit:
            scaled = value / (1e3 if name == " k" else unit)
            return f"{scaled:.3g}{name}" if scaled < 1000 else f"{scaled:,.0f}{name}"
    return f"{value:,.0f}" if value >= 100 or isinstance(value, int) else f"{value:.3g}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%" if share >= 0.0995 or not share else f"{100 * share:.1f}%"


def _ellipsis(text: str, length: int) -> str:
    """The text, or its beginning and end around an ellipsis where it is too long."""
    tail = (length - 1) * 2 // 5
    return text if len(text) <= length else f"{text[: length - 1 - tail]}…{text[-tail:]}"
