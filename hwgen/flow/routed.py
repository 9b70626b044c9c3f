"""What became of each board's demo when it was last placed and routed: `boards/routed.json`.

Written by `python -m bench boards`, shown by `hwgen boards` and in docs/boards.md. A record is of the demo
and the chip as they were; `current` says whether they still are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hwgen.flow.board import Board
from hwgen.support import resources
from hwgen.support.errors import BoardError
from hwgen.support.files import write_atomic

FILE = "routed.json"


@dataclass(frozen=True)
class Routing:
    """A demo's place and route. demo: model and options; chip: nextpnr's arguments for it.

    clock_mhz: what its PLL makes; fmax_mhz: what it reaches. used: of the board's budget. tools: versions by
    name. date: YYYY-MM-DD. error: why there is no bitstream, or "".
    """

    demo: Mapping[str, Any]
    chip: tuple[str, ...]
    date: str
    tools: Mapping[str, str]
    clock_mhz: float = 0.0
    fmax_mhz: float = 0.0
    inferences_per_second: float = 0.0
    used: Mapping[str, int] = field(default_factory=dict)
    error: str = ""

    def current(self, board: Board) -> bool:
        """Whether board and demo are still those of the record."""
        return self.demo == demo_of(board) and self.chip == board.nextpnr_arguments


def demo_of(board: Board) -> dict[str, Any]:
    """The board's demo, as a record has it."""
    return {"model": board.demo.model, **board.demo.options}


def path() -> Path:
    """Where the records are."""
    return resources.folder("boards") / FILE


def read(file: Path | None = None) -> dict[str, Routing]:
    """Records by board; none where there is no file. BoardError for a file that is not one of these."""
    file = path() if file is None else file
    try:
        table = json.loads(file.read_text())
        return {name: Routing(**{**each, "chip": tuple(each["chip"])}) for name, each in table.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BoardError(
            f"cannot be understood: {error}", where=str(file), hint="run `python -m bench boards` again"
        ) from error


def write(records: Mapping[str, Routing], file: Path | None = None) -> None:
    """Write all records, sorted by board."""
    table = {name: asdict(records[name]) for name in sorted(records)}
    write_atomic(path() if file is None else file, json.dumps(table, indent=1) + "\n")
