"""AXI4-Stream around a core's streams: whole bytes a lane, and TLAST at the end of each frame."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.counters import LoopNest
from hwgen.hw.link.buffer import beats_of, bytes_per_beat
from hwgen.runtime.link import element_bytes


class AxiStreamSignature(wiring.Signature):
    """An AXI4-Stream of whole bytes, transmitter's side: TDATA, TVALID, TREADY, TLAST.

    Byte 0 is the first of the stream. Every byte counts: there are no TKEEP, TSTRB, TID, TDEST, TUSER.
    Source: AMBA AXI-Stream Protocol Specification, ARM IHI 0051B, section 2.
    """

    def __init__(self, size: int) -> None:
        self.bytes = size
        super().__init__({"tdata": Out(8 * size), "tvalid": Out(1), "tready": In(1), "tlast": Out(1)})


class AxiStream(wiring.Component):
    """Between a core's streams (`i` and `o`, which are wired to the core) and two AXI4-Streams.

    s_axis: inputs, m_axis: outputs. A transfer is a beat of the core: its lanes one after the other, lane 0
    first, each in ceil(width / 8) bytes, little endian; on the way out extended by their sign, on the way in
    what is above `width` bits is not looked at. A frame is a tensor. m_axis.tlast marks a frame's last
    transfer. s_axis.tlast is not needed to tell frames apart: `error` rises, until reset, when it is
    elsewhere than at a frame's last transfer, for from then on frames would not be those that were meant.

    TVALID never waits for TREADY, and what is offered stays until it is taken, as the core's streams do it.
    inputs, outputs: elements of a tensor. Combinational but for TLAST and `error`: no clock is added.
    UsageError: tensors that are no whole number of beats.
    """

    def __init__(
        self, *, inward: data.ArrayLayout, outward: data.ArrayLayout, inputs: int, outputs: int
    ) -> None:
        self.inward, self.outward = inward, outward
        self.input_beats, self.output_beats = beats_of(inward, inputs), beats_of(outward, outputs)
        super().__init__(
            {
                "s_axis": In(AxiStreamSignature(bytes_per_beat(inward))),
                "m_axis": Out(AxiStreamSignature(bytes_per_beat(outward))),
                "i": Out(stream.Signature(inward)),
                "o": In(stream.Signature(outward)),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = Shape.cast(self.inward.elem_shape).width
        step = 8 * element_bytes(width)
        given, taken = Signal(), Signal()
        lanes = (self.s_axis.tdata[at : at + width] for at in range(0, step * self.inward.length, step))
        m.d.comb += [
            self.i.payload.as_value().eq(Cat(*lanes)),
            self.i.valid.eq(self.s_axis.tvalid),
            self.s_axis.tready.eq(self.i.ready),
            given.eq(self.s_axis.tvalid & self.i.ready),
            self.m_axis.tdata.eq(_extended(self.o.payload.as_value(), self.outward)),
            self.m_axis.tvalid.eq(self.o.valid),
            self.o.ready.eq(self.m_axis.tready),
            taken.eq(self.o.valid & self.m_axis.tready),
            self.m_axis.tlast.eq(LoopNest(m, [self.output_beats], taken, "output").ends),
        ]
        with m.If(given & (self.s_axis.tlast != LoopNest(m, [self.input_beats], given, "input").ends)):
            m.d.sync += self.error.eq(1)
        return m


def _extended(beat: Value, layout: data.ArrayLayout) -> Value:
    """The lanes of a beat in whole bytes."""
    shape = Shape.cast(layout.elem_shape)
    padding = 8 * element_bytes(shape.width) - shape.width
    lanes = [beat[at : at + shape.width] for at in range(0, len(beat), shape.width)]
    return Cat(
        *(Cat(lane, (lane[-1] if shape.signed else Const(0, 1)).replicate(padding)) for lane in lanes)
    )
