"""Activations in banks of granules, so that a word may begin at any granule."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.ram import Ram
from hwgen.hw.systolic.spram import SinglePortRam
from hwgen.program.array import GRANULE, Array
from hwgen.targets import GENERIC, Target

GRANULE_BITS = 8 * GRANULE


class ActivationMemory(wiring.Component):
    """read_data = the `rows` bytes from granule read_address on, byte 0 lowest, `latency` clocks after read.

    Bank k of B = rows / GRANULE holds granules k, k + B, ..: the word from granule a on lies in row a // B of
    banks a mod B and above, and in row a // B + 1 of those below; what comes out is rotated by a mod B.
    read_data stays until the next read's data. Addresses count modulo the memory's size, a power of two.

    write: write_data, `columns` bytes, goes to granule write_address, a multiple of columns / GRANULE (else
    what is stored where is undefined). Contents are undefined at first.

    geometry.shared_activations: `read` and `write` are never high together, latency 1, one single port RAM a
    bank (`hold` as there: without, a write makes read_data undefined until the next read's). Otherwise any
    reads and writes, but of the same granules at once undefined data are read; latency 5: a clock to the
    banks, which lie far apart, with each one's row (a write takes one too), two in the block RAM, one back,
    one to rotate.

    Errors: ValueError for a size that is no power of two or that the banks cannot have.
    """

    def __init__(self, *, geometry: Array, target: Target = GENERIC, hold: bool = True) -> None:
        granules = geometry.activation_bytes // GRANULE
        if geometry.activation_bytes != granules * GRANULE or granules & (granules - 1):
            raise ValueError(f"activations: {geometry.activation_bytes} bytes are no power of two")
        if not 2 * geometry.banks <= granules <= 1 << 16:
            raise ValueError(f"activations: {granules} granules, not {2 * geometry.banks} to 65536")
        self.geometry, self.target, self.hold = geometry, target, hold
        self.depth = granules // geometry.banks
        self.latency = 1 if geometry.shared_activations else 5
        super().__init__(
            {
                "read": In(1),
                "read_address": In(16),
                "read_data": Out(8 * geometry.rows),
                "write": In(1),
                "write_address": In(16),
                "write_data": In(8 * geometry.columns),
            }
        )
        self._bank()  # refuses what is too deep

    def elaborate(self, platform: object) -> Module:
        m = Module()
        banks, low = self.geometry.banks, _log2(self.geometry.banks)
        if self.geometry.shared_activations:
            # one address for both: a write's banks are those from its own granule on, which stay in its row
            address = Signal(16)
            m.d.comb += address.eq(Mux(self.write, self.write_address, self.read_address))
            data = [self._read_bank(m, k, _row(address, k, low)) for k in range(banks)]
            offset = Signal(range(banks))
            with m.If(self.read):
                m.d.sync += offset.eq(self.read_address)
            m.d.comb += self.read_data.eq(_rotated(data, offset, low))
            return m
        data = [self._read_bank(m, k, _row(self.read_address, k, low)) for k in range(banks)]
        arrived: Value = self.read
        offset_now: Value = self.read_address[:low]
        for stage in range(1, self.latency):
            next_arrived = Signal(name=f"read_{stage}")
            next_offset = Signal(low, name=f"offset_{stage}", reset_less=True)
            m.d.sync += [next_arrived.eq(arrived), next_offset.eq(offset_now)]
            arrived, offset_now = next_arrived, next_offset
        held = Signal(8 * self.geometry.rows, reset_less=True)
        with m.If(arrived):
            m.d.sync += held.eq(_rotated(data, offset_now, low))
        m.d.comb += self.read_data.eq(held)
        return m

    def _bank(self) -> SinglePortRam | Ram:
        if self.geometry.shared_activations:
            return SinglePortRam(width=GRANULE_BITS, depth=self.depth, hold=self.hold, target=self.target)
        return Ram(width=GRANULE_BITS, depth=self.depth, form="block", target=self.target)

    def _written(self, bank: int) -> tuple[Value, Value]:
        """Whether a write's bytes go to this bank, and which."""
        width = self.geometry.columns // GRANULE
        low, high = _log2(width), _log2(self.geometry.banks)
        granule = self.write_data.word_select(bank % width, GRANULE_BITS)
        chosen = self.write_address[low:high] == bank // width if high > low else C(1, 1)
        return self.write & chosen, granule

    def _read_bank(self, m: Module, bank: int, row: Value) -> Value:
        """Makes a bank that reads `row`: what it reads."""
        m.submodules[f"bank_{bank}"] = ram = self._bank()
        write, granule = self._written(bank)
        if isinstance(ram, SinglePortRam):
            m.d.comb += [
                ram.read.eq(self.read),
                ram.write.eq(write),
                ram.address.eq(row),
                ram.write_data.eq(granule),
            ]
        else:
            below = _log2(self.geometry.banks)
            read_row = Signal(range(self.depth), reset_less=True)
            write_row = Signal(range(self.depth), reset_less=True)
            writes, written = Signal(), Signal(GRANULE_BITS, reset_less=True)
            m.d.sync += [
                read_row.eq(row),
                writes.eq(write),
                write_row.eq(self.write_address[below:]),
                written.eq(granule),
            ]
            m.d.comb += [
                ram.read_addr.eq(read_row),
                ram.write_en.eq(writes),
                ram.write_addr.eq(write_row),
                ram.write_data.eq(written),
            ]
            back = Signal(GRANULE_BITS, reset_less=True)
            m.d.sync += back.eq(ram.read_data)
            return back
        return ram.read_data


def _log2(value: int) -> int:
    return value.bit_length() - 1


def _row(address: Value, bank: int, low: int) -> Value:
    """Row in which a bank has the granule that belongs to the word at `address`."""
    return address[low:] + (address[:low] > bank)


def _rotated(data: list[Value], offset: Value, low: int) -> Value:
    """Granules i = bank i + offset: a power of two a level."""
    for level in range(low):
        step = 1 << level
        data = [Mux(offset[level], data[(k + step) % len(data)], here) for k, here in enumerate(data)]
    return Cat(*data)
