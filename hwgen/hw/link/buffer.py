"""Frame buffers: bytes of one tensor on the link's side, beats of a stream on the core's side.

Each keeps one whole tensor in a byte-wide memory, so that a core never sees half a frame and never
waits for the UART. Elements take ceil(width / 8) bytes each, little endian. One element byte a few
clocks is enough here: the UART needs 80 clocks or more for it.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwgen.runtime.link import element_bytes
from hwgen.support.errors import UsageError


def beats_of(layout: data.ArrayLayout, elements: int) -> int:
    """Beats of `layout` that a tensor of that many elements takes."""
    if elements < 1 or elements % layout.length:
        raise UsageError(f"{elements} elements are no whole number of beats of {layout.length}", where="link")
    return elements // layout.length


def bytes_per_beat(layout: data.ArrayLayout) -> int:
    """Link bytes of one beat."""
    return layout.length * element_bytes(Shape.cast(layout.elem_shape).width)


def beat_clocks(layout: data.ArrayLayout) -> int:
    """Clocks from a beat of `InputBuffer` to its next one."""
    return 2 * bytes_per_beat(layout) + 1


class InputBuffer(wiring.Component):
    """Filled byte by byte, then played into the core.

    rewind: the next byte is the tensor's first. write, data: store a byte. play: send the tensor once
    (only while `done`). done: nothing is being played. o: stream of beats to the core; began: the
    first one goes.
    Two clocks a byte, and one a beat.

    tensors: 2 lets the next tensor be stored while one is played: what is stored after `play` is the next
    one.
    """

    def __init__(self, layout: data.ArrayLayout, elements: int, tensors: int = 1) -> None:
        self.layout, self.tensors = layout, tensors
        self.beats = beats_of(layout, elements)
        super().__init__(
            {
                "rewind": In(1),
                "write": In(1),
                "data": In(8),
                "play": In(1),
                "done": Out(1),
                "began": Out(1),
                "o": Out(stream.Signature(layout)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width, per_beat = Shape.cast(self.layout.elem_shape).width, bytes_per_beat(self.layout)
        size = self.beats * per_beat
        m.submodules.memory = memory = Memory(
            shape=8, depth=self.tensors * size, init=[], attrs={"no_rw_check": 1}
        )
        put, get = memory.write_port(), memory.read_port(domain="comb")
        address = Signal(range(self.tensors * size))
        stored = address if self.tensors == 1 else Signal.like(address)
        starting = Signal()
        second = Signal()  # the next tensor is stored in the upper half
        in_beat, beat, last = Signal(range(per_beat)), Signal(range(self.beats)), Signal()
        m.d.sync += last.eq(beat == self.beats - 1)  # a clock behind; beats are two apart at least
        read, byte, word = Signal(8), Signal(8), Signal(8 * per_beat)
        m.d.comb += [
            put.addr.eq(stored),
            put.data.eq(self.data),
            put.en.eq(self.write),
            get.addr.eq(address),
        ]
        m.d.sync += read.eq(get.data)
        m.d.sync += byte.eq(read)  # always, so that it can be the block RAM's own output register
        lanes = (word[at : at + width] for at in range(0, len(word), 8 * element_bytes(width)))
        m.d.comb += self.o.payload.as_value().eq(Cat(*lanes))
        with m.If(self.rewind):
            m.d.sync += stored.eq(Mux(second, size, 0))
        with m.Elif(self.write):
            m.d.sync += stored.eq(stored + 1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.done.eq(1)
                with m.If(self.play):
                    m.d.sync += [address.eq(Mux(second, size, 0)), in_beat.eq(0), beat.eq(0)]
                    m.d.sync += starting.eq(1)
                    if self.tensors > 1:
                        m.d.sync += second.eq(~second)
                    m.next = "ADDRESS"
            with m.State("ADDRESS"):
                m.next = "READ"
            with m.State("READ"):
                m.d.sync += address.eq(address + 1)
                m.next = "SHIFT"
            with m.State("SHIFT"):
                m.d.sync += [word.eq(Cat(word, byte)[8:]), in_beat.eq(in_beat + 1)]
                m.next = "READ"
                with m.If(in_beat == per_beat - 1):
                    m.d.sync += in_beat.eq(0)
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.o.valid.eq(1)
                m.d.comb += self.began.eq(self.o.ready & starting)
                with m.If(self.o.ready):
                    m.d.sync += starting.eq(0)
                    m.d.sync += beat.eq(beat + 1)
                    m.next = "READ"
                    with m.If(last):
                        m.next = "IDLE"
        return m


class OutputBuffer(wiring.Component):
    """Filled by the core, then read byte by byte.

    take: receive one tensor (only while `done`). done: nothing is being received. i: stream of beats
    from the core, ready only while taking; ended: the last one comes. rewind: `data` becomes the tensor's
    first byte, advance: its next one, both three clocks later. Elements are extended to whole bytes by their
    sign. One clock a byte, and one a beat.
    """

    def __init__(self, layout: data.ArrayLayout, elements: int) -> None:
        self.layout = layout
        self.beats = beats_of(layout, elements)
        super().__init__(
            {
                "take": In(1),
                "done": Out(1),
                "ended": Out(1),
                "i": In(stream.Signature(layout)),
                "rewind": In(1),
                "advance": In(1),
                "data": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        element, per_beat = Shape.cast(self.layout.elem_shape), bytes_per_beat(self.layout)
        padding = 8 * element_bytes(element.width) - element.width
        depth = self.beats * per_beat
        m.submodules.memory = memory = Memory(shape=8, depth=depth, init=[], attrs={"no_rw_check": 1})
        put, get = memory.write_port(), memory.read_port(domain="comb")
        address = Signal(range(depth))
        in_beat, beat, last = Signal(range(per_beat)), Signal(range(self.beats)), Signal()
        m.d.sync += last.eq(beat == self.beats - 1)  # a clock behind; beats are two apart at least
        word = Signal(8 * per_beat)
        beat_bits = self.i.payload.as_value()
        lanes = [beat_bits[at : at + element.width] for at in range(0, len(beat_bits), element.width)]
        extended = [
            Cat(lane, (lane[-1] if element.signed else Const(0, 1)).replicate(padding)) for lane in lanes
        ]
        m.d.comb += [put.addr.eq(address), put.data.eq(word[:8]), get.addr.eq(address)]
        read = Signal(8)
        m.d.sync += [read.eq(get.data), self.data.eq(read)]
        with m.If(self.rewind):
            m.d.sync += address.eq(0)
        with m.Elif(self.advance):
            m.d.sync += address.eq(address + 1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.done.eq(1)
                with m.If(self.take):
                    m.d.sync += [address.eq(0), in_beat.eq(0), beat.eq(0)]
                    m.next = "RECEIVE"
            with m.State("RECEIVE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.comb += self.ended.eq(self.i.valid & last)
                with m.If(self.i.valid):
                    m.d.sync += word.eq(Cat(*extended))
                    m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += put.en.eq(1)
                m.d.sync += [word.eq(word[8:]), address.eq(address + 1), in_beat.eq(in_beat + 1)]
                with m.If(in_beat == per_beat - 1):
                    m.d.sync += [in_beat.eq(0), beat.eq(beat + 1)]
                    m.next = "RECEIVE"
                    with m.If(last):
                        m.next = "IDLE"
        return m
