"""Softmax in TFLite's fixed point: one serial multiplier, a few dozen clocks a class."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.product.form import bits_of
from hwgen.hw.rom import Rom
from hwgen.hw.stream import lanes_stream, shape_of
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints
from hwgen.targets import Target

_SUM_BITS = 12  # integer bits of the sum, as in TFLite
_K1, _K2 = 1515870810, 1010580540  # 48/17 and 32/17 with two integer bits (gemmlowp)
_FETCH = 5  # clocks from an address to its exponential


def cycles(channels: int) -> int:
    """Clocks a pixel: take the values, sum the exponentials, seven products, one product a class."""
    return channels + (_FETCH + 1) * channels + 14 + 7 * 37 + channels * (_FETCH + 36 + 36 + 3)


class SoftmaxUnit(wiring.Component):
    """o[c] = clip(round(e[c] / sum of e), 0, 255) + out_lo with e[c] = exps[max - i[c]], for every pixel.

    i, o: streams of one channel a beat, `channels` a pixel. exps: Q0.31, one for each difference. Every
    rounding is where TFLite has it: e is rounded to 12 integer bits and summed; 1/sum comes from three
    Newton steps on the normalised sum; products are SaturatingRoundingDoublingHighMul's; the result
    is shifted with rounding. Interval and latency: `cycles(channels)`. Cost: one 32-bit serial
    multiplier, the exponentials in a ROM of the form `rom`, a memory of one pixel.
    Sources: TensorFlow Lite reference softmax.h, gemmlowp fixedpoint.h.
    """

    def __init__(
        self, exps: Ints, *, channels: int, value: Range, out_lo: int, rom: str = "auto", target: Target
    ) -> None:
        if channels < 1 or len(exps) < value.hi - value.lo + 1:
            raise ValueError("softmax: needs a channel and an exponential for every difference")
        self.exps = np.asarray(exps, dtype=np.int64)[: value.hi - value.lo + 1]
        self.channels, self.value, self.out_lo, self.target = channels, value, out_lo, target
        self.rom = rom
        self.out = Range(out_lo, out_lo + 255)
        super().__init__({"i": In(lanes_stream(value, 1)), "o": Out(lanes_stream(self.out, 1))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.exps = rom = Rom(bits_of(self.exps, 31), form=self.rom, target=self.target)
        m.submodules.pixel = pixel = memory.Memory(
            shape=shape_of(self.value).width, depth=self.channels, init=[]
        )
        write, read = pixel.write_port(), pixel.read_port()
        last = self.channels - 1
        at = Signal(range(max(self.channels, 2)))
        largest = Signal(shape_of(self.value))
        seen = Signal(shape_of(self.value))
        difference = Signal(range(max(len(self.exps), 2)), reset_less=True)
        wait = Signal(range(64))
        total, half, x = Signal(32), Signal(32), Signal(32)
        zeros = Signal(range(32))
        steps = Signal(2)

        product = _Multiplier(m)
        error, part = Signal(signed(33)), Signal(20)
        m.d.comb += [
            write.addr.eq(at),
            write.data.eq(self.i.payload[0]),
            read.addr.eq(at),
            seen.eq(read.data),
            rom.addr.eq(difference),
        ]
        m.d.sync += difference.eq((largest - seen).as_unsigned()[: len(difference)])
        e = rom.data
        shifted = Signal(33)

        fresh, opens, came = Signal(shape_of(self.value)), Signal(), Signal()
        m.d.sync += [
            fresh.eq(self.i.payload[0]),
            opens.eq(at == 0),
            came.eq(self.i.valid & self.i.ready),
        ]
        with m.If(came & (opens | (fresh > largest))):  # one clock late: long before it is needed
            m.d.sync += largest.eq(fresh)

        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += [self.i.ready.eq(1), write.en.eq(self.i.valid)]
                with m.If(self.i.valid):
                    m.d.sync += at.eq(at + 1)
                    with m.If(at == last):
                        m.d.sync += [at.eq(0), wait.eq(_FETCH), total.eq(0)]
                        m.next = "SUM"
            with m.State("SUM"):
                m.d.sync += [wait.eq(wait - 1), part.eq((e + (1 << (_SUM_BITS - 1))) >> _SUM_BITS)]
                with m.If(wait == 0):
                    m.d.sync += [
                        total.eq(total + part),
                        at.eq(at + 1),
                        wait.eq(_FETCH),
                    ]
                    with m.If(at == last):
                        m.d.sync += [at.eq(0), zeros.eq(0)]
                        m.next = "NORMALISE"
            with m.State("NORMALISE"):
                with m.If(total[31]):
                    # half = (1 + a) / 2 where total * 2^zeros = (1 + a) * 2^31
                    m.d.sync += half.eq(Cat(total[1:31], Const(1, 2)))
                    m.next = "START"
                with m.Else():
                    m.d.sync += [total.eq(total << 1), zeros.eq(zeros + 1)]
            with m.State("START"):
                product.start(m, half, Const(_K2, 32), negative=1)
                m.d.sync += steps.eq(3)
                m.next = "GUESS"
            with m.State("GUESS"):  # x = 48/17 - 32/17 * half
                with m.If(product.done):
                    m.d.sync += x.eq(_K1 - product.result)
                    m.next = "STEP"
            with m.State("STEP"):
                product.start(m, half, x, negative=0)
                m.next = "ERROR"
            with m.State("ERROR"):  # 1 - half * x
                with m.If(product.done):
                    m.d.sync += error.eq((1 << 29) - product.result)
                    m.next = "SIGN"
            with m.State("SIGN"):
                product.start(m, x, Mux(error < 0, -error, error)[:32], negative=error < 0)
                m.next = "CORRECT"
            with m.State("CORRECT"):  # x += 4 * (x * error); the error is small: nothing saturates
                with m.If(product.done):
                    change = (product.result << 2)[:32]
                    m.d.sync += [
                        x.eq(Mux(product.negative, x - change, x + change)),
                        steps.eq(steps - 1),
                        wait.eq(_FETCH),
                    ]
                    m.next = "STEP"
                    with m.If(steps == 1):
                        m.next = "SCALE"
            with m.State("SCALE"):  # 1/(1 + a), no integer bits: 2 * x, at most the largest int32
                m.d.sync += x.eq(Mux(x[30:] != 0, 0x7FFFFFFF, x << 1))
                m.next = "FETCH"
            with m.State("FETCH"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    product.start(m, x, Cat(e, Const(0, 1)), negative=0)
                    m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                with m.If(product.done):
                    m.d.sync += [
                        shifted.eq(product.result),
                        wait.eq(_SUM_BITS + 31 - 8 - 1 - zeros),
                    ]
                    m.next = "SHIFT"
            with m.State("SHIFT"):
                with m.If(wait == 0):
                    m.d.sync += shifted.eq((shifted + 1) >> 1)
                    m.next = "CLIP"
                with m.Else():
                    m.d.sync += [shifted.eq(shifted >> 1), wait.eq(wait - 1)]
            with m.State("CLIP"):
                clipped = Mux(shifted[8:] != 0, 255, shifted[:8])
                m.d.sync += [self.o.payload[0].eq(clipped + self.out_lo), self.o.valid.eq(1)]
                m.next = "GIVE"
            with m.State("GIVE"):
                with m.If(self.o.ready):
                    m.d.sync += [self.o.valid.eq(0), at.eq(at + 1), wait.eq(_FETCH)]
                    m.next = "FETCH"
                    with m.If(at == last):
                        m.d.sync += at.eq(0)
                        m.next = "TAKE"
        return m


class _Multiplier:
    """result = (a * b + 2^30 - negative) >> 31 for unsigned 32-bit a, b: `done` 35 clocks after start.

    With the sign kept apart this is gemmlowp's rounding: halves away from zero for products below zero too.
    """

    def __init__(self, m: Module) -> None:
        self.a, self.low, self.high = Signal(32), Signal(32), Signal(32)
        self.left = Signal(range(36))
        self.done, self.negative = Signal(), Signal()
        self.result = Signal(32)
        whole, rest = Signal(33), Signal()
        m.d.comb += [self.done.eq(self.left == 1), whole.eq(self.high + Mux(self.low[0], self.a, 0))]
        with m.If(self.left != 0):
            m.d.sync += self.left.eq(self.left - 1)
        with m.If(self.left > 3):
            m.d.sync += [self.low.eq(Cat(self.low[1:], whole[0])), self.high.eq(whole[1:])]
        with m.If(self.left == 3):
            m.d.sync += rest.eq(self.low[:30] != 0)
        with m.If(self.left == 2):
            # the product's bits 62..31, and whether bits 30..0 reach a half
            half_up = self.low[30] & (~self.negative | rest)
            m.d.sync += self.result.eq(Cat(self.low[31], self.high[:31]) + half_up)

    def start(self, m: Module, a: Value, b: Value, *, negative: Value | int) -> None:
        """Begin in this clock; `negative`: the product counts as below zero."""
        m.d.sync += [
            self.a.eq(a),
            self.low.eq(b),
            self.high.eq(0),
            self.left.eq(35),
            self.negative.eq(negative),
        ]
