"""The device's end of the link protocol: frames in, one tensor through the core, frames out.

The protocol is described in `hwgen.runtime.link`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from amaranth.hdl import C, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.link.buffer import InputBuffer, OutputBuffer, beats_of, bytes_per_beat
from hwgen.hw.link.endpoint import Endpoint
from hwgen.hw.product.form import bits_of
from hwgen.hw.rom import Rom
from hwgen.runtime.link import ID_BYTES, MAX_LENGTH, Engine, Identity
from hwgen.support.errors import UsageError
from hwgen.targets import Target

#: An identity that says nothing; what the link knows itself is filled in.
NOBODY = Identity(Engine.STREAM, (0, 0, 0), clock=0, design_id=0, inputs=0, outputs=0, board="")


class Link(wiring.Component):
    """UART on one side, a core's streams on the other.

    rx, tx: serial lines. o: stream of input beats to the core; i: stream of output beats from it.
    reset: of the core, for one clock, while nothing is in it. unit, unit_word: the word of STATUS behind the
    first four that is wanted four clocks later (about.words > 4).
    busy: a request is being received, run or answered. error: the last answer was not OK.

    to_core, from_core: payload layouts of the core's ports. inputs, outputs: elements of one tensor.
    about: what IDENTIFY returns; inputs and outputs are filled in. clocks_per_bit: of the UART. idle_clocks:
    a longer pause within a frame ends it. exchanged: family of the block RAM that holds the design id, whose
    content is another one's later; None: it is a constant. UsageError: a tensor that is no whole number of
    beats or does not fit a frame.

    Nothing reaches the core before the whole request has arrived with a good CRC. The core's output
    stream is stalled except while its answer to a request is being collected. With about.queue 2 the next
    input is received while one is computed and the answer sent: there are two input buffers and CRC units.
    """

    def __init__(
        self,
        to_core: data.ArrayLayout,
        from_core: data.ArrayLayout,
        about: Identity = NOBODY,
        *,
        inputs: int,
        outputs: int,
        clocks_per_bit: int,
        idle_clocks: int,
        exchanged: Target | None = None,
    ) -> None:
        self.exchanged = exchanged
        self.to_core, self.from_core, self.inputs, self.outputs = to_core, from_core, inputs, outputs
        self.input_bytes = beats_of(to_core, inputs) * bytes_per_beat(to_core)
        self.output_bytes = beats_of(from_core, outputs) * bytes_per_beat(from_core)
        if max(self.input_bytes, self.output_bytes) > MAX_LENGTH:
            raise UsageError(f"a tensor of more than {MAX_LENGTH} bytes does not fit a frame", where="link")
        if not 0 <= about.design_id < 1 << 8 * ID_BYTES:
            raise UsageError(f"design id {about.design_id:#x} has more than 32 bits", where="link")
        self.about = replace(about, inputs=self.input_bytes, outputs=self.output_bytes)
        self.endpoint = Endpoint(
            self.about,
            max_inputs=self.input_bytes,
            max_outputs=self.output_bytes,
            clocks_per_bit=clocks_per_bit,
            idle_clocks=idle_clocks,
        )
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "o": Out(stream.Signature(to_core)),
                "i": In(stream.Signature(from_core)),
                "reset": Out(1),
                "unit": Out(self.endpoint.unit.shape()),
                "unit_word": In(32),
                "busy": Out(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.endpoint = endpoint = self.endpoint
        m.submodules.input = source = InputBuffer(self.to_core, self.inputs, self.about.queue)
        design_id: Value = C(self.about.design_id, 8 * ID_BYTES)
        if self.exchanged is not None:
            word = bits_of(np.array([self.about.design_id]), 8 * ID_BYTES)
            m.submodules.design_id = held = Rom(word, form="exchange", target=self.exchanged)
            design_id = held.data
        computing = Signal()
        m.submodules.output = sink = OutputBuffer(self.from_core, self.outputs)
        wiring.connect(m, wiring.flipped(self.o), source.o)
        wiring.connect(m, sink.i, wiring.flipped(self.i))
        m.d.comb += [
            endpoint.rx.eq(self.rx),
            self.tx.eq(endpoint.tx),
            endpoint.inputs.eq(self.input_bytes),
            endpoint.outputs.eq(self.output_bytes),
            endpoint.design_id.eq(design_id),
            source.data.eq(endpoint.o.payload),
            source.write.eq(endpoint.o.valid),
            source.rewind.eq(endpoint.rewind),
            endpoint.o.ready.eq(1),
            endpoint.i.payload.eq(sink.data),  # three clocks after the byte before was taken, which is enough
            endpoint.i.valid.eq(1),
            sink.rewind.eq(endpoint.start),
            sink.advance.eq(endpoint.i.ready),
            self.reset.eq(endpoint.reset),
            self.unit.eq(endpoint.unit),
            endpoint.unit_word.eq(self.unit_word),
            self.busy.eq(endpoint.busy),
            self.error.eq(endpoint.error),
        ]
        m.d.comb += endpoint.counting.eq(computing)
        with m.If(sink.ended):
            m.d.sync += computing.eq(0)
        with m.Elif(source.began):
            m.d.sync += computing.eq(1)
        with m.FSM():
            with m.State("REQUEST"), m.If(endpoint.verdict):
                m.next = "ANSWER"
                with m.If(endpoint.good & endpoint.run):
                    m.next = "START"
            with m.State("START"):
                m.d.comb += [source.play.eq(1), sink.take.eq(1), endpoint.first.eq(1)]
                m.next = "RUN"
            with m.State("RUN"), m.If(source.done & sink.done):
                m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += endpoint.start.eq(1)
                m.next = "REQUEST"
        return m
