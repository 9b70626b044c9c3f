"""UART, 8N1: one start bit (0), eight data bits (lowest first), one stop bit (1)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from hwgen.support.errors import UsageError

MIN_DIVISOR = 4  # clocks a bit: fewer leave no middle to sample in
MAX_BAUD_ERROR = 0.02  # of a bit time; ten bits then drift by a fifth of a bit
_DATA_BITS = 8
_FRAME_BITS = _DATA_BITS + 2


def divisor(clock_hz: float, baud: float) -> int:
    """Clocks a bit, rounded. UsageError when the clock cannot make the baud rate within 2 %."""
    clocks = round(clock_hz / baud) if 0 < baud <= clock_hz else 0
    if clocks < MIN_DIVISOR or abs(clock_hz / (clocks * baud) - 1) > MAX_BAUD_ERROR:
        raise UsageError(f"{baud:g} baud cannot be made from {clock_hz / 1e6:g} MHz", where="UART")
    return clocks


class UartReceiver(wiring.Component):
    """Bytes from a serial line.

    rx: the line, idle high, asynchronous (In). o: stream of bytes (Out). A byte whose stop bit is 0
    (noise, a break) is dropped; so is one that arrives while the one before has not been taken.

    Each bit is sampled once, in its middle, counted from the start bit's edge: after a fall of the line
    half a bit is waited, then whole bits. Latency: a byte is out half a bit after its stop bit begins,
    plus two clocks of synchroniser. Interval: ten bits.
    """

    def __init__(self, clocks_per_bit: int) -> None:
        if clocks_per_bit < MIN_DIVISOR:
            raise UsageError(f"{clocks_per_bit} clocks a bit are fewer than {MIN_DIVISOR}", where="UART")
        self.clocks_per_bit = clocks_per_bit
        super().__init__({"rx": In(1, init=1), "o": Out(stream.Signature(_DATA_BITS))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        line = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.rx, line, init=1)
        timer = Signal(range(self.clocks_per_bit))
        bits = Signal(range(_FRAME_BITS + 1))  # bits still to be sampled, start and stop bits included
        word = Signal(_DATA_BITS)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(bits == 0), m.If(~line):
            m.d.sync += [timer.eq(self.clocks_per_bit // 2 - 1), bits.eq(_FRAME_BITS)]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [timer.eq(self.clocks_per_bit - 1), bits.eq(bits - 1)]
            with m.If((bits == _FRAME_BITS) & line):
                m.d.sync += bits.eq(0)  # a glitch, no start bit
            with m.If(bits == 1), m.If(line & (~self.o.valid | self.o.ready)):
                m.d.sync += [self.o.payload.eq(word), self.o.valid.eq(1)]
            with m.Else():
                m.d.sync += word.eq(Cat(word[1:], line))
        return m


class UartTransmitter(wiring.Component):
    """Bytes to a serial line. i: stream of bytes (In). tx: the line, idle high (Out).

    Interval: ten bits and one clock a byte. A byte is taken when the one before has been sent.
    """

    def __init__(self, clocks_per_bit: int) -> None:
        if clocks_per_bit < MIN_DIVISOR:
            raise UsageError(f"{clocks_per_bit} clocks a bit are fewer than {MIN_DIVISOR}", where="UART")
        self.clocks_per_bit = clocks_per_bit
        super().__init__({"i": In(stream.Signature(_DATA_BITS)), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        timer = Signal(range(self.clocks_per_bit))
        bits = Signal(range(_FRAME_BITS + 1))  # bits still on the line, the present one included
        shift = Signal(_FRAME_BITS, init=-1)
        m.d.comb += [self.tx.eq(shift[0]), self.i.ready.eq(bits == 0)]
        with m.If(bits == 0), m.If(self.i.valid):
            m.d.sync += [shift.eq(Cat(Const(0, 1), self.i.payload, Const(1, 1))), bits.eq(_FRAME_BITS)]
            m.d.sync += timer.eq(self.clocks_per_bit - 1)
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [timer.eq(self.clocks_per_bit - 1), bits.eq(bits - 1)]
            m.d.sync += shift.eq(Cat(shift[1:], Const(1, 1)))
        return m
