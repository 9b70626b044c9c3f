"""Memory with one write port and one read port, in block RAM or in distributed RAM."""

from __future__ import annotations

from typing import Literal

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwgen.targets import GENERIC, RamShape, Target
from hwgen.targets.ecp5_ram import ram_block

Form = Literal["auto", "block", "distributed"]

SMALL = 16  # words up to which a block RAM is never worth its while


def block_shape(width: int, depth: int, target: Target) -> RamShape:
    """The aspect ratio that needs the fewest block RAMs side by side; ValueError if none is deep enough."""
    deep = [shape for shape in target.rom_shapes if shape.depth >= depth]
    if not deep:
        raise ValueError(f"ram: {depth} words are too many for one block RAM of {target.name}")
    return min(deep, key=lambda shape: (-(-width // shape.width), -shape.width))


def block_count(width: int, depth: int, target: Target) -> int:
    """Block RAMs that a memory takes; ValueError if it is too deep for one row of instances."""
    if target.instances:
        return -(-width // block_shape(width, depth, target).width)
    return inferred_count(width, depth, target)


def inferred_count(width: int, depth: int, target: Target) -> int:
    """Block RAMs of a memory that is left to inference: any depth, side by side and one after the other."""
    return min(-(-width // shape.width) * -(-depth // shape.depth) for shape in target.rom_shapes)


def cheapest_form(width: int, depth: int, target: Target) -> Form:
    """block or distributed, whichever takes the smaller share of the chip."""
    if depth <= SMALL:
        return "distributed"
    try:
        blocks = block_count(width, depth, target)
    except ValueError:
        return "distributed"
    small = target.small_ram(width, depth).lut4
    return "distributed" if small <= blocks * target.bram_luts else "block"


class Ram(wiring.Component):
    """read_data(t + latency) = memory[read_addr(t)]; memory[write_addr] = write_data where write_en.

    depth: words, at least 2. form: "block" (latency 2) or "distributed" (latency 1); "auto" takes the
    cheaper one. The word that is written in a clock must not be read in the same clock: then read_data
    is undefined. Contents are undefined at first.

    Errors: ValueError for a bad form or a depth that no block RAM has. Cost: see `Target.small_ram` and
    `block_count`; a target without instances leaves the block RAM to inference.
    """

    def __init__(self, *, width: int, depth: int, form: Form = "auto", target: Target = GENERIC) -> None:
        if width < 1 or depth < 2:
            raise ValueError(f"ram: needs at least 2 words of at least 1 bit, not {depth} of {width}")
        if form not in ("auto", "block", "distributed"):
            raise ValueError(f"ram: form must be auto, block or distributed, not {form!r}")
        self.width = width
        self.depth = depth
        self.target = target
        self.form = cheapest_form(width, depth, target) if form == "auto" else form
        self.latency = 2 if self.form == "block" else 1
        if self.form == "block":
            block_count(width, depth, target)  # refuses what is too deep
        super().__init__(
            {
                "write_en": In(1),
                "write_addr": In(range(depth)),
                "write_data": In(width),
                "read_addr": In(range(depth)),
                "read_data": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.form == "block" and self.target.instances:
            m.d.comb += self.read_data.eq(self._blocks(m))
            return m
        # Yosys would imitate what a read of the word being written gives, were it not told that nobody cares
        m.submodules.cells = cells = memory.Memory(
            shape=self.width, depth=self.depth, init=[], attrs={"ram_style": self.form, "no_rw_check": 1}
        )
        write, read = cells.write_port(), cells.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(self.write_en),
            write.addr.eq(self.write_addr),
            write.data.eq(self.write_data),
            read.addr.eq(self.read_addr),
        ]
        data: Value = read.data
        for stage in range(self.latency):
            held = Signal(self.width, name=f"read_{stage}", reset_less=True)
            m.d.sync += held.eq(data)
            data = held
        m.d.comb += self.read_data.eq(data)
        return m

    def _blocks(self, m: Module) -> Value:
        width = block_shape(self.width, self.depth, self.target).width
        return Cat(
            *(
                ram_block(
                    m,
                    width=width,
                    write_en=self.write_en,
                    write_addr=self.write_addr,
                    write_data=self.write_data[start : start + width],
                    read_addr=self.read_addr,
                )
                for start in range(0, self.width, width)
            )
        )
