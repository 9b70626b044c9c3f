"""What enters the array in each step: addresses, passes, banks; and what its sums then mean."""

from __future__ import annotations

from amaranth.hdl import C, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.systolic.nest import COUNT_BITS, LATE, Nest
from hwgen.program.array import Array

LEVELS = ("n0", "n1", "p0", "p1", "b", "t")
BLOCK_BITS = 2  # blocks are numbered modulo 4; the lowest bit is their accumulator bank


def about_sums(geometry: Array) -> data.StructLayout:
    """What is known of a step's sums. last: the block is complete with them."""
    index = (geometry.depth - 1).bit_length()
    return data.StructLayout({"valid": 1, "bank": 1, "index": index, "first": 1, "widen": 1, "last": 1})


class Issue(wiring.Component):
    """Steps of a RUN, one a clock where nothing is in the way.

    begin: a RUN begins (its fields are in the ports x, n0_count, n0_delta, ..). blocked: the memory of the
    activations is taken in this clock. full: the next weights are in the array's shadow registers. drained:
    number, modulo 4, of blocks whose accumulators have been read out.

    walk: the loops n0 and n1 begin for a Give, which advances them; walked: they are in their last round.
    read, address: an activation word is read. stepped: a step is issued; one without a word is a bubble,
    which carries the sums before it out of the array. swap, about: what goes with the step. busy: steps
    remain. pass_last, block_last, tile_last: with `swap`: it begins the block's last pass, is of a tile's
    last block, of the last tile.

    A pass begins when its weights are there, when at least `spacing` steps have passed since the pass before
    began, and its block only when the accumulator bank is free. Within a pass only `blocked` stops the steps.

    A steady geometry has no `blocked`; every clock is a step, during a RUN or not. `full` and `drained` count
    a clock later, `address` is there `late` clocks after `read`, or the clock after `advance`, and pass_last,
    block_last and tile_last `late` clocks after `swap`.
    """

    def __init__(self, *, geometry: Array, spacing: int) -> None:
        self.geometry, self.spacing = geometry, spacing
        self.late = LATE if geometry.steady else 0
        ports = {
            "begin": In(1), "x": In(16), "hold": In(1), "widen": In(1),
            "walk": In(1), "advance": In(1), "walked": Out(1),
            "blocked": In(1), "full": In(1), "drained": In(BLOCK_BITS), "running": In(1),
            "read": Out(1), "address": Out(16), "stepped": Out(1), "swap": Out(1), "busy": Out(1),
            "about": Out(about_sums(geometry)),
            "pass_last": Out(1), "block_last": Out(1), "tile_last": Out(1),
        }  # fmt: skip
        for level in LEVELS:
            ports |= {f"{level}_count": In(COUNT_BITS), f"{level}_delta": In(16)}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.nest = nest = Nest(
            levels=len(LEVELS), width=16, pipelined=self.geometry.steady, calm=LEVELS.index("p0")
        )
        for number, level in enumerate(LEVELS):
            m.d.comb += [
                getattr(nest, f"count{number}").eq(getattr(self, f"{level}_count")),
                getattr(nest, f"delta{number}").eq(getattr(self, f"{level}_delta")),
            ]
        n0, n1, p0, p1, b, t = nest.lasts()
        pass_begins, first, digit = Signal(), Signal(), Signal()
        block = Signal(BLOCK_BITS)
        index = Signal.like(self.about.index)
        steady = self.geometry.steady
        age = Signal(range(self.spacing + 1), init=self.spacing)
        swaps, free, ready = Signal(), Signal(), Signal()
        aged, full, blocked = age == self.spacing, self.full, self.blocked
        if steady:
            aged, full, blocked = Signal(init=1), Signal(), C(0, 1)
            m.d.sync += full.eq(self.full)
            # of the block that begins next; between two begins there is time for a register
            begun = Signal(BLOCK_BITS)
            m.d.sync += free.eq(((begun - self.drained) & 2) == 0)
            with m.If(self.read & pass_begins & first):
                m.d.sync += begun.eq(begun + 1)
        else:
            m.d.comb += free.eq(((block - self.drained) & 2) == 0)
        ending = Signal()  # the pass's last step
        m.d.comb += [
            swaps.eq(pass_begins & (first | ~self.hold)),
            ready.eq(~pass_begins | (aged & (full | ~swaps) & (free | ~first))),
            self.read.eq(self.busy & ready & ~blocked),
            self.swap.eq(self.read & swaps),
            self.stepped.eq(
                self.read | (self.running & (~self.busy | (pass_begins & ~(ready & blocked))))
                if not steady
                else 1
            ),
            ending.eq(n0 & n1),
            self.address.eq(nest.address),
            nest.start.eq(self.x),
            nest.begin.eq(self.begin | self.walk),
            nest.advance.eq(self.read | self.advance),
            self.walked.eq(ending),
            self.pass_last.eq(p0 & p1),
            self.block_last.eq(b),
            self.tile_last.eq(t),
            self.about.valid.eq(self.read),
            self.about.bank.eq(block[0]),
            self.about.index.eq(index),
            self.about.first.eq(first),
            self.about.widen.eq(self.widen & digit & ~first),
            self.about.last.eq(self.read & ending & p0 & p1),
        ]
        with m.If(self.read & pass_begins):
            m.d.sync += age.eq(1)
            if steady:
                m.d.sync += aged.eq(0)
        with m.Elif(self.stepped & ~aged):
            m.d.sync += age.eq(age + 1)
            if steady:
                m.d.sync += aged.eq(age == self.spacing - 1)
        with m.If(self.begin):
            m.d.sync += [self.busy.eq(1), pass_begins.eq(1), first.eq(1), digit.eq(1), index.eq(0)]
        with m.Elif(self.read):
            m.d.sync += [pass_begins.eq(ending), index.eq(index + 1)]
            with m.If(ending):
                m.d.sync += [index.eq(0), first.eq(p0 & p1), digit.eq(p0)]
                with m.If(p0 & p1):
                    m.d.sync += block.eq(block + 1)
                with m.If(nest.final):
                    m.d.sync += self.busy.eq(0)
        return m
