"""What the device says of itself: the bytes of an identity and of the counters (`hwgen.runtime.link`)."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hwgen.hw.link.frames import KIND_BITS, kind_of
from hwgen.runtime.link import IDENTITY_BYTES, UNIT_WORDS, WORD_BYTES, WORDS, Identity, Request

RUNS_BITS, DAMAGED_BITS, CLOCKS_BITS = 16, 8, 32
_SHORT_BITS = 16
_DESIGN, _INPUTS, _OUTPUTS = 3, 4, 5  # words of an identity
_FLAGS, _RUNS, _DAMAGED, _CLOCKS = range(WORDS)  # words of STATUS


class Records(wiring.Component):
    """data: byte `index` of the record that requests of `kind` ask for, two clocks later.

    advance: this byte has been taken, for one clock; a record's bytes are taken from the first to the last.
    The identity is a constant, but for design_id, inputs and outputs, 0 without enable. Counters: enable,
    error; good, damaged: counted, for one clock each; clear: they and `clocks` are 0; first: clocks is 1 in
    the next clock; counting: in this clock one is added. Nothing is counted while a record is sent. unit,
    unit_word: with about.words > WORDS, further words of STATUS; the one that is asked for is to be there
    four clocks later (`AnswerSender` leaves time for it).

    clock_bits: that `clocks` counts with.
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
                "advance": In(1),
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
        data, asks_status = Signal(8), Signal()
        m.d.comb += asks_status.eq(self.kind == kind_of(Request.STATUS))
        m.d.sync += self.data.eq(data)
        counted, places = self._counters(m, asks_status & self.advance)
        with m.If(asks_status):
            if self.units:
                place = self.index[2:]
                m.d.comb += self.unit.eq(place - WORDS)
                with m.If(place >= WORDS):
                    m.d.comb += data.eq(self.unit_word.word_select(self.index[:2], 8))
            with m.Switch(self.index):
                with m.Case(WORD_BYTES * _FLAGS):
                    m.d.comb += data.eq(Cat(self.enable, self.error))
                with m.Case(*places):
                    m.d.comb += data.eq(counted)
        with m.Else():
            self._identity(m, data)
        return m

    def _identity(self, m: Module, data: Signal) -> None:
        """The byte of the identity."""
        fixed, live = Signal(8), Signal(8)
        words = {_DESIGN: self.design_id, _INPUTS: self.inputs, _OUTPUTS: self.outputs}
        known = self.about.to_bytes()
        with m.Switch(self.index):
            for place, value in enumerate(known):
                if value and place // WORD_BYTES not in words:
                    with m.Case(place):
                        m.d.comb += fixed.eq(value)
        # the words' low two bits tell them apart
        order = [next((v for w, v in words.items() if w % 4 == k), C(0, 1)) for k in range(4)]
        table = Cat(Cat(word, C(0, 32))[:32] for word in order)
        is_live = Signal()
        with m.Switch(self.index[2:]):
            with m.Case(*words):
                m.d.comb += is_live.eq(self.enable)
        with m.If(is_live):
            m.d.comb += live.eq(table.word_select(self.index[:4], 8))
        m.d.comb += data.eq(fixed | live)

    def _counters(self, m: Module, advance: Value) -> tuple[Value, list[int]]:
        """A byte of the counters, and the places in STATUS where such bytes are.

        The bytes lie in a ring that is turned as they are sent: a bit's logic cell has room for that beside
        the adder, where multiplexers would take as many cells again.
        """
        runs, damaged, clocks = Signal(RUNS_BITS), Signal(DAMAGED_BITS), Signal(_SHORT_BITS)
        # so that a carry has a short way, the upper half of the clocks goes on a clock later
        upper, carry = Signal(self.clock_bits - _SHORT_BITS), Signal()
        rest = Signal(CLOCKS_BITS - self.clock_bits)  # only to make the ring whole bytes
        ring = Cat(runs, damaged, clocks, upper, rest)
        following = Cat(ring[8:], ring[:8])
        places = [
            WORD_BYTES * word + byte
            for word, bits in ((_RUNS, RUNS_BITS), (_DAMAGED, DAMAGED_BITS), (_CLOCKS, CLOCKS_BITS))
            for byte in range(bits // 8)
        ]
        assert len(ring) == 8 * len(places)
        turn, at = Signal(), 0
        m.d.sync += [turn.eq(0), carry.eq(0)]
        with m.Switch(self.index):
            with m.Case(*places):
                m.d.sync += turn.eq(advance)
        for part, step, first in (
            (runs, self.good, 0),
            (damaged, self.damaged, 0),
            (clocks, self.counting, self.first),
            (upper, carry, 0),
            (rest, 0, 0),
        ):
            # one more: written so that the adder's second operand is the signal that turns the ring, and so
            # that the choice between the two fits into the adder's own lookup table
            more = Cat(part, C(0, 1)) - Cat((~turn).replicate(len(part)), C(1, 1))
            with m.If(step):
                m.d.sync += part.eq(more)
                if part is clocks:
                    m.d.sync += carry.eq(more[len(part)])
            with m.If(turn):
                m.d.sync += part.eq(following[at : at + len(part)])
            emptied = self.clear | (self.first if part is clocks or part is upper else 0)
            with m.If(emptied):
                m.d.sync += part.eq(first)
            at += len(part)
        return ring[:8], places
