"""Where nextpnr put every cell: read from the design that it writes, kept by tile and part.

placement.json, schema 1: ``width`` and ``height`` of the die in tiles, ``up`` (whether row 0 is the lowest),
``kinds`` (names of resources), and ``parts``: {hierarchical path, at most two names deep: [x, y, counts by
kind ...] of each tile in which it has cells, in the order of y and x}. A part "" has what belongs to no
instance, such as the PLL. ``exchanged``: {name of a block RAM whose content may be exchanged: the first line
of its section in nextpnr's configuration}.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from hwgen.hw.rom import EXCHANGED

PLACEMENT = "placement.json"
SCHEMA = 1
DEPTH = 2  # names of a path that are kept: core.<unit>
KINDS = ("lut4", "ff", "dsp", "bram", "spram", "other")

#: Columns and rows of the die: Project Trellis' devices.json, Project IceStorm's chip databases.
DIES: Mapping[str, tuple[int, int]] = {
    "LFE5U-12F": (73, 51), "LFE5U-25F": (73, 51), "LFE5U-45F": (91, 72), "LFE5U-85F": (127, 96),
    "LFE5UM-25F": (73, 51), "LFE5UM-45F": (91, 72), "LFE5UM-85F": (127, 96),
    "LFE5UM5G-25F": (73, 51), "LFE5UM5G-45F": (91, 72), "LFE5UM5G-85F": (127, 96),
    "iCE40LP1K": (14, 18), "iCE40HX1K": (14, 18), "iCE40LP8K": (34, 34), "iCE40HX8K": (34, 34),
    "iCE40UP5K": (26, 32),
}  # fmt: skip

_KIND = {
    "TRELLIS_COMB": "lut4", "TRELLIS_FF": "ff", "MULT18X18D": "dsp", "DP16KD": "bram", "ICESTORM_LC": "lut4",
    "ICESTORM_RAM": "bram", "ICESTORM_DSP": "dsp", "ICESTORM_SPRAM": "spram",
}  # fmt: skip
_BEL = re.compile(r"X(\d+)/Y(\d+)/")
_INSTANCE = re.compile(r"\w+")

Tile = tuple[int, int]


def placement(design: Mapping[str, Any], device: str) -> dict[str, Any]:
    """placement.json's content, from the parsed JSON that `nextpnr --write` leaves of a routed design."""
    found: dict[Tile, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for module in design["modules"].values():
        for name, cell in module["cells"].items():
            match = _BEL.match(cell.get("attributes", {}).get("NEXTPNR_BEL", ""))
            if match:
                tile = int(match.group(1)), int(match.group(2))
                found[tile][part_of(name)][_KIND.get(cell["type"], "other")] += 1
    for parts in found.values():
        _adopt(parts)
    width, height = DIES.get(device, (0, 0))
    tiles: dict[str, list[list[int]]] = {}
    for x, y in sorted(found, key=lambda tile: (tile[1], tile[0])):
        width, height = max(width, x + 1), max(height, y + 1)
        for part, counts in found[x, y].items():
            tiles.setdefault(part, []).append([x, y, *(counts[kind] for kind in KINDS)])
    return {
        "schema": SCHEMA,
        "device": device,
        "width": width,
        "height": height,
        "up": device.startswith("iCE40"),
        "kinds": list(KINDS),
        "parts": dict(sorted(tiles.items())),
        "exchanged": exchanged(design),
    }


def exchanged(design: Mapping[str, Any]) -> dict[str, str]:
    """Where nextpnr's configuration has the contents of `exchange` ROMs (hw/rom.py); see flow/patch.py."""
    found = {}
    for module in design["modules"].values():
        for name, cell in module["cells"].items():
            if not name.rsplit(".", 1)[-1].startswith(f"{EXCHANGED}_"):
                continue
            facts = cell.get("attributes", {})
            if "WID" in facts:
                found[name] = f".bram_init {int(facts['WID'], 2)}"
            elif match := _BEL.match(facts.get("NEXTPNR_BEL", "")):
                found[name.removesuffix("_RAM")] = f".ram_data {match[1]} {match[2]}"
    return found


def part_of(cell: str) -> str:
    """The first names of a flattened cell's path: `core.l00_conv` of `core.l00_conv.reducer.a_LUT4_Z`.

    An instance without a name of its own belongs to the one that it is in. "" for what is in no instance:
    cells of the top, and those that nextpnr adds.
    """
    if cell.startswith("$nextpnr"):
        return ""
    path = cell.removeprefix("$flatten").replace("\\", "").lstrip("$").split(".")[:-1]
    return ".".join(takewhile(_INSTANCE.fullmatch, path[:DEPTH]))


def _adopt(parts: dict[str, Counter[str]]) -> None:
    """Ends of carry chains, which nextpnr adds without a name, go to the part with most of their tile."""
    nameless = parts.get("")
    others = [part for part in parts if part]
    if nameless and others and not nameless["other"]:
        parts[max(others, key=lambda part: (parts[part].total(), part))] += parts.pop("")
