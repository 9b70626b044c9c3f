"""Boards for people, from the same facts: the table of `hwgen boards`, one board in full, docs/boards.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from hwgen.flow.board import Board
from hwgen.flow.routed import Routing, demo_of
from hwgen.support.table import table

HEAD = (
    "board", "LUT4", "DSP", "BRAM", "link", "RAM", "programmer", "demo", "routed", "reaches", "inferences/s",
    "on hardware",
)  # fmt: skip
RIGHT = (1, 2, 3, 8, 9, 10)
_STALE = "changed"


def cells(board: Board, routing: Routing | None) -> tuple[str, ...]:
    """A row, as HEAD. routing: of the board's demo, if it was ever routed."""
    budget = board.budget
    return (
        board.name,
        f"{budget.lut4:,}",
        f"{budget.dsp}",
        f"{budget.bram}",
        board.link if board.link.startswith("USB, ") else "adapter",
        _ram(board) or "-",
        f"{board.programmer} ({', '.join(board.memories)})",
        _demo(board),
        *_speeds(board, routing),
        board.seen,
    )


def overview(boards: Sequence[Board], routings: Mapping[str, Routing]) -> str:
    """All boards, a line each."""
    rows = [HEAD, *(cells(board, routings.get(board.name)) for board in boards)]
    return "\n".join(table(rows, right=RIGHT))


def details(board: Board, routing: Routing | None) -> str:
    """One board, a fact a line."""
    width = max(len(label) for label, _ in _facts(board, routing))
    lines = [f"{label:<{width}}  {text}" for label, text in _facts(board, routing)]
    return "\n".join([board.title, *lines])


def as_dict(board: Board, routing: Routing | None) -> dict[str, Any]:
    """For `hwgen boards --json`: the board, and as `routed` its record; None where that is old or missing."""
    known = routing is not None and routing.current(board)
    record = {key: value for key, value in vars(routing).items() if key != "chip"} if known else None
    return {**board.as_dict(), "routed": record}


def document(boards: Sequence[Board], routings: Mapping[str, Routing]) -> str:
    """docs/boards.md."""
    rows = [cells(board, routings.get(board.name)) for board in boards]
    lines = [_INTRODUCTION, *_markdown(rows, HEAD, RIGHT), "", _BETWEEN]
    for board in boards:
        lines += ["", f"## {board.name}", "", f"[{board.title}]({board.url})", ""]
        facts = [(label, text) for label, text in _facts(board, routings.get(board.name)) if label != "page"]
        lines += [f"- {label}: {text}" for label, text in facts]
    return "\n".join(lines) + "\n"


def _facts(board: Board, routing: Routing | None) -> list[tuple[str, str]]:
    budget = ", ".join(f"{value:,} {key}" for key, value in board.budget.as_dict().items() if value)
    speed = f", speed grade {board.speed}" if board.speed else ""
    pins = [("clk", board.clock.pins), ("uart rx, tx", board.uart.pins), ("LEDs", board.leds.pins)]
    facts = [
        ("page", board.url),
        ("chip", f"{board.device}, {board.package}{speed}: {budget}"),
        ("oscillator", f"{board.clock_hz / 1e6:g} MHz"),
        ("link", board.link),
        ("RAM", _ram(board)),
        ("flash", _flash(board)),
        ("programmer", " ".join([board.programmer, *board.programmer_arguments])),
        ("loads into", ", ".join(board.memories)),
        ("pins", "; ".join(f"{name} {' '.join(found)}" for name, found in pins)),
        ("note", board.note),
        ("demo", command(board)),
        ("routed", _routed(board, routing)),
        ("on hardware", board.seen),
    ]
    return [(label, text) for label, text in facts if text]


def command(board: Board) -> str:
    """The demo's command line."""
    options = " ".join(f"--{name} {value}" for name, value in board.demo.options.items())
    folder = f"build/{PurePosixPath(board.demo.model).stem}-{board.name}"
    return f"hwgen build {board.demo.model} --board {board.name} {options} -o {folder}".replace("  ", " ")


def _routed(board: Board, routing: Routing | None) -> str:
    if routing is None:
        return "never"
    tools = ", ".join(f"{name} {version}" for name, version in routing.tools.items())
    when = f"on {routing.date} with {tools}"
    if not routing.current(board):
        return f"{when}, but its demo has changed since"
    if routing.error:
        return f"{when}: {routing.error}"
    used = ", ".join(f"{count:,} {name}" for name, count in routing.used.items() if count)
    return (
        f"{when}: {routing.clock_mhz:g} MHz of {routing.fmax_mhz:g} MHz that it reaches, "
        f"{routing.inferences_per_second:,.0f} inferences/s, {used}"
    )


def _speeds(board: Board, routing: Routing | None) -> tuple[str, str, str]:
    if routing is None:
        return "never", "-", "-"
    if not routing.current(board):
        return _STALE, "-", "-"
    if routing.error:
        return "too large", "-", "-"
    speed = f"{routing.inferences_per_second:,.0f}"
    return f"{routing.clock_mhz:g} MHz", f"{routing.fmax_mhz:.1f} MHz", speed


def _demo(board: Board) -> str:
    options = demo_of(board)
    name = PurePosixPath(options.pop("model")).stem
    return " ".join([name, *(f"--{key} {value}" for key, value in options.items())])


def _ram(board: Board) -> str:
    return ", ".join(f"{size} MByte {kind.upper()}" for kind, size in board.ram)


def _flash(board: Board) -> str:
    if board.flash is None:
        return ""
    return f"{board.flash.size >> 20} MByte, the systolic engine's program from {board.flash.image:#x} on"


def _markdown(rows: Sequence[Sequence[str]], head: Sequence[str], right: Sequence[int]) -> list[str]:
    rule = ["--:" if at in right else "---" for at in range(len(head))]
    return ["| " + " | ".join(row) + " |" for row in (head, rule, *rows)]


_INTRODUCTION = """# Boards

Written by `python -m bench boards --document` from `boards/*/board.toml` and `boards/routed.json`;
`hwgen boards` prints the same. "routed": the clock of the board's demo, placed and routed with the open
tools; "reaches": the clock that its timing allows; "adapter": the link wants a USB-serial adapter. "on
hardware": "no" until somebody has seen hwgen run on that board and said so.
"""
_BETWEEN = """A new board is a folder in `boards/` with a `board.toml`; nothing else names it.
`python -m bench boards --board NAME` routes its demo."""
