"""Weights: words of one byte a column."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.ram import Ram
from hwgen.hw.systolic.spram import SinglePortRam
from hwgen.program.array import Array
from hwgen.targets import GENERIC, Target


class WeightMemory(wiring.Component):
    """read_data = word read_address, `latency` clocks after read; stays until the next read's data.

    Words of `columns` bytes, addresses below geometry.weight_words. Contents are undefined at first.

    geometry.shared_weights: `read` and `write` are never high together; latency 1, single port RAM (`hold` as
    there: without, a write makes read_data undefined until the next read's). Otherwise any reads and writes,
    but of one word at once undefined data are read; latency 3: the block RAM's two, and a register that
    keeps the data and can stand near the array.

    Errors: ValueError for more words than the memory can have.
    """

    def __init__(self, *, geometry: Array, target: Target = GENERIC, hold: bool = True) -> None:
        self.geometry = geometry
        self.latency = 1 if geometry.shared_weights else 3
        width, depth = 8 * geometry.columns, geometry.weight_words
        if not 2 <= depth <= 1 << 16:
            raise ValueError(f"weights: {depth} words, not 2 to 65536")
        self._ram: SinglePortRam | Ram
        if geometry.shared_weights:
            self._ram = SinglePortRam(width=width, depth=depth, hold=hold, target=target)
        else:
            self._ram = Ram(width=width, depth=depth, form="block", target=target)
        super().__init__(
            {
                "read": In(1),
                "read_address": In(16),
                "read_data": Out(width),
                "write": In(1),
                "write_address": In(16),
                "write_data": In(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ram = ram = self._ram
        m.d.comb += ram.write_data.eq(self.write_data)
        if isinstance(ram, SinglePortRam):
            m.d.comb += [
                ram.read.eq(self.read),
                ram.write.eq(self.write),
                ram.address.eq(Mux(self.write, self.write_address, self.read_address)),
                self.read_data.eq(ram.read_data),
            ]
            return m
        m.d.comb += [
            ram.read_addr.eq(self.read_address),
            ram.write_en.eq(self.write),
            ram.write_addr.eq(self.write_address),
        ]
        reading, arrived, held = Signal(), Signal(), Signal.like(self.read_data, reset_less=True)
        m.d.sync += [reading.eq(self.read), arrived.eq(reading)]
        with m.If(arrived):
            m.d.sync += held.eq(ram.read_data)
        m.d.comb += self.read_data.eq(held)
        return m
