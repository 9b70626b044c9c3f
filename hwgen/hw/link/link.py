"""The device's end of the small protocol: frames in, one tensor through the core, frames out.

The protocol is described in `hwgen.runtime.link`. One request at a time; half duplex, so one CRC unit
and one byte counter serve both directions.
"""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.link.buffer import InputBuffer, OutputBuffer, beats_of, bytes_per_beat
from hwgen.hw.link.crc import Crc16
from hwgen.hw.link.uart import UartReceiver, UartTransmitter
from hwgen.runtime.link import CRC_BYTES, HEADER_BYTES, ID_BYTES, MAX_LENGTH, SYNC, Request, Status
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
        m.submodules.crc = crc = Crc16()
        m.submodules.input = source = InputBuffer(self.to_core, self.inputs)
        m.submodules.output = sink = OutputBuffer(self.from_core, self.outputs)
        wiring.connect(m, wiring.flipped(self.o), source.o)
        wiring.connect(m, sink.i, wiring.flipped(self.i))
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx), source.data.eq(receiver.o.payload)]
        got, byte = receiver.o.valid, receiver.o.payload
        m.d.comb += receiver.o.ready.eq(1)

        header = Signal(8 * HEADER_BYTES)  # code in the low byte, then the length
        status = Signal(Status)
        identify = Signal()  # what an OK answer carries
        left = Signal(range(max(self.input_bytes, self.output_bytes, HEADER_BYTES)))  # bytes to go, minus 1
        code, length = header[:8], header[8:]
        answer_bytes = Mux(status != Status.OK, 0, Mux(identify, ID_BYTES, self.output_bytes))
        answer_last = Mux(identify, ID_BYTES - 1, self.output_bytes - 1)  # of an OK answer
        idle = self._idle(m, got)

        sending = Signal(8)
        sent = transmitter.i.valid & transmitter.i.ready
        m.d.comb += transmitter.i.payload.eq(sending)
        # CRC over whatever passes, in the states below that ask for it
        crc_receives, crc_sends = Signal(), Signal()
        m.d.comb += [
            crc.valid.eq(crc_receives & got | crc_sends & sent),
            crc.data.eq(Mux(crc_receives, byte, sending)),
            self.error.eq(status != Status.OK),
        ]

        def fail(reason: Status) -> None:
            m.d.sync += status.eq(reason)
            m.next = "ANSWER"

        def broken() -> None:
            """A frame that stops half way is answered, not waited for."""
            m.d.comb += crc_receives.eq(1)
            with m.If(idle):
                fail(Status.TRUNCATED)

        m.d.comb += self.busy.eq(1)
        with m.FSM():
            with m.State("SYNC"):
                m.d.comb += [self.busy.eq(0), source.rewind.eq(1), crc.clear.eq(1)]
                with m.If(got & (byte == SYNC[0])):
                    m.next = "SYNC 2"
            with m.State("SYNC 2"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += left.eq(HEADER_BYTES - 1)
                with m.If(got):
                    with m.If(byte == SYNC[1]):
                        m.next = "HEADER"
                    with m.Elif(byte != SYNC[0]):
                        m.next = "SYNC"
                with m.Elif(idle):
                    m.next = "SYNC"
            with m.State("HEADER"):
                broken()
                with m.If(got):
                    m.d.sync += [header.eq(Cat(header[8:], byte)), left.eq(left - 1)]
                    with m.If(left == 0):
                        m.next = "REQUEST"
            with m.State("REQUEST"):
                m.d.sync += [identify.eq(code == Request.IDENTIFY), left.eq(self.input_bytes - 1)]
                with m.If((code == Request.RUN) & (length == self.input_bytes)):
                    m.next = "PAYLOAD"
                with m.Elif((code == Request.IDENTIFY) & (length == 0)):
                    m.d.sync += left.eq(CRC_BYTES - 1)
                    m.next = "CRC"
                with m.Else():
                    m.next = "SKIP"
            with m.State("PAYLOAD"):
                broken()
                m.d.comb += source.write.eq(got)
                with m.If(got):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.d.sync += left.eq(CRC_BYTES - 1)
                        m.next = "CRC"
            with m.State("CRC"):
                broken()
                with m.If(got):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.next = "CHECK"
            with m.State("CHECK"):  # the CRC of the last byte is there by now
                m.d.sync += status.eq(Status.OK)
                with m.If(crc.value != 0):
                    fail(Status.BAD_CRC)
                with m.Elif(identify):
                    m.next = "ANSWER"
                with m.Else():
                    m.d.comb += [source.play.eq(1), sink.take.eq(1)]
                    m.next = "RUN"
            with m.State("RUN"), m.If(source.done & sink.done):
                m.next = "ANSWER"
            # Where a frame that is not understood ends cannot be known: wait for silence.
            with m.State("SKIP"), m.If(idle):
                fail(Status.BAD_REQUEST)

            with m.State("ANSWER"):
                m.d.comb += [crc.clear.eq(1), sink.rewind.eq(1)]
                m.d.sync += header.eq(Cat(status, Const(0, 8 - len(status)), answer_bytes))
                m.next = "SEND SYNC"
            with m.State("SEND SYNC"):
                m.d.comb += [sending.eq(SYNC[0]), transmitter.i.valid.eq(1)]
                with m.If(sent):
                    m.next = "SEND SYNC 2"
            with m.State("SEND SYNC 2"):
                m.d.comb += [sending.eq(SYNC[1]), transmitter.i.valid.eq(1)]
                m.d.sync += left.eq(HEADER_BYTES - 1)
                with m.If(sent):
                    m.next = "SEND HEADER"
            with m.State("SEND HEADER"):
                m.d.comb += [sending.eq(header[:8]), transmitter.i.valid.eq(1), crc_sends.eq(1)]
                with m.If(sent):
                    m.d.sync += [header.eq(header[8:]), left.eq(left - 1)]
                    with m.If(left == 0):
                        m.d.sync += left.eq(answer_last)
                        m.next = "SEND PAYLOAD"
                        with m.If(status != Status.OK):
                            m.next = "SEND CRC"
            with m.State("SEND PAYLOAD"):
                identity = Array(self.design_id >> 8 * k & 0xFF for k in range(ID_BYTES))
                at = ~left[: (ID_BYTES - 1).bit_length()]
                m.d.comb += [sending.eq(Mux(identify, identity[at], sink.data)), crc_sends.eq(1)]
                m.d.comb += [transmitter.i.valid.eq(1), sink.advance.eq(sent)]
                with m.If(sent):
                    m.d.sync += left.eq(left - 1)
                    m.next = "FETCH"
                    with m.If(left == 0):
                        m.next = "SEND CRC"
            with m.State("FETCH"):  # two clocks until the output buffer shows its next byte
                m.next = "FETCH 2"
            with m.State("FETCH 2"):
                m.next = "SEND PAYLOAD"
            with m.State("SEND CRC"):
                m.d.comb += [sending.eq(crc.value[8:]), transmitter.i.valid.eq(1)]
                with m.If(sent):
                    m.next = "SEND CRC 2"
            with m.State("SEND CRC 2"):
                m.d.comb += [sending.eq(crc.value[:8]), transmitter.i.valid.eq(1)]
                with m.If(sent):
                    m.next = "SYNC"
        return m

    def _idle(self, m: Module, got: Signal) -> Signal:
        """High once `idle_clocks` have gone by without a byte."""
        timer = Signal(range(-1, self.idle_clocks), init=-1)
        with m.If(got):
            m.d.sync += timer.eq(self.idle_clocks - 1)
        with m.Elif(timer >= 0):
            m.d.sync += timer.eq(timer - 1)
        idle = Signal()
        m.d.comb += idle.eq(timer < 0)
        return idle
