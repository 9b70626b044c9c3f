"""What `hwgen boards` and docs/boards.md say is what board files and records say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hwgen.flow import board as boards
from hwgen.flow import board_list, routed
from hwgen.flow.board import Demo
from hwgen.flow.routed import Routing
from hwgen.support.errors import BoardError

ROOT = Path(__file__).resolve().parents[2]
DEMO = Demo("examples/digits/digits_small.tflite", 10_000, "auto")
BOARD = replace(boards.load("icebreaker"), demo=DEMO)
RECORD = Routing(
    demo=routed.demo_of(BOARD),
    chip=BOARD.nextpnr_arguments,
    date="2026-11-22",
    tools={"yosys": "0.70"},
    clock_mhz=40.5,
    fmax_mhz=41.75,
    inferences_per_second=11_718.75,
    used={"lut4": 4348, "ff": 3000, "dsp": 8, "bram": 11, "spram": 0},
)


def test_a_row() -> None:
    row = dict(zip(board_list.HEAD, board_list.cells(BOARD, RECORD), strict=True))
    assert row["board"] == "icebreaker" and row["LUT4"] == "5,280" and row["DSP"] == "8"
    assert row["link"] == "USB, FT2232H" and row["RAM"] == "-" and row["on hardware"] == "no"
    assert row["demo"] == "digits_small --fps 10000 --clock auto"
    assert (row["routed"], row["reaches"], row["inferences/s"]) == ("40.5 MHz", "41.8 MHz", "11,719")


@pytest.mark.parametrize(
    ("record", "cell", "text"),
    [
        (None, "never", "never"),
        (replace(RECORD, chip=("--hx8k",)), "changed", "its demo has changed since"),
        (replace(RECORD, demo={**RECORD.demo, "fps": 1}), "changed", "its demo has changed since"),
        (replace(RECORD, error="9 lut4 of 8"), "too large", "9 lut4 of 8"),
    ],
)
def test_what_is_not_routed_is_not_shown_as_routed(record: Routing | None, cell: str, text: str) -> None:
    assert board_list.cells(BOARD, record)[board_list.HEAD.index("routed")] == cell
    assert "40.5" not in board_list.overview([BOARD], {BOARD.name: record} if record else {})
    assert text in board_list.details(BOARD, record)
    shown = board_list.as_dict(BOARD, record)["routed"]
    assert (shown is None) == (cell in ("never", "changed"))


def test_details_say_when_and_with_what() -> None:
    text = board_list.details(BOARD, RECORD)
    assert "on 2026-11-22 with yosys 0.70: 40.5 MHz of 41.75 MHz that it reaches" in text
    assert "4,348 lut4, 3,000 ff, 8 dsp, 11 bram" in text
    assert "hwgen build examples/digits/digits_small.tflite --board icebreaker --fps 10000" in text
    assert "The clock needs the solder jumper" in board_list.details(boards.load("upduino3"), None)


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "routed.json"
    assert routed.read(file) == {}
    routed.write({"icebreaker": RECORD}, file)
    assert routed.read(file) == {"icebreaker": RECORD} and RECORD.current(BOARD)


@pytest.mark.parametrize("text", ["", "[]", '{"x": 1}', '{"x": {"chip": []}}', '{"x": {"nonsense": 1}}'])
def test_damaged_records(tmp_path: Path, text: str) -> None:
    (tmp_path / "routed.json").write_text(text)
    with pytest.raises(BoardError, match=r"routed\.json: cannot be understood"):
        routed.read(tmp_path / "routed.json")


def test_records_are_of_boards_that_exist() -> None:
    """And say what the table shows: the clock that its timing allows is not below the one it runs at."""
    for name, record in routed.read().items():
        board = boards.load(name)
        assert json.loads(json.dumps(record.tools)) and record.date > "2026"
        if not record.error:
            assert record.fmax_mhz >= record.clock_mhz > 0 and record.inferences_per_second > 0
            budget = board.budget.as_dict()
            assert all(count <= budget[key] for key, count in record.used.items())


def test_document_is_up_to_date() -> None:
    known = [boards.load(name) for name in boards.names()]
    wanted = board_list.document(known, routed.read())
    assert (ROOT / "docs" / "boards.md").read_text() == wanted, "run `python -m bench boards --document`"
