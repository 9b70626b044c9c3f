"""Pictures of time: when each layer works in an inference, and what the slowest path passes through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hwgen.report.layers import Layer

WIDTH = 1000  # units of a time axis
_LEAST = 1.2  # units that a bar has at least, to be seen
WAITING = "waiting"


@dataclass(frozen=True)
class Bar:
    """A span of clocks (or nanoseconds): x, width in units of the axis. layer: its number, or 0. label: what
    is written on it."""

    x: float
    width: float
    layer: int
    colour: str
    text: str
    kind: str = ""
    label: str = ""


@dataclass(frozen=True)
class Lane:
    """A row of bars. number: of the layer whose row it is, or 0."""

    name: str
    number: int
    bars: list[Bar]


@dataclass(frozen=True)
class Chart:
    """ticks: (text, x). mark: x of the interval between inferences, where that is within the picture."""

    lanes: list[Lane]
    ticks: list[tuple[str, float]]
    clocks: int
    mark: float | None = None


def pipeline(layers: Sequence[Layer], report: dict[str, Any]) -> Chart | None:
    """A lane a layer: from its first pixel's begin to its last pixel's end, of the first inference."""
    shown = [(each, each.begins, each.ends) for each in layers if each.begins is not None and each.ends]
    if not shown:
        return None
    end = max(last for _, _, last in shown if last is not None)
    scale, lanes = WIDTH / end, []
    for layer, begins, ends in shown:
        first, last = max(begins or 0, 0), ends or 0
        text = f"{layer.name}: from clock {first:,} to {last:,}, {layer.cycles:,} of them at work"
        bar = Bar(round(first * scale, 1), _seen((last - first) * scale), layer.number, layer.colour, text)
        lanes.append(Lane(layer.name, layer.number, [bar]))
    interval = report.get("predicted", {}).get("initiation_interval", 0)
    mark = round(interval * scale, 1) if interval < end else None
    return Chart(lanes, ticks(end, "clocks"), end, mark)


def turns(layers: Sequence[Layer], report: dict[str, Any]) -> Chart | None:
    """One lane for the array's work, one for the flash's loads, one for data in and out and fills."""
    rows = report.get("timeline")
    if not rows:
        return None
    end = max(first + clocks for _, _, first, clocks in rows)
    known = {layer.name: layer for layer in layers}
    titles = {"run": "array computes", "load": "flash loads weights", "io": "data in, out, borders"}
    lanes: dict[str, list[Bar]] = {title: [] for title in titles}
    for what, name, first, clocks in rows:
        layer = known.get(name)
        verb = f"{_VERBS.get(what, what)} for {name}" if name else _VERBS.get(what, what)
        text = f"{verb}: from clock {first:,}, {clocks:,} clocks"
        bar = Bar(
            round(first * WIDTH / end, 2),
            round(clocks * WIDTH / end, 2),
            layer.number if layer else 0,
            layer.colour if layer else "var(--muted)",
            text,
            what,
        )
        _append(lanes[what if what in lanes else "io"], bar)
    return Chart(
        [Lane(titles[key], 0, bars) for key, bars in lanes.items() if bars], ticks(end, "clocks"), end
    )


_VERBS = {"run": "RUN", "load": "LOAD", "take": "input", "give": "output", "fill": "FILL of borders"}


def _append(bars: list[Bar], bar: Bar) -> None:
    """Add a bar; one too small to be seen widens the one before it of the same layer instead."""
    last = bars[-1] if bars else None
    if last and last.layer == bar.layer and last.kind == bar.kind and bar.x - last.x - last.width < _LEAST:
        joined = round(bar.x + bar.width - last.x, 2)
        bars[-1] = Bar(last.x, joined, last.layer, last.colour, last.text, last.kind)
    else:
        bars.append(bar)


def _seen(width: float) -> float:
    return round(max(width, _LEAST), 1)


def ticks(end: float, unit: str) -> list[tuple[str, float]]:
    """Round numbers from 0 to `end`, some five of them, with their places."""
    step = next(s * 10**k for k in range(-2, 12) for s in (1, 2, 5) if s * 10**k * 6 >= end)
    count = int(end / step + 1e-9)
    texts = [f"{k * step:,.0f}" if step >= 1 else f"{k * step:g}" for k in range(count + 1)]
    texts[-1] += f" {unit}"
    return [(text, round(k * step * WIDTH / end, 1)) for k, text in enumerate(texts)]


@dataclass(frozen=True)
class SlowPath:
    """Bars of a critical path along nanoseconds; logic, routing: their sums. places: layers (number, name) or
    other parts (0, name) in the order in which it passes them."""

    bars: list[Bar]
    ticks: list[tuple[str, float]]
    logic: float
    routing: float
    total: float
    places: list[tuple[int, str]]


def slow_path(
    layers: Sequence[Layer], report: dict[str, Any], part: Callable[[str], tuple[str, str]]
) -> SlowPath | None:
    """The critical path in terms of layers; None where nothing is routed.

    part: name and colour of what is no layer, by the place that the report has for it.
    """
    steps = report.get("critical_steps")
    if not steps:
        return None
    total = sum(step["ns"] for step in steps)
    if total <= 0:
        return None
    known = {} if report.get("multipliers") else {layer.unit: layer for layer in layers}
    bars: list[Bar] = []
    places: list[tuple[int, str]] = []
    at = 0.0
    for step in steps:
        layer = known.get(step["place"])
        name, colour = (layer.name, layer.colour) if layer else part(step["place"])
        place = (layer.number if layer else 0, name)
        if not places or places[-1] != place:
            places.append(place)
        width = step["ns"] * WIDTH / total
        text = f"{step['ns']:.2f} ns {step['kind']} in {name}, to {step['cell'] or 'its end'}"
        label = str(layer.number) if layer else name
        label = label if width > 8 * len(label) + 10 else ""
        bars.append(Bar(round(at, 1), round(width, 1), place[0], colour, text, step["kind"], label))
        at += width
    sums = {kind: sum(s["ns"] for s in steps if s["kind"] == kind) for kind in ("logic", "routing")}
    return SlowPath(bars, ticks(total, "ns"), sums["logic"], sums["routing"], total, places)
