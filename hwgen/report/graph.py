"""The model as a drawing: boxes in ranks from top to bottom, ranks in columns from left to right.

A box's rank is one below the lowest box that it reads. The ranks break into columns where only one tensor
crosses, so that a column's other edges stay inside it; edges that skip ranks run in lanes to its right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwgen.report.layers import INPUT, Layer

WIDTH, HEIGHT = 196, 46  # of a box
ACROSS, DOWN = 14, 20  # gaps between boxes of a rank, between ranks
LANE, MARGIN, CORNER = 12, 18, 7  # between skipping edges; around a column; radius of bends
ROWS, PAGE = 5, 1170  # ranks that a column has at least, width that a drawing should not exceed


@dataclass(frozen=True)
class Box:
    """A layer's place; number INPUT: the model's input. x, y: its upper left corner."""

    number: int
    x: float
    y: float


@dataclass(frozen=True)
class Line:
    """An edge's SVG path, from a layer to a layer; skips: whether it passes ranks by."""

    source: int
    target: int
    path: str
    skips: bool


@dataclass(frozen=True)
class Drawing:
    """width, height: of all."""

    boxes: list[Box]
    lines: list[Line]
    width: float
    height: float


def draw(layers: Sequence[Layer]) -> Drawing:
    """Boxes and edges of all layers and of the input, in as many columns as the page has room for."""
    for count in range(5, 1, -1):
        drawing = _drawing(layers, count)
        if drawing.width <= PAGE:
            return drawing
    return _drawing(layers, 1)


def _drawing(layers: Sequence[Layer], most: int) -> Drawing:
    """In at most `most` columns."""
    edges = sorted({(source, layer.number) for layer in layers for source in layer.inputs})
    ranks = {INPUT: 0}
    for layer in layers:
        ranks[layer.number] = 1 + max((ranks.get(source, 0) for source in layer.inputs), default=0)
    rows = [[n for n, rank in ranks.items() if rank == level] for level in range(max(ranks.values()) + 1)]
    places: dict[int, Box] = {}
    column_of: dict[int, int] = {}
    lanes: dict[tuple[int, int], float] = {}  # x of the lane of each edge that skips
    channels: list[float] = []  # x between a column and the next
    left, height = 0.0, 0.0
    for column, levels in enumerate(_columns(rows, edges, ranks, most)):
        members = {n for level in levels for n in rows[level]}
        widest = max(len(rows[level]) for level in levels)
        inner = widest * WIDTH + (widest - 1) * ACROSS
        for place, level in enumerate(levels):
            row = rows[level]
            indent = (inner - len(row) * WIDTH - (len(row) - 1) * ACROSS) / 2
            for position, number in enumerate(row):
                x = left + MARGIN + indent + position * (WIDTH + ACROSS)
                y = MARGIN + place * (HEIGHT + DOWN)
                places[number] = Box(number, round(x, 1), round(y, 1))
                column_of[number] = column
                height = max(height, y + HEIGHT + MARGIN)
        skipping = [
            (a, b) for a, b in edges if a in members and b in members and ranks[b] - ranks[a] > 1
        ]  # fmt: skip
        used = _lanes(skipping, ranks)
        right = left + MARGIN + inner
        for edge, lane in used.items():
            lanes[edge] = right + LANE * (lane + 1)
        right += LANE * (max(used.values(), default=-1) + 1) + MARGIN
        channels.append(right)
        left = right
    lines = []
    for a, b in edges:
        skips = (a, b) in lanes
        if skips:
            path = _around(places[a], places[b], lanes[a, b])
        elif column_of[a] != column_of[b]:
            path = _over(places[a], places[b], channels[column_of[b] - 1])
        else:
            path = _straight(places[a], places[b])
        lines.append(Line(a, b, path, skips))
    return Drawing(list(places.values()), lines, round(left, 1), round(height, 1))


def _columns(
    rows: list[list[int]], edges: list[tuple[int, int]], ranks: dict[int, int], most: int
) -> list[list[int]]:
    """Levels of each column, broken where one box alone feeds all that comes later."""
    count = min(most, -(-len(rows) // ROWS))
    wanted = -(-len(rows) // count)
    columns: list[list[int]] = [[]]
    for level in range(len(rows)):
        columns[-1].append(level)
        crossing = {a for a, b in edges if ranks[a] <= level < ranks[b]}
        alone = len(crossing) <= 1 and all(ranks[a] == level for a in crossing)
        if alone and len(columns[-1]) >= wanted and level + 1 < len(rows):
            columns.append([])
    return columns


def _lanes(edges: list[tuple[int, int]], ranks: dict[int, int]) -> dict[tuple[int, int], int]:
    """A lane for each edge, so that edges beside the same rank have different ones; short edges inside."""
    taken: list[list[tuple[int, int]]] = []
    chosen = {}
    for a, b in sorted(edges, key=lambda edge: (ranks[edge[1]] - ranks[edge[0]], edge)):
        top, bottom = ranks[a], ranks[b]
        for lane, spans in enumerate([*taken, []]):
            if all(bottom <= first or last <= top for first, last in spans):
                if lane == len(taken):
                    taken.append([])
                taken[lane].append((top, bottom))
                chosen[a, b] = lane
                break
    return chosen


def _straight(a: Box, b: Box) -> str:
    """From a's lower to b's upper edge, one rank below."""
    x0, y0, x1, y1 = a.x + WIDTH / 2, a.y + HEIGHT, b.x + WIDTH / 2, b.y
    if x0 == x1:
        return f"M{x0:g} {y0:g}V{y1 - 2:g}"
    middle = (y0 + y1) / 2
    return f"M{x0:g} {y0:g}C{x0:g} {middle:g} {x1:g} {middle:g} {x1:g} {y1 - 2:g}"


def _around(a: Box, b: Box, lane: float) -> str:
    """From a's right side down a lane to b's right side."""
    y0, y1 = a.y + HEIGHT * 0.65, b.y + HEIGHT * 0.35
    return (
        f"M{a.x + WIDTH:g} {y0:g}H{lane - CORNER:g}Q{lane:g} {y0:g} {lane:g} {y0 + CORNER:g}"
        f"V{y1 - CORNER:g}Q{lane:g} {y1:g} {lane - CORNER:g} {y1:g}H{b.x + WIDTH + 2:g}"
    )


def _over(a: Box, b: Box, channel: float) -> str:
    """From the foot of a column up between the two and into the head of the next."""
    x0, y0, x1, y1 = a.x + WIDTH / 2, a.y + HEIGHT, b.x + WIDTH / 2, b.y
    low, high, r = y0 + 10, y1 - 10, CORNER
    return (
        f"M{x0:g} {y0:g}V{low - r:g}Q{x0:g} {low:g} {x0 + r:g} {low:g}H{channel - r:g}"
        f"Q{channel:g} {low:g} {channel:g} {low - r:g}V{high + r:g}"
        f"Q{channel:g} {high:g} {channel + r:g} {high:g}H{x1 - r:g}"
        f"Q{x1:g} {high:g} {x1:g} {high + r:g}V{y1 - 2:g}"
    )
