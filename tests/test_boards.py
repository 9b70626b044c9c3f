"""Board files: strict reading, pins equal to those of amaranth-boards."""

from __future__ import annotations

import importlib
import re

import pytest

from hwgen.flow import board as boards
from hwgen.flow.placement import DIES
from hwgen.support import resources
from hwgen.support.errors import BoardError
from hwgen.targets import target

GOOD = (resources.folder("boards") / "ulx3s-85f" / "board.toml").read_text()


def test_known_boards():
    assert {"ulx3s-12f", "ulx3s-25f", "ulx3s-45f", "ulx3s-85f"} <= set(boards.names())
    assert {"icebreaker", "icestick", "ice40hx8k", "upduino3", "icesugar", "tinyfpga-bx"} <= set(
        boards.names()
    )
    assert {"orangecrab-25f", "orangecrab-85f", "colorlight-5a-75b", "icesugar-pro"} <= set(boards.names())
    assert {"ecpix5-45f", "ecpix5-85f", "versa-ecp5", "versa-ecp5-5g"} <= set(boards.names())


@pytest.mark.parametrize("name", boards.names())
def test_every_board_loads(name):
    board = boards.load(name)
    assert board.name == name
    assert board.family in boards.FAMILIES and target(board.family).name == board.family
    assert board.nextpnr_arguments[1] == "--package"
    ports = [port for port, _, _ in board.port_pins()]
    assert ports[:3] == ["clk", "uart_rx", "uart_tx"] and ports[-1] in (
        f"leds[{len(board.leds.pins) - 1}]",
        "leds",
    )
    assert bool(board.speed) == board.toolchain.grades
    assert board.device in DIES
    assert (boards.resources.folder("boards").parent / board.demo.model).is_file()
    assert ("adapter" in board.link) != board.link.startswith("USB, ")
    assert board.seen == "no" or re.match(r"20\d\d-\d\d-\d\d, ", board.seen)


def test_chip_selection():
    assert boards.load("ulx3s-25f").nextpnr_arguments == ("--25k", "--package", "CABGA381", "--speed", "6")
    assert boards.load("versa-ecp5").nextpnr_arguments[0] == "--um-45k"
    assert boards.load("ecpix5-85f").nextpnr_arguments == (
        "--um5g-85k", "--package", "CABGA554", "--speed", "8"
    )  # fmt: skip
    assert boards.load("icebreaker").nextpnr_arguments == ("--up5k", "--package", "sg48")
    assert boards.load("ice40hx8k").nextpnr_arguments == ("--hx8k", "--package", "ct256")


def test_pll_pad():
    """Only where the oscillator sits on the PLL's own pin does the PLL take that pin."""
    pads = {name for name in boards.names() if boards.load(name).clock_on_pll_pad}
    assert pads == {"icebreaker", "icesugar"}


def test_85f_budget():
    budget = boards.load("ulx3s-85f").budget.as_dict()
    assert budget == {"lut4": 83640, "ff": 83640, "dsp": 156, "bram": 208, "spram": 0}


def test_a_die_has_one_budget():
    """Whatever the board: the same die, the same budget; the 12F is a 25F."""
    budgets = {}
    for name in boards.names():
        board = boards.load(name)
        die = board.device.replace("UM5G", "U").replace("UM", "U").replace("12F", "25F")
        die = die.replace("LP8K", "HX8K").replace("LP1K", "HX1K")
        budgets.setdefault(die, set()).add(board.budget)
    assert all(len(found) == 1 for found in budgets.values()) and len(budgets) == 6


#: what Lattice calls a package, and nextpnr
PACKAGES = {"BG256": "CABGA256", "BG381": "CABGA381", "BG554": "CABGA554", "MG285": "CSFBGA285"}
#: boards whose LEDs amaranth-boards has the wrong way round; the board files say why
OTHER_POLARITY = {"icesugar-pro"}


@pytest.mark.parametrize("name", boards.names())
def test_pins_equal_amaranth_boards(name):
    pytest.importorskip("amaranth_boards", reason="amaranth-boards is not installed")
    board = boards.load(name)
    module, cls = board.amaranth.split(":")
    platform = getattr(importlib.import_module(module), cls)
    assert platform.device == board.device
    assert PACKAGES.get(platform.package, platform.package) == board.package
    assert getattr(platform, "speed", "") == board.speed
    found, inverted, clocks, pairs = {}, {}, {}, set()
    for resource in platform.resources:
        ends = [resource, *(io for io in resource.ios if hasattr(io, "ios"))]
        for end in ends:
            for io in end.ios:
                name = "" if end is resource else end.name
                if hasattr(io, "names"):
                    found[resource.name, resource.number, name] = io.names
                    inverted[resource.name, resource.number, name] = io.invert
                elif hasattr(io, "p"):
                    found[resource.name, resource.number, name] = io.p.names
                    pairs |= set(io.p.names)
        if resource.clock is not None:
            clocks[tuple(found[resource.name, resource.number, ""])] = resource.clock.frequency
    assert clocks[board.clock.pins] == board.clock_hz
    assert (dict(board.clock.attributes).get("IO_TYPE") == "LVDS") == (board.clock.pins[0] in pairs)
    free = {pin for connector in platform.connectors for pin in connector.mapping.values()}
    for end, pin in zip(("rx", "tx"), board.uart.pins):
        assert pin == found["uart", 0, end][0] if ("uart", 0, end) in found else pin in free
    leds = [("led", i, "") for i in range(len(board.leds.pins))]
    if leds[0] not in found:
        leds = [("rgb_led", 0, colour) for colour in "rgb"]
    if leds[0] in found and found[leds[0]][0] in board.uart.pins:  # the only LED is a pin of the serial line
        assert set(board.leds.pins) <= free
    else:
        assert tuple(found[led][0] for led in leds) == board.leds.pins
        active_low = (board.leds_active == "low") != (board.name in OTHER_POLARITY)
        assert {inverted[led] for led in leds} == {active_low}
    if board.flash is not None:
        spi = "spi_flash" if board.flash.mclk else "spi_flash_1x"
        ends = ["cs", "copi", "cipo", "wp", "hold"] + ["clk"] * (not board.flash.mclk)
        assert tuple(found[spi, 0, end][0] for end in ends) == board.flash.pins.pins
        assert ("spi_flash", 0, "clk") not in found


def test_flashes():
    """Every board of a chip that the systolic engine fits has its flash, or a reason not to have it."""
    readable = {name for name in boards.names() if boards.load(name).flash is not None}
    assert readable == {"icebreaker", "icesugar", "ulx3s-12f", "ulx3s-25f", "ulx3s-45f", "ulx3s-85f"}
    for name in readable:
        flash = boards.required_flash(boards.load(name))
        # a bitstream of the largest chip of its family, uncompressed, in front of it; an image behind
        assert (104_090 if not flash.mclk else 1_940_000) < flash.image <= flash.size - (2 << 20)
    with pytest.raises(BoardError, match=r"upduino3: has no flash .* --engine stream"):
        boards.required_flash(boards.load("upduino3"))
    pins = [row[:2] for row in boards.required_flash(boards.load("icesugar")).port_pins()]
    assert pins == [
        ("flash_cs_n", "16"),
        ("flash_io[0]", "14"),
        ("flash_io[1]", "17"),
        ("flash_io[2]", "12"),
        ("flash_io[3]", "13"),
        ("flash_clk", "15"),
    ]


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
        ('active = "high"', 'active = "on"', "leds.active"),
        ('memories = ["sram", "flash"]', 'memories = ["rom"]', "programmer.memories"),
        ('speed = "6"', "", "speed"),
        ("hz = 25_000_000", "hz = 25", "clock.hz"),
        ('rx = "M1"', 'rx = "L4"', "pins"),
        ('"H3"]', "3]", "leds.pins"),
        ('DRIVE = "4"', 'DRIVE = "4;"', "leds.attributes.DRIVE"),
        ('"--board"', '"; rm -rf /"', "programmer.arguments"),
        ('tool = "openFPGALoader"', 'tool = "../x y"', "programmer.tool"),
        ("[clock]", "[[clock]]", "clock"),
        ('cs = "R2"', 'cs = "W2"', "pins"),
        ('cs = "R2"', "", "flash.cs"),
        ('clk = "usrmclk"', 'clk = "mclk"', "flash.clk"),
        ('"Y2", "W1"]', '"Y2"]', "flash.io"),
        ('"Y2", "W1"]', '"Y2", 5]', "flash.io"),
        ("image = 4_194_304", "image = 4_194_305", "flash.image"),
        ("image = 4_194_304", "image = 16_777_216", "flash.image"),
        ("image = 4_194_304", "image = 0", "flash.image"),
        ("size = 16_777_216", "size = 16", "flash.size"),
        ('PULLMODE = "NONE"', 'PULLMODE = "NONE;"', "flash.attributes.PULLMODE"),
        ("[flash] ", "[flesh] ", "flesh"),
        ('seen = "no"', "", "seen"),
        ('seen = "no"', "seen = false", "seen"),
        ('seen = "no"', 'seen = "no"\nnote = ""', "note"),
        ('link = "USB, FT231X"', "", "uart.link"),
        ('link = "USB, FT231X"', 'link = "\\n"', "uart.link"),
        ("sdram = 32", "dram = 32", "memory.dram"),
        ("sdram = 32", "sdram = 0", "memory.sdram"),
        ("[demo] ", "[dema] ", "dema"),
        ("fps = 10_000", "fps = 0", "demo.fps"),
        ("fps = 10_000", "pfs = 1", "demo.pfs"),
        ("fps = 10_000", 'clock = "fast"', "demo.clock"),
        ("examples/lowbit/bnn.onnx", "../bnn.onnx", "demo.model"),
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
