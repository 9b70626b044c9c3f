"""Nested loops with one address: what walks through memories while an instruction runs.

An address of nested strides needs one adder: when loop k advances, all loops inside it begin again, and the
address moves by a constant, delta k (`hwgen.program.instructions.deltas`).
"""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import C, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.product.form import register

COUNT_BITS = 8
LATE = 1  # clocks that a pipelined nest's address comes after its round


class Nest(wiring.Component):
    """Loops 0 (innermost) to levels-1 over one address, modulo 2**width.

    count0.. , delta0..: rounds less one and the address's moves; start: the first address. All of them must
    hold while the loops run. begin: takes start and counts; advance: one round further, one clock later.
    address: of this round. last0..: loop k is in its last round. final: all are; advancing then does nothing
    useful, `begin` starts anew. Advance and begin are never given together.

    pipelined: for a fast clock. The address is then there LATE clocks after the round begins, everything else
    as before; counts must be there a clock before `begin`. calm: the first of the loops that never advance in
    two clocks one after the other, nor in the one after `begin`; their `last` then comes a clock later.
    """

    def __init__(self, *, levels: int, width: int, pipelined: bool = False, calm: int | None = None) -> None:
        self.levels, self.pipelined = levels, pipelined
        self.calm = calm if pipelined and calm is not None else levels
        ports = {"start": In(width), "begin": In(1), "advance": In(1), "address": Out(width), "final": Out(1)}
        for level in range(levels):
            ports |= {f"count{level}": In(COUNT_BITS), f"delta{level}": In(width), f"last{level}": Out(1)}
        super().__init__(ports)

    def lasts(self) -> Sequence[Value]:
        """`last` of all loops, innermost first."""
        return [getattr(self, f"last{level}") for level in range(self.levels)]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        move: Value = getattr(self, f"delta{self.levels - 1}")
        inner: Value = C(1, 1)  # all loops inside this one are in their last round
        begins, moves = self.begin, self.advance  # this loop does
        for level, last in enumerate(self.lasts()):
            left, count = Signal(COUNT_BITS, name=f"left{level}"), getattr(self, f"count{level}")
            following = Signal(COUNT_BITS, name=f"following{level}")
            flag = Signal(name=f"is_last{level}", init=1)  # a register: much hangs on it
            if level == self.calm:
                begins, moves = (register(m, each, name="calm") for each in (begins, moves))
            again = begins | last
            m.d.comb += [last.eq(flag), following.eq(Mux(again, count, left - 1))]
            none: Value = following == 0
            if self.pipelined:  # the same, without the subtraction
                none = Mux(again, register(m, count == 0, name="single"), left == 1)
            with m.If(begins | moves):
                m.d.sync += [left.eq(following), flag.eq(none)]
            moves, inner = moves & last, inner & last
        for level in reversed(range(self.levels - 1)):
            move = Mux(getattr(self, f"last{level}"), move, getattr(self, f"delta{level}"))
        m.d.comb += self.final.eq(inner)
        if self.pipelined:
            move, inner = C(0, 1), C(1, 1)
            for level, last in enumerate(self.lasts()):  # two products a LUT
                chosen = inner if level == self.levels - 1 else inner & ~last
                delta = getattr(self, f"delta{level}")
                move = move | (delta & chosen.replicate(len(delta)))
                inner = inner & last
            goes, moved, begun = Signal(), Signal(len(self.address)), Signal()
            m.d.sync += [goes.eq(self.begin | self.advance), moved.eq(move), begun.eq(self.begin)]
            with m.If(goes):
                m.d.sync += self.address.eq(Mux(begun, self.start, self.address + moved))
            return m
        with m.If(self.begin):
            m.d.sync += self.address.eq(self.start)
        with m.Elif(self.advance):
            m.d.sync += self.address.eq(self.address + move)
        return m
