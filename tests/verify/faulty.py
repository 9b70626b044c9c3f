"""A small core, y = 3x + 1 on four lanes through two stages, that can be asked to misbehave.

The first element of the first word asks: 100 + fault. One build serves every test.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.emit.manifest import Manifest, StreamPort
from hwgen.numeric.ranges import Range

FAULTS = ("none", "off_by_one", "dropped", "changed", "dead_lock", "withdrawn", "repeated", "not_reset")
SHAPE = (5, 2, 8)  # 20 words a sample
WORDS = 20
LANES = 4
IN, OUT = Range(-128, 127), Range(-384, 384)
NARROW = data.ArrayLayout(Shape(IN.width, True), LANES)
WIDE = data.ArrayLayout(Shape(OUT.width, True), LANES)


class Faulty(wiring.Component):
    """i: x. o: 3x + 1. tap_0: 3x. tap_1: 3x + 1."""

    def __init__(self) -> None:
        ports = {"i": In(stream.Signature(NARROW)), "o": Out(stream.Signature(WIDE))}
        for tap in ("tap_0", "tap_1"):
            ports |= {f"{tap}_valid": Out(1), f"{tap}_payload": Out(WIDE)}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first_valid, second_valid, out_valid = Signal(), Signal(), Signal()
        first, second = Signal(WIDE), Signal(WIDE)
        first_ready, second_ready = Signal(), Signal()
        mode = Signal(range(len(FAULTS)))
        count = Signal(range(200))  # words out since the last reset
        aged = Signal(reset_less=True)

        def faulty(name: str):
            return mode == FAULTS.index(name)

        m.d.comb += [
            out_valid.eq(second_valid & ~(faulty("withdrawn") & (count == 5) & aged)),
            second_ready.eq(~second_valid | (self.o.ready & out_valid)),
            first_ready.eq((~first_valid | second_ready) & ~(faulty("dead_lock") & (count >= 9))),
            self.i.ready.eq(first_ready),
            self.o.valid.eq(out_valid),
            self.o.payload.eq(second),
            self.tap_0_valid.eq(first_valid & first_ready & second_ready),
            self.tap_0_payload.eq(first),
            self.tap_1_valid.eq(out_valid & self.o.ready),
            self.tap_1_payload.eq(second),
        ]
        with m.If(first_ready):
            m.d.sync += first_valid.eq(self.i.valid)
            for lane in range(LANES):
                m.d.sync += first[lane].eq(3 * self.i.payload[lane])
            with m.If(self.i.valid & (mode == 0) & (self.i.payload[0] > 100)):
                m.d.sync += mode.eq(self.i.payload[0] - 100)
        with m.If(second_ready):
            m.d.sync += second_valid.eq(first_valid & first_ready)
            for lane in range(LANES):
                wrong = faulty("off_by_one") & (first[lane] == 3 * 77)
                wrong |= faulty("not_reset") & aged & (count == 0)
                m.d.sync += second[lane].eq(first[lane] + Mux(wrong, 2, 1))
            with m.If(faulty("dropped") & (count == 6)):
                m.d.sync += [second_valid.eq(0), count.eq(7)]
        with m.If(out_valid & self.o.ready):
            m.d.sync += count.eq(count + 1)
            with m.If(faulty("repeated") & (count == 3 * WORDS - 1)):
                m.d.sync += second_valid.eq(1)
        with m.If(out_valid & ~self.o.ready):
            with m.If(faulty("changed") & (count == 5)):
                m.d.sync += second[1].eq(second[1] ^ 1)
            with m.If(faulty("withdrawn") & (count == 5)):
                m.d.sync += aged.eq(1)
        with m.If(faulty("not_reset") & (count == 3)):
            m.d.sync += aged.eq(1)
        return m


def manifest() -> Manifest:
    """Of the core named `faulty`."""
    ports = (
        StreamPort("i", "in", "x", SHAPE, LANES, IN),
        StreamPort("o", "out", "y", SHAPE, LANES, OUT, "plus"),
    )
    taps = (
        StreamPort("tap_0", "tap", "triple", SHAPE, LANES, OUT, "times"),
        StreamPort("tap_1", "tap", "y", SHAPE, LANES, OUT, "plus"),
    )
    return Manifest("faulty", "exact", ports, taps, model={"file": "none", "sha256": "0" * 64})
