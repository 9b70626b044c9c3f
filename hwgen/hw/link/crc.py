"""CRC-32 of a byte stream, a bit a clock: bytes of a serial line are forty clocks apart or more."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.runtime.link import CRC_ONES, CRC_POLYNOMIAL


class CrcSignature(wiring.Signature):
    """What a user of a CRC unit drives and sees; see `Crc32`."""

    def __init__(self) -> None:
        super().__init__(
            {
                "clear": Out(1),
                "valid": Out(1),
                "data": Out(8),
                "tail": Out(1),
                "byte": In(8),
                "intact": In(1),
                "done": In(1),
            },
        )


class Crc32(wiring.Component):
    """zlib's CRC-32 for one user, or for two of which one is at work at a time (then `second`: the other).

    clear: start anew (needed once at first). valid, data: take a byte; data and tail stay for the eight
    clocks that follow. done: all bytes are taken: low in the eight clocks after valid.

    tail: the byte is one of the CRC itself. byte: the CRC's next one: the first of the four is there when all
    that it is of has been taken, the others each after one was taken with tail, whatever its data is.
    intact: the bytes that were taken with tail since clear are the CRC's.

    The tail needs no comparator: the register is shifted without its polynomial then, and the bit that leaves
    it is the one that should have come, inverted.
    """

    def __init__(self, users: int = 1) -> None:
        super().__init__({"users": In(CrcSignature()).array(users), "second": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        value = Signal(32, init=CRC_ONES)
        bit = Signal(4, init=8)  # of the byte, from the lowest; 8: none
        byte, tail, done, differs, intact = Signal(8), Signal(), Signal(), Signal(), Signal()
        first = self.users[0]
        m.d.comb += [
            byte.eq(first.data),
            tail.eq(first.tail),
            done.eq(bit[3]),
            differs.eq(value[0] ^ byte.bit_select(bit[:3], 1)),
        ]
        if len(self.users) > 1:
            with m.If(self.second):
                m.d.comb += [byte.eq(self.users[1].data), tail.eq(self.users[1].tail)]
        clear = Cat(user.clear for user in self.users).any()
        valid = Cat(user.valid for user in self.users).any()
        feedback = differs & ~tail
        with m.If(clear):
            m.d.sync += [value.eq(CRC_ONES), intact.eq(1)]
        with m.Elif(~done):
            m.d.sync += value.eq(
                Cat(
                    above ^ (feedback if CRC_POLYNOMIAL >> i & 1 else 0)
                    for i, above in enumerate([*value[1:], C(0, 1)])
                )
            )
            with m.If(tail & ~differs):
                m.d.sync += intact.eq(0)
        with m.If(valid):
            m.d.sync += bit.eq(0)
        with m.Elif(~done):
            m.d.sync += bit.eq(bit + 1)
        for user in self.users:
            m.d.comb += [user.byte.eq(~value[:8]), user.intact.eq(intact), user.done.eq(done)]
        return m
