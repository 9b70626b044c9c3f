"""The device's end of the small protocol: frames in, one tensor through the core, frames out.

The protocol is described in `hwgen.runtime.link`. One request at a time: received, run, answered.
"""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.link.buffer import InputBuffer, OutputBuffer, beats_of, bytes_per_beat
from hwgen.hw.link.frames import AnswerSender, RequestReceiver
from hwgen.hw.link.uart import UartReceiver, UartTransmitter
from hwgen.runtime.link import ID_BYTES, MAX_LENGTH, Status
from hwgen.support.errors import UsageError


class Link(wiring.Component):
    """UART on one side, a core's streams on the other.

    rx, tx: serial lines. o: stream of input beats to the core; i: stream of output beats from it.
    busy: a request is being received, run or answered. error: the last answer was not OK.

    to_core, from_core: payload layouts of the core's ports. inputs, outputs: elements of one tensor.
    design_id: 32 bits that IDENTIFY returns. clocks_per_bit: of the UART. idle_clocks: a longer pause
    within a frame ends it. UsageError: a tensor that is no whole number of beats or does not fit a frame.

    Nothing reaches the core before the whole request has arrived with a good CRC. The core's output
    stream is stalled except while its answer to a request is being collected.
    """

    def __init__(
        self,
        to_core: data.ArrayLayout,
        from_core: data.ArrayLayout,
        *,
        inputs: int,
        outputs: int,
        clocks_per_bit: int,
        idle_clocks: int,
        design_id: int = 0,
    ) -> None:
        self.to_core, self.from_core, self.inputs, self.outputs = to_core, from_core, inputs, outputs
        self.input_bytes = beats_of(to_core, inputs) * bytes_per_beat(to_core)
        self.output_bytes = beats_of(from_core, outputs) * bytes_per_beat(from_core)
        if max(self.input_bytes, self.output_bytes) > MAX_LENGTH:
            raise UsageError(f"a tensor of more than {MAX_LENGTH} bytes does not fit a frame", where="link")
        if not 0 <= design_id < 1 << 8 * ID_BYTES:
            raise UsageError(f"design id {design_id:#x} has more than 32 bits", where="link")
        self.design_id, self.clocks_per_bit, self.idle_clocks = design_id, clocks_per_bit, idle_clocks
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "o": Out(stream.Signature(to_core)),
                "i": In(stream.Signature(from_core)),
                "busy": Out(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(self.clocks_per_bit)
        m.submodules.transmitter = transmitter = UartTransmitter(self.clocks_per_bit)
        m.submodules.request = request = RequestReceiver(self.input_bytes, self.idle_clocks)
        m.submodules.answer = answer = AnswerSender(self.output_bytes, self.design_id)
        m.submodules.input = source = InputBuffer(self.to_core, self.inputs)
        m.submodules.output = sink = OutputBuffer(self.from_core, self.outputs)
        wiring.connect(m, receiver.o, request.i)
        wiring.connect(m, answer.o, transmitter.i)
        wiring.connect(m, wiring.flipped(self.o), source.o)
        wiring.connect(m, sink.i, wiring.flipped(self.i))
        failed = Signal()
        m.d.sync += failed.eq(request.status != Status.OK)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            source.data.eq(request.data),
            source.write.eq(request.write),
            source.rewind.eq(request.rewind),
            answer.status.eq(request.status),
            answer.identify.eq(request.identify),
            answer.data.eq(sink.data),
            sink.rewind.eq(answer.rewind),
            sink.advance.eq(answer.advance),
            self.error.eq(failed),
        ]
        m.d.sync += self.busy.eq(request.busy)
        with m.FSM():
            with m.State("REQUEST"), m.If(request.verdict):
                m.next = "DECIDE"
            with m.State("DECIDE"):  # `failed` is that of this request by now
                m.next = "ANSWER"
                with m.If(~failed & ~request.identify):
                    m.next = "START"
            with m.State("START"):
                m.d.comb += [source.play.eq(1), sink.take.eq(1)]
                m.next = "RUN"
            with m.State("RUN"), m.If(source.done & sink.done):
                m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += answer.start.eq(1)
                m.next = "SENDING"
            with m.State("SENDING"), m.If(answer.done):
                m.d.comb += request.resume.eq(1)
                m.next = "REQUEST"
        return m
