"""CRC-16 of a byte stream, a bit a clock: bytes of a serial line are forty clocks apart or more."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.runtime.link import CRC_INITIAL, CRC_POLYNOMIAL


class CrcSignature(wiring.Signature):
    """What a user of a CRC unit drives and sees; see `Crc16`."""

    def __init__(self) -> None:
        super().__init__(
            {"clear": Out(1), "valid": Out(1), "data": Out(8), "value": In(16), "done": In(1)},
        )


class Crc16(wiring.Component):
    """The CRC unit of two users, of which one is at work at a time.

    clear: start anew (needed once at first). valid, data: take a byte, its highest bit first; data stays for
    the eight clocks that follow. value, done: the CRC so far, and whether all bytes are in it: not in the
    eight clocks after valid. second: data is the second user's.

    A frame followed by its own CRC, high byte first, ends with value 0.
    """

    def __init__(self) -> None:
        super().__init__({"users": In(CrcSignature()).array(2), "second": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        value = Signal(16)
        bit = Signal(4, init=8)  # of the byte, from the highest; 8: none
        byte, done, feedback = Signal(8), Signal(), Signal()
        m.d.comb += [
            byte.eq(self.users[0].data),
            done.eq(bit[3]),
            feedback.eq(value[15] ^ byte.bit_select(~bit[:3], 1)),
        ]
        with m.If(self.second):
            m.d.comb += byte.eq(self.users[1].data)
        with m.If(self.users[0].clear | self.users[1].clear):
            m.d.sync += value.eq(CRC_INITIAL)
        with m.Elif(~done):
            m.d.sync += value.eq(
                Cat(
                    *(
                        below ^ (feedback if CRC_POLYNOMIAL >> i & 1 else 0)
                        for i, below in enumerate([C(0, 1), *value[:15]])
                    )
                )
            )
        with m.If(self.users[0].valid | self.users[1].valid):
            m.d.sync += bit.eq(0)
        with m.Elif(~done):
            m.d.sync += bit.eq(bit + 1)
        for user in self.users:
            m.d.comb += [user.value.eq(value), user.done.eq(done)]
        return m
