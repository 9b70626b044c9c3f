"""The chip as placed: each tile in the colour of the layer that has most of it, in runs along the rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwgen.flow.placement import KINDS
from hwgen.report.layers import Layer, colour

_BESIDE = re.compile(r"(?:width|fifo)_(\w+)_\d+")  # what stands between a layer and those that it reads
FABRIC, LINK, REST = "between the parts", "link to the host", "clock, reset, pins"
GREY = "hsl(220 8% 55%)"


@dataclass(frozen=True)
class Owner:
    """A layer or another part of the design on the map. number: of the layer, 0 for what is none.

    counts: cells by kind. full, sparse: SVG paths along the middle of tiles that it has at least, or less
    than, half of. blocks: (x, y, kind) of multipliers and memories. label: where its number is written.
    """

    name: str
    number: int
    colour: str
    counts: Counter[str] = field(default_factory=Counter)
    full: str = ""
    sparse: str = ""
    blocks: tuple[tuple[int, int, str], ...] = ()
    label: tuple[float, float] | None = None


@dataclass(frozen=True)
class Map:
    """width, height: of the die in tiles. used: tiles with something in them. window: x, y, width, height of
    the part of the die that is shown: all of it, or where the design is if that is less than half."""

    width: int
    height: int
    owners: list[Owner]
    used: int
    window: tuple[int, int, int, int]

    @property
    def whole(self) -> bool:
        """Whether all of the die is shown."""
        return self.window == (0, 0, self.width, self.height)


def device_map(placement: Mapping[str, Any], layers: Sequence[Layer], *, shared: bool) -> Map | None:
    """The map; None where nothing was placed. shared: layers take turns, the parts are the array's own."""
    parts = placement.get("parts")
    if not parts or placement.get("kinds") != list(KINDS):
        return None
    width, height = placement["width"], placement["height"]
    capacity = 8 if placement.get("up") else 16  # a tile's logic cells: LUTs, on ECP5 flip-flops beside them
    names = {} if shared else {layer.unit: layer for layer in layers if layer.unit}
    tiles: dict[tuple[int, int], Counter[str]] = {}
    counts: dict[str, Counter[str]] = {}
    blocks: dict[str, list[tuple[int, int, str]]] = {}
    for part, rows in parts.items():
        owner = owner_of(part, names, shared)
        for x, y, *numbers in rows:
            cells = dict(zip(KINDS, numbers))
            y = height - 1 - y if placement.get("up") else y
            counts.setdefault(owner, Counter()).update(cells)
            if logic := cells["lut4"] + cells["ff"]:
                tiles.setdefault((x, y), Counter())[owner] += logic
            for kind in ("dsp", "bram", "spram"):
                if cells[kind]:
                    blocks.setdefault(owner, []).append((x, y, kind))
    runs: dict[tuple[str, bool], list[tuple[int, int]]] = {}
    for tile, owners in sorted(tiles.items(), key=lambda item: (item[0][1], item[0][0])):
        best = max(owners, key=lambda name: (owners[name], name))
        runs.setdefault((best, 2 * owners.total() >= capacity), []).append(tile)
    others = iter(range(len(layers) + 1, len(layers) + 1 + len(counts)))
    found = []
    for owner in sorted(counts, key=lambda name: (names[name].number if name in names else 1 << 30, name)):
        layer = names.get(owner)
        mine = [*runs.get((owner, True), []), *runs.get((owner, False), [])]
        found.append(
            Owner(
                name=layer.name if layer else owner.replace("_", " "),
                number=layer.number if layer else 0,
                colour=layer.colour
                if layer
                else GREY
                if owner in (FABRIC, LINK, REST)
                else colour(next(others)),
                counts=+counts[owner],
                full=_strokes(runs.get((owner, True), [])),
                sparse=_strokes(runs.get((owner, False), [])),
                blocks=tuple(blocks.get(owner, ())),
                label=_middle(mine) if layer and len(mine) >= 6 else None,
            )
        )
    spots = [*tiles, *((x, y) for owner in found for x, y, _ in owner.blocks)]
    return Map(width, height, found, len(tiles), _window(spots, width, height))


def owner_of(part: str, names: Mapping[str, Layer], shared: bool) -> str:
    """Who a part belongs to: a unit's name, or that of what is no layer's. shared: layers take turns."""
    head, _, unit = part.partition(".")
    if head == "core":
        beside = _BESIDE.fullmatch(unit)
        unit = beside.group(1) if beside and beside.group(1) in names else unit
        return unit if unit in names or (shared and unit) else FABRIC
    return LINK if head == "link" else REST


def _window(spots: list[tuple[int, int]], width: int, height: int) -> tuple[int, int, int, int]:
    """The part of the die that holds all spots, or the die if that is not much larger."""
    left, across = _span([x for x, _ in spots], width)
    top, down = _span([y for _, y in spots], height)
    return (0, 0, width, height) if 2 * across * down > width * height else (left, top, across, down)


def _span(values: list[int], size: int) -> tuple[int, int]:
    """First and count of what holds all values, at least a third of `size`."""
    first, count = min(values), max(values) + 1 - min(values)
    more = max(0, -(-size // 3) - count)
    return max(0, min(first - more // 2, size - count - more)), count + more


def _strokes(tiles: list[tuple[int, int]]) -> str:
    """An SVG path of horizontal runs through tiles in the order of y and x."""
    path: list[str] = []
    start = length = row = -1
    for x, y in [*tiles, (-9, -9)]:
        if y == row and x == start + length:
            length += 1
            continue
        if row >= 0:
            path.append(f"M{start} {row}.5h{length}")
        start, row, length = x, y, 1
    return "".join(path)


def _middle(tiles: list[tuple[int, int]]) -> tuple[float, float]:
    """The tile nearest to the middle of all, its middle."""
    x, y = (sum(tile[axis] for tile in tiles) / len(tiles) for axis in (0, 1))
    best = min(tiles, key=lambda tile: (tile[0] - x) ** 2 + (tile[1] - y) ** 2)
    return best[0] + 0.5, best[1] + 0.5
