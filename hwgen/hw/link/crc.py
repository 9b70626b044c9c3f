"""CRC-16 of a byte stream, a byte a clock."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.runtime.link import CRC_INITIAL, CRC_POLYNOMIAL


def step(crc: Value, byte: Value) -> Value:
    """CRC after one more byte, its highest bit first: eight shifts of the register, as one XOR network."""
    bits = [crc[i] for i in range(16)]
    for data_bit in (byte[i] for i in reversed(range(8))):
        feedback = bits[15] ^ data_bit
        bits = [
            below ^ feedback if CRC_POLYNOMIAL >> i & 1 else below for i, below in enumerate([0, *bits[:15]])
        ]
    return Cat(*(Value.cast(bit)[0] for bit in bits))


class Crc16(wiring.Component):
    """clear: start anew (wins). valid, data: take a byte. value: CRC so far, one clock later.

    A frame followed by its own CRC, high byte first, ends with value 0.
    """

    def __init__(self) -> None:
        super().__init__({"clear": In(1), "valid": In(1), "data": In(8), "value": Out(16, init=CRC_INITIAL)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        following = Signal(16)
        m.d.comb += following.eq(step(self.value, self.data))
        with m.If(self.clear):
            m.d.sync += self.value.eq(CRC_INITIAL)
        with m.Elif(self.valid):
            m.d.sync += self.value.eq(following)
        return m
