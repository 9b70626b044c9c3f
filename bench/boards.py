"""Every board's demo placed and routed: does it fit, at which clock, how fast; kept in boards/routed.json.

A board whose record is of its present demo is left out, so that an interrupted run goes on where it stopped.
Build folders stay in build/boards.
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

import hwgen
from hwgen.flow import board as boards
from hwgen.flow import board_list, routed, tools
from hwgen.flow.board import Board
from hwgen.support.errors import FitError, HwgenError
from hwgen.support.progress import Console

ROOT = Path(__file__).resolve().parent.parent
BUILDS = ROOT / "build" / "boards"
DOCUMENT = ROOT / "docs" / "boards.md"


def main() -> None:
    """All that is not up to date, then the table."""
    run([])


def run(words: list[str]) -> None:
    """With options; `--help` names them."""
    parser = argparse.ArgumentParser(prog="python -m bench boards", description=__doc__)
    parser.add_argument("--board", action="append", choices=boards.names(), help="only this one; repeatable")
    parser.add_argument("--again", action="store_true", help="also what is up to date")
    parser.add_argument("--document", action="store_true", help="only write docs/boards.md")
    options = parser.parse_args(words)
    if not options.document:
        for name in options.board or boards.names():
            board = boards.load(name)
            known = routed.read().get(name)
            if options.again or known is None or not known.current(board):
                try:
                    record = route(board)
                except HwgenError as error:  # no fact about the board: a tool is missing or failed
                    print(f"{name}: {error}")
                    continue
                routed.write({**routed.read(), name: record})
    everything = [boards.load(name) for name in boards.names()]
    print(board_list.overview(everything, routed.read()))
    DOCUMENT.write_text(board_list.document(everything, routed.read()))


def route(board: Board) -> routed.Routing:
    """Build the board's demo. A demo that does not fit, or misses its clock, is a record, too."""
    family = board.toolchain
    versions = {name: tools.find(name).version for name in ("yosys", family.nextpnr)}
    record = routed.Routing(
        demo=routed.demo_of(board),
        chip=board.nextpnr_arguments,
        date=datetime.date.today().isoformat(),
        tools={"hwgen": hwgen.__version__, **versions},
    )
    fields = dict(vars(record))
    try:
        console = Console()
        design = hwgen.compile(
            ROOT / board.demo.model, board.name, out=BUILDS / board.name, progress=console,
            **board.demo.options,
        )  # fmt: skip
        result = design.build()
        console.done()
    except FitError as error:
        return routed.Routing(**{**fields, "error": error.what})
    return routed.Routing(
        **{
            **fields,
            "clock_mhz": result["clock_mhz"],
            "fmax_mhz": result["fmax_mhz"],
            "inferences_per_second": result["inferences_per_second"],
            "used": {key: count["used"] for key, count in result["resources"].items()},
        }
    )
