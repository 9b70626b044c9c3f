"""The dataflow report: what each dataflow would cost a network on an array, as tables and a picture.

Cycles, utilisation, accesses by memory level and energy of convolutions, depthwise convolutions and dense
layers; counts and their sources are in hwgen/plan/systolic/dataflow and energy.
"""

from __future__ import annotations

import html
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hwgen.engines import systolic
from hwgen.flow import templates
from hwgen.flow.board import Board
from hwgen.ir.graph import Graph
from hwgen.passes import merge_pad
from hwgen.plan.systolic.dataflow import DATAFLOWS
from hwgen.plan.systolic.energy.accesses import LEVELS
from hwgen.plan.systolic.energy.compare import compare, facts, totals
from hwgen.plan.systolic.energy.joules import PARTS
from hwgen.plan.systolic.energy.layer import layers
from hwgen.support.errors import UnsupportedError, UsageError
from hwgen.support.files import write_atomic
from hwgen.support.table import table
from hwgen.targets import target

MIXES = {"engine": "what the engine does", "best": "the best for each layer"}


def report(graph: Graph, board: Board) -> dict[str, Any]:
    """Everything as plain data, for the systolic array of the board's chip.

    UsageError for a chip without one and for a network without a layer that multiplies, UnsupportedError for
    a layer that leaves no room for one output.
    """
    array = systolic.geometry(board.budget, board.name)
    found = layers(merge_pad.run(graph))
    if not found:
        raise UsageError("no convolution and no dense layer in it", where=graph.name)
    try:
        rows = compare(found, array, systolic.latencies(array, target(board.family)))
    except ValueError as error:
        raise UnsupportedError([str(error)], where=graph.name) from error
    return {
        "model": graph.name,
        "board": board.name,
        "array": asdict(array),
        "dataflows": {name: module.WHAT for name, module in DATAFLOWS.items()} | MIXES,
        "layers": [
            {
                "name": row.layer.name,
                "kind": row.layer.kind,
                "shape": [*row.layer.out, row.layer.outputs],
                "kernel": list(row.layer.kernel),
                "channels": row.layer.channels,
                "macs": row.layer.macs,
                "engine": row.built,
                "best": row.best,
                "why": row.why,
                "uses": {name: facts(use, array) for name, use in row.uses.items()},
            }
            for row in rows
        ],
        "macs": sum(row.layer.macs for row in rows),
        "totals": {name: facts(use, array) for name, use in totals(rows).items()},
    }


def write(folder: Path, result: dict[str, Any]) -> None:
    """dataflow.json, dataflow.txt and dataflow.svg."""
    write_atomic(Path(folder) / "dataflow.json", json.dumps(result, indent=2) + "\n")
    write_atomic(Path(folder) / "dataflow.txt", render(result))
    write_atomic(Path(folder) / "dataflow.svg", picture(result))


def render(result: dict[str, Any]) -> str:
    """For a person: each layer in each dataflow, totals, accesses by level, the best mix and why."""
    array = result["array"]
    lines = [f"{result['model']} on {array['rows']}x{array['columns']} elements of {result['board']}", ""]
    lines += [f"  {name:<18} {what}" for name, what in result["dataflows"].items()]
    lines += [
        "",
        "Cycles, share of the elements in use, nJ (45 nm); * least energy times delay, + the engine's",
        "",
    ]
    names = list(DATAFLOWS)
    rows = [("layer", "", "MACs", *names)]
    for layer in result["layers"]:
        marks = {name: "*" * (name == layer["best"]) + "+" * (name == layer["engine"]) for name in names}
        cells = (f"{_cell(layer['uses'][name])} {marks[name]:<2}" for name in names)
        rows.append((layer["name"], layer["kind"], f"{layer['macs']:,}", *cells))
    whole = result["totals"]
    rows.append(("all", "", f"{result['macs']:,}", *(f"{_cell(whole[name])}   " for name in names)))
    lines += table(rows, right=range(2, 3 + len(names)))
    lines += ["", "Whole network: thousands of accesses by level, uJ by part", ""]
    head = ("", "cycles", "in use", *LEVELS, "", *(f"uJ {part}" for part in PARTS), "uJ")
    rows = [head]
    for name, use in whole.items():
        accesses = (f"{use['accesses'][level]['total'] / 1e3:,.0f}" for level in LEVELS)
        parts = (f"{use['energy_pj'][part] / 1e6:.2f}" for part in (*PARTS, "total"))
        rows.append((name, f"{use['cycles']:,}", f"{use['utilisation']:.0%}", *accesses, "", *parts))
    lines += table(rows, right=range(1, len(head)))
    lines += ["", "The best mix, against the next best", ""]
    lines += table([(layer["name"], layer["best"], layer["why"]) for layer in result["layers"]])
    return "\n".join(lines) + "\n"


def _cell(use: dict[str, Any]) -> str:
    return f"{use['cycles']:,} {use['utilisation']:>4.0%} {use['energy_pj']['total'] / 1e3:,.0f}"


HEIGHT, BAR, GAP = 260, 9, 14  # pixels: of the axis, of a bar, between layers
COLOURS = dict(zip(PARTS, ("#9aa0a6", "#4c78a8", "#72b7b2", "#f2b134", "#d1495b")))


def picture(result: dict[str, Any]) -> str:
    """SVG: picojoules a MAC by part, stacked, a bar for each dataflow of each layer and of all."""
    names = list(DATAFLOWS)
    groups = [(each["name"], each["macs"], each["uses"], each["best"]) for each in result["layers"]]
    groups.append(("all", result["macs"], result["totals"], ""))
    highest = max(
        use["energy_pj"]["total"] / macs for _, macs, uses, _ in groups for use in (uses[n] for n in names)
    )
    step = next(each for k in range(12) for each in (10**k / 2, 10**k, 10**k * 2) if highest <= 10 * each)
    top = -(-highest // step) * step
    letters = ", ".join(f"{chr(ord('a') + place)} {name}" for place, name in enumerate(names))
    drawn = [_group(place, group, names, HEIGHT / top) for place, group in enumerate(groups)]
    return templates.render(
        "bars.svg.j2",
        title=html.escape(f"{result['model']} on {result['board']}: energy by dataflow (45 nm)"),
        note=f"pJ a MAC; dots: least energy times delay; {letters}",
        width=max(560, len(groups) * (len(names) * BAR + GAP)),
        height=HEIGHT,
        ticks=[(f"{k * step:g}", HEIGHT - k * step * HEIGHT / top) for k in range(int(top / step) + 1)],
        groups=drawn,
        bar=BAR,
        colours=COLOURS,
    )


def _group(place: int, group: tuple[str, int, dict[str, Any], str], names: list[str], scale: float) -> Any:
    """Texts and bars of a layer, with rectangles (y, height, colour) from below."""
    title, macs, uses, best = group
    title = title if len(title) <= 36 else title[:35] + "…"
    left = place * (len(names) * BAR + GAP) + GAP / 2
    bars = []
    for number, name in enumerate(names):
        y, parts = float(HEIGHT), []
        for part in PARTS:
            height = uses[name]["energy_pj"][part] / macs * scale
            y -= height
            parts.append((round(y, 2), round(height, 2), COLOURS[part]))
        text = f"{title}, {name}: {uses[name]['energy_pj']['total'] / macs:.1f} pJ/MAC"
        bars.append((left + number * BAR, parts, name == best, html.escape(text), chr(ord("a") + number)))
    return {"title": html.escape(title), "middle": left + len(names) * BAR / 2, "bars": bars}
