"""Board files: strict reading, pins equal to those of amaranth-boards."""

from __future__ import annotations

import importlib

import pytest

from hwgen.flow import board as boards
from hwgen.support import resources
from hwgen.support.errors import BoardError

GOOD = (resources.folder("boards") / "ulx3s-85f" / "board.toml").read_text()


def test_known_boards():
    assert {"ulx3s-12f", "ulx3s-25f", "ulx3s-45f", "ulx3s-85f"} <= set(boards.names())


@pytest.mark.parametrize("name", boards.names())
def test_every_board_loads(name):
    board = boards.load(name)
    assert board.name == name
    assert board.clock_hz == 25_000_000
    assert board.nextpnr_arguments[1:3] == ("--package", "CABGA381")
    ports = [port for port, _, _ in board.port_pins()]
    assert ports[:3] == ["clk", "uart_rx", "uart_tx"] and ports[-1] == "leds[7]"


def test_85f_budget():
    budget = boards.load("ulx3s-85f").budget.as_dict()
    assert budget == {"lut4": 83640, "ff": 83640, "dsp": 156, "bram": 208, "spram": 0}


@pytest.mark.parametrize("name", boards.names())
def test_pins_equal_amaranth_boards(name):
    pytest.importorskip("amaranth_boards", reason="amaranth-boards is not installed")
    board = boards.load(name)
    module, cls = board.amaranth.split(":")
    platform = getattr(importlib.import_module(module), cls)
    assert platform.device == board.device and platform.speed == board.speed
    found = {}
    for resource in platform.resources:
        for io in resource.ios:
            if hasattr(io, "names"):
                found[resource.name, resource.number, ""] = io.names
            elif hasattr(io, "ios") and hasattr(io.ios[0], "names"):
                found[resource.name, resource.number, io.name] = io.ios[0].names
    assert tuple(found["clk25", 0, ""]) == board.clock.pins
    assert tuple(found["uart", 0, end][0] for end in ("rx", "tx")) == board.uart.pins
    assert tuple(found["led", i, ""][0] for i in range(8)) == board.leds.pins


BAD_NAMES = ["nope", "", "../boards/ulx3s-85f", "ULX3S-85F", "ulx3s-85f/", "a" * 9999, "x\n", None]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_unknown_name_lists_the_known(name):
    with pytest.raises(BoardError, match=r"known boards: .*ulx3s-85f") as caught:
        boards.load(name)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("lut4 = 83640", "lut4 = -1", "budget.lut4"),
        ("lut4 = 83640", "lut4 = true", "budget.lut4"),
        ("lut4 = 83640", "lut5 = 83640", "budget.lut5"),
        ("ff = 83640", "", "budget.ff"),
        ('family = "ecp5"', 'family = "stratix"', "family"),
        ('device = "LFE5U-85F"', 'device = "LFE5U-99F"', "device"),
        ('"G2"', '"G2; SITE"', "clock.pin"),
        ("hz = 25_000_000", "hz = 25", "clock.hz"),
        ('rx = "M1"', 'rx = "L4"', "pins"),
        ('"H3"]', "3]", "leds.pins"),
        ('DRIVE = "4"', 'DRIVE = "4;"', "leds.attributes.DRIVE"),
        ('"--board"', '"; rm -rf /"', "programmer.arguments"),
        ('tool = "openFPGALoader"', 'tool = "../x y"', "programmer.tool"),
        ("[clock]", "[[clock]]", "clock"),
    ],
)
def test_bad_key_is_named(tmp_path, old, new, key):
    assert old in GOOD
    path = tmp_path / "board.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(BoardError, match=f"board.toml: key '{key}'"):
        boards.read(path, "x")


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"a = ", b"#" * 70_000])
def test_not_a_board_file(tmp_path, data):
    path = tmp_path / "board.toml"
    path.write_bytes(data)
    with pytest.raises(BoardError):
        boards.read(path, "x")
