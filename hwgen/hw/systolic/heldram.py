"""Memory whose read data stay until the next read."""

from __future__ import annotations

from functools import cache

from amaranth.hdl import C, Cat, Module, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.leaf import Leaf
from hwgen.targets import GENERIC, Target
from hwgen.targets.ice40 import Ice40
from hwgen.targets.ice40_ram import DEPTH, WIDTH, ram_block


class HeldRam(wiring.Component):
    """read_data = memory[read_addr] of the last clock with `read_en`, from the next clock on.

    memory[write_addr] = write_data where `write_en`. A word must not be read in the clock in which it is
    written: read_data is then undefined. Contents, and read_data before the first read, are undefined.
    style: "block" or "distributed". On iCE40 block RAMs of 256 words as instances.
    """

    def __init__(self, *, width: int, depth: int, style: str, target: Target) -> None:
        self.width, self.depth, self.style, self.target = width, depth, style, target
        address = range(depth)
        super().__init__(
            {
                "write_en": In(1), "write_addr": In(address), "write_data": In(width),
                "read_en": In(1), "read_addr": In(address), "read_data": Out(width),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if in_blocks(self.depth, self.style, self.target):
            parts = [
                ram_block(
                    m, write_en=self.write_en, write_addr=self.write_addr,
                    write_data=self.write_data[at : at + WIDTH],
                    read_en=self.read_en, read_addr=self.read_addr,
                )
                for at in range(0, self.width, WIDTH)
            ]  # fmt: skip
            m.d.comb += self.read_data.eq(Cat(parts))
            return m
        # nobody cares what a read of the word being written gives: no logic that makes it the old one
        attributes = {"ram_style": self.style, "no_rw_check": 1}
        m.submodules.cells = cells = memory.Memory(
            shape=self.width, depth=self.depth, init=[], attrs=attributes
        )
        write, read = cells.write_port(), cells.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(self.write_en),
            write.addr.eq(self.write_addr),
            write.data.eq(self.write_data),
            read.addr.eq(self.read_addr),
        ]
        held = Signal(self.width, name="held", reset_less=True)
        with m.If(self.read_en):
            m.d.sync += held.eq(read.data)
        m.d.comb += self.read_data.eq(held)
        return m


def in_blocks(depth: int, style: str, target: Target) -> bool:
    """Whether the memory is made of instances."""
    return style == "block" and isinstance(target, Ice40) and depth <= DEPTH


@cache
def _leaf(width: int, depth: int, style: str, target: Target) -> Leaf:
    hardware, model = (
        HeldRam(width=width, depth=depth, style=style, target=family) for family in (target, GENERIC)
    )
    return Leaf(hardware, f"ram_{width}x{depth}", model=model)


def held_ram(
    m: Module,
    *,
    depth: int,
    write_en: Value,
    write_addr: Value,
    write_data: Value,
    read_addr: Value,
    read_en: Value | None = None,
    style: str = "block",
    target: Target,
) -> Value:
    """A HeldRam; its read_data. read_en: always, if left out."""
    pins = {
        "write_en": write_en, "write_addr": write_addr, "write_data": write_data,
        "read_en": C(1, 1) if read_en is None else read_en, "read_addr": read_addr,
    }  # fmt: skip
    width = len(write_data)
    result = Signal(width, name="read_data")
    if in_blocks(depth, style, target):
        m.submodules += _leaf(width, depth, style, target).instance(**pins, read_data=result)
    else:
        m.submodules += (ram := HeldRam(width=width, depth=depth, style=style, target=target))
        m.d.comb += [getattr(ram, name).eq(value) for name, value in pins.items()]
        m.d.comb += result.eq(ram.read_data)
    return result
