"""Memory that reads or writes in a clock, not both: the single port RAM of iCE40 UltraPlus, or inferred."""

from __future__ import annotations

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwgen.targets import GENERIC, Target
from hwgen.targets.ice40 import Ice40Up

CELL_BITS, CELL_WORDS = 16, 16_384  # of an SB_SPRAM256KA


def cells(width: int, depth: int) -> int:
    """SB_SPRAM256KA side by side that hold `depth` words of `width` bits; ValueError if it is too deep."""
    if depth > CELL_WORDS:
        raise ValueError(f"spram: {depth} words, a single port RAM holds {CELL_WORDS}")
    return -(-width // CELL_BITS)


class SinglePortRam(wiring.Component):
    """read_data(t + 1) = memory[address(t)] where read(t); memory[address] = write_data where write.

    width, depth: bits of a word, words (at least 2). read and write are never high together. Contents are
    undefined at first. read_data stays until the next read, but through a write only if `hold`: the hard
    RAM's outputs are undefined after a write (Lattice TN1314 promises nothing), and to hold them takes a
    register and a multiplexer a bit. Latency 1.

    Cost: `cells` on UltraPlus, standby and power modes off; elsewhere inferred.
    """

    latency = 1

    def __init__(self, *, width: int, depth: int, hold: bool = True, target: Target = GENERIC) -> None:
        if width < 1 or depth < 2:
            raise ValueError(f"spram: needs at least 2 words of at least 1 bit, not {depth} of {width}")
        self.hard = isinstance(target, Ice40Up)
        if self.hard:
            cells(width, depth)  # refuses what is too deep
        self.width, self.depth, self.hold = width, depth, hold
        super().__init__(
            {
                "read": In(1),
                "write": In(1),
                "address": In(range(depth)),
                "write_data": In(width),
                "read_data": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.hard:
            m.d.comb += self.read_data.eq(self._held(m, self._cells(m)))
            return m
        m.submodules.cells = storage = memory.Memory(
            shape=self.width, depth=self.depth, init=[], attrs={"no_rw_check": 1}
        )
        writing, reading = storage.write_port(), storage.read_port()
        m.d.comb += [
            writing.en.eq(self.write),
            writing.addr.eq(self.address),
            writing.data.eq(self.write_data),
            reading.en.eq(self.read),
            reading.addr.eq(self.address),
            self.read_data.eq(reading.data),
        ]
        return m

    def _cells(self, m: Module) -> Value:
        address = Cat(self.address, C(0, 14))[:14]
        result = []
        for start in range(0, self.width, CELL_BITS):
            data = self.write_data[start : start + CELL_BITS]
            out = Signal(CELL_BITS, name="spram_data")
            m.submodules += Instance(
                "SB_SPRAM256KA",
                i_CLOCK=ClockSignal(),
                i_ADDRESS=address,
                i_DATAIN=Cat(data, C(0, CELL_BITS - len(data))),
                i_MASKWREN=C(0b1111, 4),
                i_WREN=self.write,
                i_CHIPSELECT=self.read | self.write,
                i_STANDBY=C(0, 1),
                i_SLEEP=C(0, 1),
                i_POWEROFF=C(1, 1),  # low turns the memory off
                o_DATAOUT=out,
            )
            result.append(out[: len(data)])
        return Cat(*result)

    def _held(self, m: Module, fresh: Value) -> Value:
        """`fresh` in the clock after a read, then what it was."""
        if not self.hold:
            return fresh
        is_fresh, kept = Signal(), Signal(self.width, reset_less=True)
        m.d.sync += is_fresh.eq(self.read)
        with m.If(is_fresh):
            m.d.sync += kept.eq(fresh)
        return Mux(is_fresh, fresh, kept)
