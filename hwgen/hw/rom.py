"""Weight ROM: one word a clock, latency 2 in every form.

`bram` spreads the word over DP16KD block RAMs with their output registers; `lut` is logic between two
registers; `generic` leaves a registered memory to synthesis. `exchange` is block RAM instances whatever the
content is, none of which any tool looks into: it can be exchanged in the finished bitstream (flow/patch.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwgen.targets import RamShape, Target
from hwgen.targets.ecp5 import rom_block
from hwgen.targets.ice40 import Ice40
from hwgen.targets.ice40_ram import rom_block as ice40_rom_block

ROM_FORMS = ("bram", "lut", "generic", "exchange")
EXCHANGED = "exchanged"  # how names of the block RAMs of an `exchange` ROM begin
MAX_BANKS = 8  # deeper splits need a register after the bank multiplexer
MAX_INFERRED_BANKS = 32


@dataclass(frozen=True)
class RomLayout:
    """How a `bram` ROM is cut: `banks` of `shape.depth` words by `columns` of `shape.width` bits."""

    shape: RamShape
    banks: int
    columns: int

    @property
    def blocks(self) -> int:
        return self.banks * self.columns

    @property
    def deep(self) -> bool:
        """Whether the multiplexer between banks wants a register behind it."""
        return self.banks > MAX_BANKS

    def mux(self, width: int) -> int:
        """LUT4s between the banks."""
        return width * (self.banks - 1)


def rom_layout(width: int, depth: int, target: Target) -> RomLayout:
    """The cut with the fewest block RAMs, then the fewest banks; of inferred memories the one that is
    cheapest with its multiplexers."""
    layouts = [
        RomLayout(shape, -(-depth // shape.depth), -(-width // shape.width)) for shape in target.rom_shapes
    ]
    most = MAX_BANKS if target.instances else MAX_INFERRED_BANKS
    usable = [layout for layout in layouts if layout.banks <= most]
    if not usable:
        raise ValueError(f"a ROM of {depth} words is too deep for {target.name}")
    if not target.instances:
        return min(usable, key=lambda layout: layout.blocks * target.bram_luts + layout.mux(width))
    return min(usable, key=lambda layout: (layout.blocks, layout.banks))


def exchange_layout(width: int, depth: int, target: Target) -> RomLayout:
    """The cut of an `exchange` ROM: on iCE40 words of 16 bits only, for others are spread over the block."""
    if not isinstance(target, Ice40):
        return rom_layout(width, depth, target)
    (shape,) = (shape for shape in target.rom_shapes if shape.width == 16)
    layout = RomLayout(shape, -(-depth // shape.depth), -(-width // shape.width))
    if layout.banks > MAX_INFERRED_BANKS:
        raise ValueError(f"a ROM of {depth} words is too deep for {target.name}")
    return layout


def rom_cost(width: int, depth: int, target: Target, form: str) -> tuple[int, int]:
    """(LUT4, block RAM) estimate of a ROM of random content.

    lut: one LUT4 a bit for 16 words, 2 for each 16 words of a deeper table (ABC without wide multiplexers,
    random content; measured in tests/synth/test_mvu_cost.py). bram: the bank multiplexer only.
    """
    if form == "lut":
        return (0 if depth == 1 else width if depth <= 16 else width * depth // 8), 0
    layout = (exchange_layout if form == "exchange" else rom_layout)(width, depth, target)
    return layout.mux(width), layout.blocks


def cheapest_rom(width: int, depth: int, target: Target) -> str:
    """`lut` or `bram`, whichever takes the smaller share of the chip (a block RAM is `bram_luts` LUT4s)."""
    if depth == 1:
        return "lut"
    lut, _ = rom_cost(width, depth, target, "lut")
    mux, blocks = rom_cost(width, depth, target, "bram")
    return "lut" if lut <= mux + blocks * target.bram_luts else "bram"


class Rom(wiring.Component):
    """data(t + 2) = content[addr(t)]; a new address every clock.

    content: bits, uint8 of shape (depth, width), column 0 the lowest bit of `data`. form: "bram", "lut",
    "generic", "exchange", or "auto" for the cheapest on `target`; a target without block RAM instances turns
    "bram" into "generic". addr: 0..depth-1 (beyond: undefined data). Raises ValueError for a bad form or
    content.
    """

    latency = 2

    def __init__(self, content: np.ndarray, *, form: str = "auto", target: Target) -> None:
        self.content = np.ascontiguousarray(content, dtype=np.uint8)
        if self.content.ndim != 2 or not self.content.size or self.content.max() > 1:
            raise ValueError("ROM content must be a non-empty array of bits, (depth, width)")
        self.depth, self.width = self.content.shape
        if form == "auto":
            form = cheapest_rom(self.width, self.depth, target)
        if form not in ROM_FORMS:
            raise ValueError(f"unknown ROM form {form!r}; use one of {', '.join(ROM_FORMS)} or auto")
        self.banks = 1
        if form in ("bram", "exchange"):
            cut = exchange_layout if form == "exchange" else rom_layout
            self.banks = cut(self.width, self.depth, target).banks
        if form == "exchange" and not (target.instances or isinstance(target, Ice40)):
            form = "bram"  # a family of which nothing is known
        self.form = "generic" if form == "bram" and not target.instances else form
        self._style = {"lut": {"rom_style": "logic"}, "bram": {"rom_style": "block"}}.get(form, {})
        self.target = target
        super().__init__({"addr": In(range(self.depth)), "data": Out(self.width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.form == "exchange":
            m.d.comb += self.data.eq(self._exchanged(m))
        elif self.depth == 1:
            m.d.comb += self.data.eq(self._words()[0])
        elif self.form == "bram":
            m.d.comb += self.data.eq(self._blocks(m))
        elif self.banks > 1:
            m.d.comb += self.data.eq(self._inferred_banks(m))
        else:
            self._memory(m)
        return m

    def _words(self) -> list[int]:
        packed = np.packbits(self.content, axis=1, bitorder="little")
        return [int.from_bytes(row.tobytes(), "little") for row in packed]

    def _memory(self, m: Module) -> None:
        """Address register, table, data register: Yosys keeps `logic` out of block RAM and `block` in it."""
        m.submodules.table = table = memory.Memory(
            shape=self.width, depth=self.depth, init=self._words(), attrs=self._style
        )
        read = table.read_port()
        address = Signal.like(self.addr, reset_less=True)
        m.d.sync += address.eq(self.addr)
        m.d.comb += [read.addr.eq(address), self.data.eq(read.data)]

    def _exchanged(self, m: Module) -> Value:
        """Block RAMs of known names; an address that is always 0 stays a register."""
        if not isinstance(self.target, Ice40):
            return self._blocks(m, EXCHANGED)
        layout = exchange_layout(self.width, self.depth, self.target)
        depth, width = layout.shape.depth, layout.shape.width
        padded = np.zeros((layout.banks * depth, layout.columns * width), dtype=np.int64)
        padded[: self.depth, : self.width] = self.content
        bank_bits = (depth - 1).bit_length()
        address = Signal(bank_bits, reset_less=True)
        m.d.sync += address.eq(self.addr[:bank_bits])
        banks: list[Value] = []
        for bank in range(layout.banks):
            rows = padded[bank * depth : (bank + 1) * depth]
            columns = [
                ice40_rom_block(m, address, rows[:, at : at + width] @ (1 << np.arange(width)),
                                name=f"{EXCHANGED}_{bank}_{at // width}")
                for at in range(0, padded.shape[1], width)
            ]  # fmt: skip
            banks.append(Cat(*columns)[: self.width])
        return banks[0] if len(banks) == 1 else self._selected(m, banks, self.addr[bank_bits:])

    def _blocks(self, m: Module, name: str = "") -> Value:
        """DP16KDs; with a `name` they are called <name>_<bank>_<column>."""
        layout = rom_layout(self.width, self.depth, self.target)
        shape = layout.shape
        padded = np.zeros((layout.banks * shape.depth, layout.columns * shape.width), dtype=np.int64)
        padded[: self.depth, : self.width] = self.content
        both = shape.width == 36
        port = 18 if both else shape.width
        weights = 1 << np.arange(port)
        bank_bits = (shape.depth - 1).bit_length()
        banks = []
        for bank in range(layout.banks):
            rows = padded[bank * shape.depth : (bank + 1) * shape.depth]
            columns = []
            for start in range(0, padded.shape[1], shape.width):
                halves = [rows[:, at : at + port] @ weights for at in range(start, start + shape.width, port)]
                addr = self.addr[:bank_bits]
                place = f"{name}_{bank}_{start // shape.width}" if name else None
                columns.append(rom_block(m, addr, np.concatenate(halves), port, both=both, name=place))
            banks.append(Cat(*columns)[: self.width])
        if len(banks) == 1:
            return banks[0]
        return self._selected(m, banks, self.addr[bank_bits:])

    def _inferred_banks(self, m: Module) -> Value:
        """A memory for each bank, of a block RAM's depth: Yosys would make other blocks of a single one."""
        shape = rom_layout(self.width, self.depth, self.target).shape
        bank_bits = (shape.depth - 1).bit_length()
        words = self._words()
        address = Signal(bank_bits, reset_less=True)
        m.d.sync += address.eq(self.addr[:bank_bits])
        banks: list[Value] = []
        for at in range(0, self.depth, shape.depth):
            init = words[at : at + shape.depth]
            table = memory.Memory(shape=self.width, depth=shape.depth, init=init, attrs=self._style)
            m.submodules += table
            read = table.read_port()
            m.d.comb += read.addr.eq(address)
            banks.append(read.data)
        return self._selected(m, banks, self.addr[bank_bits:])

    def _selected(self, m: Module, banks: list[Value], select: Value) -> Value:
        """The bank's word, `select` given with the address."""
        for stage in range(self.latency):
            late = Signal.like(select, name=f"bank_{stage}", reset_less=True)
            m.d.sync += late.eq(select)
            select = late
        while len(banks) > 1:
            pairs = [Mux(select[0], b, a) for a, b in zip(banks[::2], banks[1::2])]
            banks = pairs + banks[len(pairs) * 2 :]
            select = select[1:]
        return banks[0]
