"""The roofline: what limits each layer, its multipliers or the bytes that it needs (Williams, Waterman,
Patterson, "Roofline", CACM 2009), in MACs a clock over MACs a byte, both logarithmic.

A layer's bytes are its weights, inputs and outputs, the network's its inputs and outputs; where weights are
loaded in every inference, the weights alone: what else a layer needs is on the chip.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hwgen.report.folder import Facts
from hwgen.report.layers import Layer, size_bytes
from hwgen.runtime.link import BAUD

WIDTH, HEIGHT = 760, 380  # of the plot, without its axes' texts
NEAR = 19  # pixels between points
_PORT_BYTES = {"ecp5": 4.5, "ice40": 2.0, "ice40up": 2.0}  # that a block RAM gives a clock: 36 or 16 bits
_SPRAM_BYTES = 2.0


@dataclass(frozen=True)
class Roof:
    """A limit: bytes_clock of a memory or link, or 0 for that of the multipliers, `height` MACs a clock.

    line: SVG path. x, y, angle, anchor: where its name stands.
    """

    name: str
    line: str
    x: float
    y: float
    angle: float
    kind: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Point:
    """A layer, or (number 0) the whole network. top: where its own multipliers' roof is."""

    number: int
    name: str
    colour: str
    x: float
    y: float
    top: float | None
    intensity: float
    speed: float
    peak: int


@dataclass(frozen=True)
class Roofline:
    """x_ticks, y_ticks: (text, place). link_fps: inferences a second that the link can carry.
    loads: whether weights come over a link of their own in every inference."""

    points: list[Point]
    roofs: list[Roof]
    x_ticks: list[tuple[str, float]]
    y_ticks: list[tuple[str, float]]
    link_fps: float
    baud: float
    loads: bool


class _Axis:
    """Places on a logarithmic axis from low to high."""

    def __init__(self, low: float, high: float, pixels: float) -> None:
        self.first, self.last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        self.last = max(self.last, self.first + 1)
        self.pixels = pixels

    def __call__(self, value: float) -> float:
        return (math.log10(value) - self.first) / (self.last - self.first) * self.pixels

    def ticks(self) -> list[tuple[str, float]]:
        return [(f"{10.0**k:g}", round(self(10.0**k), 1)) for k in range(self.first, self.last + 1)]


def roofline(facts: Facts, layers: Sequence[Layer], family: str) -> Roofline | None:
    """The plot; None where no layer multiplies."""
    report = facts.report
    loads = [row for row in report.get("timeline", []) if row[0] == "load"]
    moved = {
        each.number: each.weights * each.bits / 8 if loads else each.traffic for each in layers if each.macs
    }
    working = [each for each in layers if each.cycles and moved.get(each.number)]
    if not working:
        return None
    interval, clock = report["initiation_interval"], report["clock_mhz"] * 1e6
    baud = float(facts.design.get("baud", BAUD))
    across = sum(size_bytes(port["shape"], port["range"]) for port in facts.manifest.get("ports", []))
    link = baud / 10 / clock
    loaded = report.get("load_bytes_per_clock", 0) if loads else 0
    peak = report.get("multipliers") or sum(each.peak for each in layers if each.hardware)
    whole = sum(each.macs for each in working)
    outside = loaded * sum(clocks for *_, clocks in loads) or across
    limits = [("flash", loaded)] if loaded else [("UART link", link)]
    memories = {key: report["resources"].get(key, {}).get("used", 0) for key in ("bram", "spram")}
    inside = memories["bram"] * _PORT_BYTES.get(family, 2.0) + memories["spram"] * _SPRAM_BYTES
    if inside and not loads:
        limits.append(("block RAM", inside))
    places = [(each.macs / moved[each.number], each.macs_clock) for each in working]
    if outside:
        places.append((whole / outside, whole / interval))
    x = _Axis(min(p[0] for p in places) / 1.5, max(p[0] for p in places) * 1.5, WIDTH)
    y = _Axis(min(p[1] for p in places) / 2, max(peak, *(p[1] for p in places)) * 1.5, HEIGHT)

    def point(number: int, name: str, colour: str, place: tuple[float, float], top: int) -> Point:
        own = top > place[1] * 1.02 and not report.get("multipliers")
        roof = round(HEIGHT - y(top), 1) if own else None
        at = round(x(place[0]), 1), round(HEIGHT - y(place[1]), 1)
        return Point(number, name, colour, *at, roof, *place, top)

    points = [point(e.number, e.name, e.colour, at, e.peak) for e, at in zip(working, places)]
    if outside:
        points.append(point(0, "the whole network", "var(--ink)", places[-1], peak))
    points = _apart(points)
    roofs = [_flat(peak, y), *(_slope(*limit, x, y, peak) for limit in limits)]
    return Roofline(
        points,
        [roof for roof in roofs if roof],
        x.ticks(),
        [(text, round(HEIGHT - at, 1)) for text, at in y.ticks()],
        baud / 10 / across if across else 0.0,
        baud,
        bool(loads),
    )


def _apart(points: list[Point]) -> list[Point]:
    """Points that would cover each other moved to the right, side by side."""
    placed: list[Point] = []
    for point in sorted(points, key=lambda each: (each.x, each.number)):
        while any(abs(point.x - p.x) < NEAR and abs(point.y - p.y) < NEAR for p in placed):
            point = replace(point, x=round(point.x + NEAR / 4, 1))
        placed.append(point)
    return sorted(placed, key=lambda each: -each.number)


def _flat(peak: int, y: _Axis) -> Roof | None:
    at = round(HEIGHT - y(peak), 1) if peak else 0
    name = f"{peak:,} multipliers, one MAC a clock each"
    return Roof(name, f"M0 {at:g}H{WIDTH}", WIDTH - 8, at - 1, 0, "flat", "end") if peak else None


def _slope(name: str, bytes_clock: float, x: _Axis, y: _Axis, peak: int) -> Roof | None:
    """The line y = bytes_clock * x within the plot and below the multipliers; None if it is not there."""
    low = max(10.0**x.first, 10.0**y.first / bytes_clock)
    high = min(10.0**x.last, (peak or 10.0**y.last) / bytes_clock)
    if low >= high:
        return None
    x0, y0, x1, y1 = x(low), HEIGHT - y(low * bytes_clock), x(high), HEIGHT - y(high * bytes_clock)
    angle = math.degrees(math.atan2(y1 - y0, x1 - x0))
    text = f"{name}: {_short(bytes_clock)} bytes a clock"
    path = f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"
    if math.hypot(x1 - x0, y1 - y0) > 6.5 * len(text):
        return Roof(
            text, path, round((x0 + x1) / 2, 1), round((y0 + y1) / 2 - 1, 1), round(angle, 1), "slope"
        )  # fmt: skip
    if x1 < WIDTH / 2:
        return Roof(text, path, round(x1 + 6, 1), round(y1 + 22, 1), 0, "slope", "start")
    return Roof(text, path, round(x0 - 6, 1), round((y0 + y1) / 2, 1), 0, "slope", "end")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
