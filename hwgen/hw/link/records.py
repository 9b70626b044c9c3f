"""What the device says of itself: the bytes of an identity and of the counters (`hwgen.runtime.link`)."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hwgen.hw.link.frames import KIND_BITS, kind_of
from hwgen.runtime.link import IDENTITY_BYTES, UNIT_WORDS, WORD_BYTES, WORDS, Identity, Request

RUNS_BITS, DAMAGED_BITS = 16, 8
_DESIGN, _INPUTS, _OUTPUTS = 3, 4, 5  # words of an identity


class Records(wiring.Component):
    """data: byte `index` of the record that requests of `kind` ask for, two clocks later.

    The identity is a constant, but for design_id, inputs and outputs, 0 without enable. Counters: ready,
    error; good, damaged: counted, for one clock each; clear: they and `clocks` are 0; first: clocks is 1 in
    the next clock; counting: in this clock one is added. unit, unit_word: with about.words > WORDS, further
    words of STATUS; the one that is asked for is to be there in the next clock.
    """

    def __init__(self, about: Identity, *, max_inputs: int, max_outputs: int, clock_bits: int) -> None:
        if about.words < WORDS or (about.words - WORDS) % UNIT_WORDS or about.words > 255:
            raise ValueError(f"STATUS cannot have {about.words} words")
        self.about, self.clock_bits = about, clock_bits
        self.sizes = {Request.IDENTIFY: IDENTITY_BYTES, Request.STATUS: WORD_BYTES * about.words}
        self.units = about.words - WORDS
        super().__init__(
            {
                "kind": In(KIND_BITS),
                "index": In(range(max(self.sizes.values()))),
                "data": Out(8),
                "design_id": In(32),
                "inputs": In(bits_for(max_inputs)),
                "outputs": In(bits_for(max_outputs)),
                "enable": In(1),
                "error": In(1),
                "good": In(1),
                "damaged": In(1),
                "clear": In(1),
                "first": In(1),
                "counting": In(1),
                "unit": Out(range(max(1, self.units))),
                "unit_word": In(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        runs, damaged = Signal(RUNS_BITS), Signal(DAMAGED_BITS)
        clocks = Signal(self.clock_bits)
        for counter, step, first in (
            (runs, self.good, C(0, 1)),
            (damaged, self.damaged, C(0, 1)),
            (clocks, self.counting, self.first),
        ):
            with m.If(self.clear | first):
                m.d.sync += counter.eq(first)
            with m.Elif(step):
                m.d.sync += counter.eq(counter + 1)
        fixed = self.about.to_bytes()
        identity: dict[int, Value] = {
            at: C(int.from_bytes(fixed[WORD_BYTES * at :][:WORD_BYTES], "little"), 32)
            for at in range(IDENTITY_BYTES // WORD_BYTES)
        }
        live = {_DESIGN: self.design_id, _INPUTS: self.inputs, _OUTPUTS: self.outputs}
        identity |= {at: Mux(self.enable, value, 0) for at, value in live.items()}
        counters: dict[int, Value] = {0: Cat(self.enable, self.error), 1: runs, 2: damaged, 3: clocks}
        word, place = Signal(32), self.index[2:]
        with m.If(self.kind[0] == kind_of(Request.STATUS) % 2):
            if self.units:
                m.d.comb += [word.eq(self.unit_word), self.unit.eq(place - WORDS)]
            with m.Switch(place):
                for at, value in counters.items():
                    with m.Case(at):
                        m.d.comb += word.eq(value)
        with m.Else():
            with m.Switch(place):
                for at, value in identity.items():
                    with m.Case(at):
                        m.d.comb += word.eq(value)
        m.d.sync += self.data.eq(word.word_select(self.index[:2], 8))
        return m
