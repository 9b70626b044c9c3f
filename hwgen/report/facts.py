"""What only the designs know and the page shows, as plain data for report.json."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hwgen.flow.pnr import PathStep
from hwgen.ir.node import Node
from hwgen.program.instructions import Fill, Give, Load, Run, Take
from hwgen.program.timing import Spent
from hwgen.weights.code import CODES

_WORK = {Run: "run", Take: "take", Give: "give", Fill: "fill"}


def weight_facts(node: Node, product: str = "", *, stored: int = 0) -> dict[str, Any]:
    """Code of a layer's weights: of those that hold its values and serve the product form (if one is named),
    the one of the fewest bits. stored: bits that the hardware keeps of each weight, if more."""
    weights = getattr(node, "weights", None)
    if weights is None or not np.size(weights):
        return {}
    levels = tuple(int(each) for each in np.unique(weights))
    suited = [
        code
        for code in CODES.values()
        if code.holds(levels) and (not product or product in (form.name for form in code.forms))
    ]
    if not suited:
        return {"weight_levels": len(levels)}
    best = min((code(levels) for code in suited), key=lambda code: (code.bits, code.name))
    return {"weight_code": best.name, "weight_bits": max(best.bits, stored), "weight_levels": len(levels)}


def path_steps(path: Sequence[PathStep], place: Callable[[Sequence[str]], str]) -> list[dict[str, Any]]:
    """A critical path by parts of the design: {"place", "kind", "ns", "cell"} of each run of steps.

    place: the part of a cell's hierarchical name. Cells that nextpnr added belong where the path comes from.
    kind: "routing", or "logic" for what happens inside a cell.
    """
    steps: list[dict[str, Any]] = []
    for step in path:
        known = step.cell and not step.cell.startswith("$nextpnr")
        here = place(step.cell.split(".")) if known else ""
        here = here or (steps[-1]["place"] if steps else "")
        kind = "routing" if step.kind == "routing" else "logic"
        if steps and (steps[-1]["place"], steps[-1]["kind"]) == (here, kind):
            steps[-1]["ns"] = round(steps[-1]["ns"] + step.delay, 3)
            steps[-1]["cell"] = step.cell or steps[-1]["cell"]
        else:
            steps.append({"place": here, "kind": kind, "ns": round(step.delay, 3), "cell": step.cell})
    return steps


def timeline(spent: Sequence[Spent], layers: dict[int, str]) -> list[list[Any]]:
    """[what, layer, first clock, clocks] of a program's instructions that work: "run", "take", "give", "fill"
    in turn, and "load" beside them until its last word is there. layers: by instruction."""
    rows: list[list[Any]] = []
    now = 0
    for number, each in enumerate(spent):
        layer = layers.get(number, "")
        if isinstance(each.instruction, Load):
            rows.append(["load", layer, each.begins, each.ends - each.begins])
        elif type(each.instruction) in _WORK:
            what = _WORK[type(each.instruction)]
            if rows and rows[-1][:2] == [what, layer] and rows[-1][2] + rows[-1][3] == now:
                rows[-1][3] += each.clocks
            else:
                rows.append([what, layer, now, each.clocks])
        now += each.clocks
    return rows
