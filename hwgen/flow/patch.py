"""Other contents for the block RAMs of a routed design, without placing and routing it again.

Where a design's RTLIL and another's are the same but for what `exchange` ROMs (hw/rom.py) hold, no tool has
looked at the difference: synthesis keeps such a block as it is, nextpnr copies its content into the text of
the configuration, in a section that belongs to the place of the block. So the other design's configuration is
this one's with those sections replaced, and only packing is left to do.

    ECP5   .bram_init <number>   2048 units of 9 bits; the number is the cell's WID
    iCE40  .ram_data <x> <y>     16 rows of 256 bits
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hwgen.hw.rom import EXCHANGED
from hwgen.support.errors import ToolError

TYPES = ("DP16KD", "SB_RAM40_4K")
UNITS, UNIT_BITS = 2048, 9  # of a DP16KD, two in every 20 bits of INITVALs of 320 bits
ROWS, ROW_BITS = 16, 256  # of an SB_RAM40_4K

_MODULE = re.compile(r"module \\(\S+)")
_CELL = re.compile(r"cell \\(\S+) \\(\S+)")
_INIT = re.compile(r"parameter \\(INIT(?:VAL)?_[0-9A-F]+) (\d+)'([01]+)")

Content = dict[str, int]  # a block RAM's INIT parameters


@dataclass(frozen=True)
class Source:
    """RTLIL without the contents that may be exchanged. modules: the lines of each. contents: by the block's
    hierarchical name below the top."""

    modules: dict[str, list[str]]
    contents: dict[str, Content]


def read(rtlil: str, top: str) -> Source:
    """Take RTLIL apart. top: name of the module that is the whole."""
    modules: dict[str, list[str]] = {}
    cells: dict[str, list[tuple[str, str]]] = {}
    found: dict[tuple[str, str], Content] = {}
    module, block = "", None
    for line in rtlil.splitlines():
        text = line.strip()
        if text.startswith("module ") and (match := _MODULE.match(text)):
            module = match[1]
        elif text.startswith("cell \\") and (match := _CELL.match(text)):
            kind, name = match.groups()
            cells.setdefault(module, []).append((kind, name))
            block = None
            if kind in TYPES and name.startswith(f"{EXCHANGED}_"):
                block = found.setdefault((module, name), {})
        elif block is not None and text.startswith("parameter \\INIT") and (match := _INIT.match(text)):
            block[match[1]] = int(match[3], 2)
            continue
        modules.setdefault(module, []).append(text)

    def walk(module: str, path: str) -> Iterator[tuple[str, Content]]:
        for kind, name in cells.get(module, []):
            if (module, name) in found:
                yield path + name, found[module, name]
            elif kind in cells:
                yield from walk(kind, f"{path}{name}.")

    return Source(modules, dict(walk(top, "")))


def difference(old: Source, new: Source) -> str | None:
    """The deepest module in which they differ in more than contents; None if in none."""
    names = [
        name for name in {**old.modules, **new.modules} if old.modules.get(name) != new.modules.get(name)
    ]
    return max(names, key=lambda name: name.count("."), default=None)


def sections(placement: Path) -> dict[str, str]:
    """Where the configuration has each block, from placement.json; ToolError if that does not tell."""
    try:
        found: dict[str, str] = json.loads(placement.read_text())["exchanged"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ToolError(
            "does not tell where block RAMs are", where=str(placement), hint="build again"
        ) from error
    return found


def filled(config: str, sections: Mapping[str, str], old: Source, new: Source) -> str:
    """nextpnr's configuration of the design `old` with the contents of `new`.

    sections: where it has each block. ToolError where the configuration does
    not hold what `old` says, so that nothing is ever written to a wrong place.
    """
    missing = sorted(set(new.contents) - set(sections))
    if missing:
        raise ToolError(f"nothing is known of the place of {missing[0]}", where="patch", hint="build again")
    wanted = {sections[name]: (old.contents[name], content) for name, content in new.contents.items()}
    result, lines, at = [], config.splitlines(), 0
    while at < len(lines):
        header = lines[at]
        result.append(header)
        at += 1
        if header in wanted:
            end = at
            while end < len(lines) and lines[end] and not lines[end].startswith("."):
                end += 1
            before, after = wanted.pop(header)
            if [line.strip() for line in lines[at:end]] != section(header, before):
                raise ToolError(f"{header} is not what was built", where="patch", hint="build again")
            result += section(header, after)
            at = end
    if wanted:
        raise ToolError(f"the configuration has no {min(wanted)}", where="patch", hint="build again")
    return "\n".join(result) + "\n"


def section(header: str, content: Content) -> list[str]:
    """The lines of a section that holds `content`."""
    return _units(content) if header.startswith(".bram_init") else _rows(content)


def _units(content: Content) -> list[str]:
    units = []
    for at in range(UNITS):
        row = content.get(f"INITVAL_{at // 32:02X}", 0)
        units.append(row >> (at % 32 // 2 * 20 + at % 2 * UNIT_BITS) & ((1 << UNIT_BITS) - 1))
    return [" ".join(f"{unit:03x}" for unit in units[at : at + 8]) for at in range(0, UNITS, 8)]


def _rows(content: Content) -> list[str]:
    return [f"{content.get(f'INIT_{row:X}', 0):0{ROW_BITS // 4}x}" for row in range(ROWS)]
