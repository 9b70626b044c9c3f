"""Frames of the small protocol (`hwgen.runtime.link`): one component takes requests, one sends answers.

Bytes are at least forty clocks apart, so everything here is spread over several short steps: conditions
are looked at a clock or two after what they depend on, and the link never limits the design's clock.
"""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.link.crc import Crc16
from hwgen.runtime.link import CRC_BYTES, HEADER_BYTES, ID_BYTES, SYNC, Request, Status


def _countdown(m: Module, limit: int) -> tuple[Signal, Signal]:
    """A counter of bytes to go minus one, up to `limit` - 1, and a flag, one clock behind: none to go."""
    left, last = Signal(range(limit)), Signal()
    m.d.sync += last.eq(left == 0)
    return left, last


class RequestReceiver(wiring.Component):
    """Finds and checks request frames.

    i: bytes (taken always). write, data: a byte of a RUN request's payload. rewind: the next one is the
    first. verdict: a request is complete, for one clock; status: what is to be said of it (held until
    the next); identify: it was IDENTIFY (held). Afterwards bytes are ignored until `resume`.
    input_bytes: payload of a RUN request. idle_clocks: a longer pause ends a frame.
    """

    def __init__(self, input_bytes: int, idle_clocks: int) -> None:
        self.input_bytes, self.idle_clocks = input_bytes, idle_clocks
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "write": Out(1),
                "data": Out(8),
                "rewind": Out(1),
                "verdict": Out(1),
                "status": Out(Status),
                "identify": Out(1),
                "resume": In(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = crc = Crc16()
        got, byte = Signal(), Signal(8)
        m.d.comb += [self.i.ready.eq(1), self.data.eq(byte), crc.valid.eq(got), crc.data.eq(byte)]
        m.d.sync += [got.eq(self.i.valid), byte.eq(self.i.payload)]
        idle = self._idle(m, got)
        left, last = _countdown(m, max(self.input_bytes, HEADER_BYTES))
        header = Signal(8 * HEADER_BYTES)  # code in the low byte, then the length
        run, identify, intact = Signal(), Signal(), Signal()
        m.d.sync += [
            run.eq((header[:8] == Request.RUN) & (header[8:] == self.input_bytes)),
            identify.eq(header == Request.IDENTIFY),
            intact.eq(crc.value == 0),
        ]
        m.d.comb += self.busy.eq(1)

        def end(status: Status) -> None:
            m.d.sync += self.status.eq(status)
            m.next = "VERDICT"

        with m.FSM():
            with m.State("SYNC"):
                m.d.comb += [self.busy.eq(0), self.rewind.eq(1), crc.clear.eq(1)]
                with m.If(got & (byte == SYNC[0])):
                    m.next = "SYNC 2"
            with m.State("SYNC 2"):
                m.d.comb += [self.busy.eq(0), crc.clear.eq(1)]
                m.d.sync += left.eq(HEADER_BYTES - 1)
                with m.If(got):
                    with m.If(byte == SYNC[1]):
                        m.next = "HEADER"
                    with m.Elif(byte != SYNC[0]):
                        m.next = "SYNC"
                with m.Elif(idle):
                    m.next = "SYNC"
            with m.State("HEADER"):
                with m.If(got):
                    m.d.sync += [header.eq(Cat(header[8:], byte)), left.eq(left - 1)]
                    with m.If(last):
                        m.next = "DECODE"
                with m.Elif(idle):
                    end(Status.TRUNCATED)
            with m.State("DECODE"):
                m.next = "REQUEST"
            with m.State("REQUEST"):
                m.d.sync += [
                    self.identify.eq(identify),
                    left.eq(Mux(run, self.input_bytes - 1, CRC_BYTES - 1)),
                ]
                with m.If(run):
                    m.next = "PAYLOAD"
                with m.Elif(identify):
                    m.next = "CRC"
                with m.Else():
                    m.next = "SKIP"
            with m.State("PAYLOAD"):
                m.d.comb += self.write.eq(got)
                with m.If(got):
                    m.d.sync += left.eq(left - 1)
                    with m.If(last):
                        m.d.sync += left.eq(CRC_BYTES - 1)
                        m.next = "CRC"
                with m.Elif(idle):
                    end(Status.TRUNCATED)
            with m.State("CRC"):
                with m.If(got):
                    m.d.sync += left.eq(left - 1)
                    with m.If(last):
                        m.next = "SETTLE"
                with m.Elif(idle):
                    end(Status.TRUNCATED)
            with m.State("SETTLE"):  # the last byte is in the CRC now, and next in `intact`
                m.next = "CHECK"
            with m.State("CHECK"):
                end(Status.OK)
                with m.If(~intact):
                    end(Status.BAD_CRC)
            # Where a request that is not understood ends cannot be known: wait for silence.
            with m.State("SKIP"), m.If(idle):
                end(Status.BAD_REQUEST)
            with m.State("VERDICT"):
                m.d.comb += self.verdict.eq(1)
                m.next = "HOLD"
            with m.State("HOLD"), m.If(self.resume):
                m.next = "SYNC"
        return m

    def _idle(self, m: Module, got: Value) -> Signal:
        """High once `idle_clocks` have gone by without a byte."""
        timer, idle = Signal(range(-1, self.idle_clocks), init=-1), Signal()
        m.d.comb += idle.eq(timer < 0)
        with m.If(got):
            m.d.sync += timer.eq(self.idle_clocks - 1)
        with m.Elif(~idle):
            m.d.sync += timer.eq(timer - 1)
        return idle


class AnswerSender(wiring.Component):
    """Sends an answer frame.

    start: begin, for one clock (only while `done`), with status and identify, which are held until done.
    o: bytes. An OK answer carries the design id (identify) or `output_bytes` bytes of the output buffer:
    data is its present byte; rewind, advance: the first, the next one, within three clocks.
    """

    def __init__(self, output_bytes: int, design_id: int) -> None:
        self.output_bytes, self.design_id = output_bytes, design_id
        super().__init__(
            {
                "start": In(1),
                "status": In(Status),
                "identify": In(1),
                "done": Out(1),
                "o": Out(stream.Signature(8)),
                "rewind": Out(1),
                "advance": Out(1),
                "data": In(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = crc = Crc16()
        left, last = _countdown(m, max(self.output_bytes, HEADER_BYTES))
        failed, body = Signal(), Signal(8)
        frame = Signal(8 * (len(SYNC) + HEADER_BYTES))  # what is sent next, lowest byte first; later the CRC
        identity = Array(self.design_id >> 8 * k & 0xFF for k in range(ID_BYTES))
        nth = ~left[: (ID_BYTES - 1).bit_length()]  # counts up while `left` counts down
        length = Mux(failed, 0, Mux(self.identify, ID_BYTES, self.output_bytes))
        m.d.sync += [
            failed.eq(self.status != Status.OK),
            body.eq(Mux(self.identify, identity[nth], self.data)),
        ]
        part = Signal(range(4))
        sync, header, payload, tail = range(4)  # parts of the frame; the last is the CRC
        m.d.comb += [crc.data.eq(self.o.payload), crc.clear.eq(self.start), self.rewind.eq(self.start)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.done.eq(1)
                m.d.sync += [part.eq(sync), left.eq(len(SYNC) - 1)]
                with m.If(self.start):
                    m.next = "FRAME"
            with m.State("FRAME"):
                m.next = "FRAME 2"
            with m.State("FRAME 2"):  # `failed` is that of this answer by now
                code = Cat(self.status, Const(0, 8 - len(self.status)))
                m.d.sync += frame.eq(Cat(Const(int.from_bytes(SYNC, "little"), 16), code, length))
                m.next = "PICK"
            with m.State("PICK"):
                m.d.sync += self.o.payload.eq(Mux(part == payload, body, frame[:8]))
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += frame.eq(frame[8:])
                    m.next = "SENT"
            with m.State("SENT"):
                m.d.comb += [
                    crc.valid.eq((part == header) | (part == payload)),
                    self.advance.eq(part == payload),
                ]
                m.d.sync += left.eq(left - 1)
                m.next = "WAIT"
                with m.If(last):
                    m.next = "NEXT PART"
            with m.State("NEXT PART"):
                with m.Switch(part):
                    with m.Case(sync):
                        m.d.sync += [part.eq(header), left.eq(HEADER_BYTES - 1)]
                    with m.Case(header):
                        m.d.sync += [
                            part.eq(payload),
                            left.eq(Mux(self.identify, ID_BYTES - 1, self.output_bytes - 1)),
                        ]
                        with m.If(failed):
                            m.d.sync += [part.eq(tail), left.eq(CRC_BYTES - 1)]
                    with m.Default():
                        m.d.sync += [part.eq(tail), left.eq(CRC_BYTES - 1)]
                m.next = "WAIT"
                with m.If((part == header) & failed | (part == payload)):
                    m.d.sync += frame.eq(Cat(crc.value[8:], crc.value[:8]))
                with m.If(part == tail):
                    m.next = "IDLE"
            with m.State("WAIT"):
                m.next = "WAIT 2"
            with m.State("WAIT 2"):  # for the output buffer's next byte and for `body`
                m.next = "WAIT 3"
            with m.State("WAIT 3"):
                m.next = "PICK"
        return m
