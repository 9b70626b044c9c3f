"""Board descriptions: `boards/<name>/board.toml`, read strictly.

A board says what the flow needs to know and nothing else: which chip, how much fits, where clock,
UART and LEDs are, how the UART gets to the host, how it is programmed, whether hwgen has been seen running
on it, and which example is routed for it. [flash] says where its flash is, if the FPGA can read that in quad
mode (the systolic engine's programs are there), [memory] what RAM it has, `note` what its user must know.
Those three may be left out and no other key is allowed, so that a typing error is an error.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hwgen.flow.family import FAMILIES, Family
from hwgen.support import resources
from hwgen.support.errors import BoardError
from hwgen.targets.resources import Resources

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")
_PIN = re.compile(r"[A-Z]{1,2}[0-9]{1,2}|[1-9][0-9]{0,2}")
_WORD = re.compile(r"[A-Za-z0-9_.+-]{1,64}")
_ARGUMENT = re.compile(r"[A-Za-z0-9_./:=+-]{1,128}")
_MODEL = re.compile(r"examples/([a-z0-9_]{1,64}/)+[a-z0-9_]{1,64}\.(tflite|onnx)")
_FILE_LIMIT = 64 * 1024
_MCLK = "usrmclk"  # instead of a clock pin: the configuration clock's, which only a primitive reaches
_TOP_KEYS = "title url amaranth seen family device package speed budget clock uart leds programmer demo"
_MAY_KEYS = ("note", "flash", "memory")
RAM_KINDS = ("sdram", "ddr3", "hyperram")
AUTO = "auto"  # a clock raised to what timing allows


@dataclass(frozen=True)
class PinGroup:
    """Pins that share their electrical attributes (names and values as the family's constraints have them:
    an LPF file's IOBUF, a PCF file's set_io)."""

    pins: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Flash:
    """A quad SPI flash, that of the bitstream. pins: /CS, data lines 0 to 3, and SCK where that is a pin.

    mclk: SCK is the configuration clock's pin. size: bytes. image: where the systolic engine's image begins,
    behind the bitstream.
    """

    pins: PinGroup
    mclk: bool
    size: int
    image: int

    def port_pins(self) -> list[tuple[str, str, tuple[tuple[str, str], ...]]]:
        """(port name, pin, attributes), the ports of `hw.flashpads`."""
        names = ["flash_cs_n", *(f"flash_io[{line}]" for line in range(4)), "flash_clk"]
        return [(name, pin, self.pins.attributes) for name, pin in zip(names, self.pins.pins)]


@dataclass(frozen=True)
class Demo:
    """What is routed for a board: an example's model file, and options of `hwgen build`; None: its default.

    clock: MHz, or AUTO.
    """

    model: str
    fps: float | None = None
    clock: float | str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The options that are not left to their defaults."""
        given = {"fps": self.fps, "clock": self.clock}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Board:
    """One board. `budget`: what the chip has. `uart`: (rx, tx) as the FPGA sees them. `clock`: one pin, of a
    differential pair its positive one.

    speed: "" where the family has no grades. leds_active: "high" or "low". link: how the UART gets to the
    host. memories: what the programmer can write. ram: (kind, MByte) on the board. seen: on hardware, "no" or
    a date and who. note: what its user must know, or "". flash: None where the FPGA cannot read one in quad
    mode.
    """

    name: str
    title: str
    url: str
    amaranth: str
    family: str
    device: str
    package: str
    speed: str
    budget: Resources
    clock: PinGroup
    clock_hz: int
    uart: PinGroup
    leds: PinGroup
    leds_active: str
    programmer: str
    programmer_arguments: tuple[str, ...]
    memories: tuple[str, ...]
    link: str
    seen: str
    demo: Demo
    ram: tuple[tuple[str, int], ...] = ()
    note: str = ""
    flash: Flash | None = None

    @property
    def toolchain(self) -> Family:
        """How designs for its chip are made."""
        return FAMILIES[self.family]

    @property
    def nextpnr_arguments(self) -> tuple[str, ...]:
        """Chip selection for nextpnr."""
        return self.toolchain.chip(self.device, self.package, self.speed)

    @property
    def clock_on_pll_pad(self) -> bool:
        """Whether the oscillator is wired to the pin that belongs to the PLL."""
        return self.toolchain.pll_pads.get((self.device, self.package)) == self.clock.pins[0]

    def port_pins(self) -> list[tuple[str, str, tuple[tuple[str, str], ...]]]:
        """(port name, pin, attributes) of every port of `emit.board_top.BoardTop`, in order."""
        rows = [("clk", self.clock.pins[0], self.clock.attributes)]
        rows += [(f"uart_{end}", pin, self.uart.attributes) for end, pin in zip(("rx", "tx"), self.uart.pins)]
        names = [f"leds[{i}]" for i in range(len(self.leds.pins))] if len(self.leds.pins) > 1 else ["leds"]
        rows += [(name, pin, self.leds.attributes) for name, pin in zip(names, self.leds.pins)]
        return rows

    def as_dict(self) -> dict[str, Any]:
        """For `hwgen boards --json`."""
        return asdict(self)


def names() -> list[str]:
    """All boards that come with hwgen, sorted."""
    root = resources.folder("boards")
    return sorted(path.parent.name for path in root.glob("*/board.toml") if _NAME.fullmatch(path.parent.name))


def load(name: str) -> Board:
    """The board called `name`. BoardError for an unknown name (listing the known) or a bad file."""
    known = names()
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name not in known:
        raise BoardError(f"unknown board {str(name)[:80]!r}", hint=f"known boards: {', '.join(known)}")
    return read(resources.folder("boards") / name / "board.toml", name)


def read(path: Path, name: str) -> Board:
    """Read one board file. BoardError names the file and the key that is wrong."""
    try:
        data = path.read_bytes()
        if len(data) > _FILE_LIMIT:
            raise BoardError(f"larger than {_FILE_LIMIT} bytes", where=str(path))
        table = tomllib.loads(data.decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BoardError(f"cannot be read: {error}", where=str(path)) from error
    return _Reader(path).board(name, table)


def required_flash(board: Board) -> Flash:
    """The board's flash. BoardError where it has none that can be read."""
    if board.flash is None:
        raise BoardError(
            "has no flash that the FPGA can read in quad mode, where the systolic engine has its program",
            where=board.name,
            hint="take another board (`hwgen boards`), or --engine stream",
        )
    return board.flash


class _Reader:
    """Checks a parsed board file key by key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def board(self, name: str, table: dict[str, Any]) -> Board:
        family = self.one_of(table, "family", FAMILIES) if "family" in table else ""
        graded = not family or FAMILIES[family].grades
        top_keys = _TOP_KEYS if graded else _TOP_KEYS.replace(" speed", "")
        self.keys(table, "", " ".join([top_keys, *(key for key in _MAY_KEYS if key in table)]))
        clock, uart = self.table(table, "clock"), self.table(table, "uart")
        leds, programmer = self.table(table, "leds"), self.table(table, "programmer")
        self.keys(clock, "clock.", "pin hz attributes")
        self.keys(uart, "uart.", "rx tx link attributes")
        self.keys(leds, "leds.", "pins active attributes")
        self.keys(programmer, "programmer.", "tool arguments memories")
        board = Board(
            name=name,
            title=self.text(table, "title"),
            url=self.text(table, "url"),
            amaranth=self.text(table, "amaranth"),
            family=family,
            device=self.one_of(table, "device", FAMILIES[family].devices),
            package=self.word(table, "package"),
            speed=self.word(table, "speed") if graded else "",
            budget=self.budget(self.table(table, "budget")),
            clock=PinGroup((self.pin(clock.get("pin"), "clock.pin"),), self.attributes(clock, "clock")),
            clock_hz=self.integer(clock, "hz", "clock.", 1_000_000, 1_000_000_000),
            uart=PinGroup(
                tuple(self.pin(uart.get(end), f"uart.{end}") for end in ("rx", "tx")),
                self.attributes(uart, "uart"),
            ),
            leds=PinGroup(self.pins(leds.get("pins")), self.attributes(leds, "leds")),
            leds_active=self.one_of(leds, "active", {"high": 1, "low": 0}, "leds."),
            programmer=self.word(programmer, "tool", "programmer."),
            programmer_arguments=self.arguments(programmer.get("arguments")),
            memories=self.memories(programmer.get("memories")),
            link=self.text(uart, "link", "uart."),
            seen=self.text(table, "seen"),
            demo=self.demo(self.table(table, "demo")),
            ram=self.ram(self.table(table, "memory")) if "memory" in table else (),
            note=self.text(table, "note") if "note" in table else "",
            flash=self.flash(self.table(table, "flash")) if "flash" in table else None,
        )
        used = [pin for _, pin, _ in [*board.port_pins(), *(board.flash.port_pins() if board.flash else [])]]
        if len(set(used)) != len(used):
            raise self.error("pins", "a pin is used twice")
        return board

    def flash(self, table: dict[str, Any]) -> Flash:
        self.keys(table, "flash.", "cs io clk size image attributes")
        lines, clk = table["io"], table["clk"]
        if not isinstance(lines, list) or len(lines) != 4:
            raise self.error("flash.io", "should be a list of 4 pins")
        pins = [self.pin(table["cs"], "flash.cs"), *(self.pin(pin, "flash.io") for pin in lines)]
        if clk != _MCLK:
            pins.append(self.pin(clk, "flash.clk"))
        size = self.integer(table, "size", "flash.", 1 << 16, 1 << 28)
        image = self.integer(table, "image", "flash.", 1 << 16, min(size, 1 << 24) - (1 << 16))
        if image % (1 << 16):
            raise self.error("flash.image", "should be a multiple of 65536, what a flash erases at once")
        return Flash(PinGroup(tuple(pins), self.attributes(table, "flash")), clk == _MCLK, size, image)

    def demo(self, table: dict[str, Any]) -> Demo:
        may = [key for key in ("fps", "clock") if key in table]
        self.keys(table, "demo.", " ".join(["model", *may]))
        if not isinstance(table["model"], str) or not _MODEL.fullmatch(table["model"]):
            raise self.error("demo.model", "should be a model in examples/")
        clock = table.get("clock")
        if clock is not None and clock != AUTO:
            clock = self.integer(table, "clock", "demo.", 1, 400)
        fps = self.integer(table, "fps", "demo.", 1, 10_000_000) if "fps" in table else None
        return Demo(table["model"], fps, clock)

    def ram(self, table: dict[str, Any]) -> tuple[tuple[str, int], ...]:
        for key in table:
            if key not in RAM_KINDS:
                raise self.error(f"memory.{key}", f"should be one of {', '.join(RAM_KINDS)}")
        return tuple((key, self.integer(table, key, "memory.", 1, 1 << 16)) for key in table)

    def error(self, key: str, what: str) -> BoardError:
        return BoardError(f"key {key!r}: {what}", where=str(self.path))

    def keys(self, table: dict[str, Any], prefix: str, wanted: str) -> None:
        allowed = set(wanted.split())
        for key in sorted(table.keys() - allowed):
            raise self.error(prefix + key, "not a key of board.toml")
        for key in sorted(allowed - table.keys()):
            raise self.error(prefix + key, "missing")

    def table(self, table: dict[str, Any], key: str) -> dict[str, Any]:
        if not isinstance(table[key], dict):
            raise self.error(key, "should be a table")
        return table[key]

    def text(self, table: dict[str, Any], key: str, prefix: str = "") -> str:
        value = table[key]
        if not isinstance(value, str) or not 0 < len(value) <= 300 or not value.isprintable():
            raise self.error(prefix + key, "should be a line of text")
        return value

    def word(self, table: dict[str, Any], key: str, prefix: str = "") -> str:
        value = table[key]
        if not isinstance(value, str) or not _WORD.fullmatch(value):
            raise self.error(prefix + key, "should be one word of letters, digits, '_.+-'")
        return value

    def one_of(self, table: dict[str, Any], key: str, choices: Mapping[str, Any], prefix: str = "") -> str:
        value = table[key]
        if not isinstance(value, str) or value not in choices:
            raise self.error(prefix + key, f"should be one of {', '.join(sorted(choices))}")
        return value

    def integer(self, table: dict[str, Any], key: str, prefix: str, low: int, high: int) -> int:
        value = table[key]
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.error(prefix + key, f"should be an integer in {low}..{high}")
        return value

    def budget(self, table: dict[str, Any]) -> Resources:
        fields = "lut4 ff dsp bram spram"
        self.keys(table, "budget.", fields)
        return Resources(
            **{key: self.integer(table, key, "budget.", 0, 10_000_000) for key in fields.split()}
        )

    def pin(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or not _PIN.fullmatch(value):
            raise self.error(key, 'should be a pin such as "G2" or "35"')
        return value

    def pins(self, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not 1 <= len(value) <= 64:
            raise self.error("leds.pins", "should be a list of 1 to 64 pins")
        return tuple(self.pin(item, "leds.pins") for item in value)

    def memories(self, value: Any) -> tuple[str, ...]:
        """What the programmer can write, the usual one first."""
        if not isinstance(value, list) or not value or any(item not in ("sram", "flash") for item in value):
            raise self.error("programmer.memories", "should be a list of sram and flash")
        return tuple(dict.fromkeys(value))

    def attributes(self, table: dict[str, Any], name: str) -> tuple[tuple[str, str], ...]:
        value = table["attributes"]
        if not isinstance(value, dict):
            raise self.error(f"{name}.attributes", "should be a table")
        for key, item in value.items():
            if not (isinstance(item, str) and _WORD.fullmatch(key) and _WORD.fullmatch(item)):
                raise self.error(f"{name}.attributes.{key}", "names and values should be words")
        return tuple(value.items())

    def arguments(self, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) > 32:
            raise self.error("programmer.arguments", "should be a list of words")
        for item in value:
            if not isinstance(item, str) or not _ARGUMENT.fullmatch(item):
                raise self.error("programmer.arguments", f"not an argument: {item!r}")
        return tuple(value)
