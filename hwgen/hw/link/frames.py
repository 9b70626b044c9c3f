"""Frames of the small protocol (`hwgen.runtime.link`): one component takes requests, one sends answers.

Bytes are at least forty clocks apart, so everything here is spread over several short steps: conditions
are looked at a clock or two after what they depend on, and the link never limits the design's clock.
Lengths and the design id are ports: constants cost nothing, and an engine that loads its program knows
them only then.
"""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hwgen.hw.link.crc import CrcSignature
from hwgen.runtime.link import CRC_BYTES, HEADER_BYTES, ID_BYTES, SYNC, Request, Status

_LENGTH_BITS = 8 * (HEADER_BYTES - 1)


class RequestReceiver(wiring.Component):
    """Finds and checks request frames.

    i: bytes; the payload stays after a byte is taken, until the next one is there. inputs: bytes of a RUN
    request's payload, at least 1 and at most `limit`. enable: whether RUN is served, NO_PROGRAM otherwise.
    o: the payload of a RUN request, as it arrives. Once a payload has begun, `inputs` bytes are given: what
    a frame that breaks off lacks is filled up, with any bytes. rewind: before a payload's first byte.
    crc: of a CRC unit.
    verdict: a request is complete, for one clock; status: what is to be said of it (held until the next);
    run: its payload went to o (held), an IDENTIFY request otherwise. Then bytes are ignored until `resume`.
    busy: a request is being received, or not resumed after. idle_clocks: a longer pause ends a frame.

    o has to take a payload byte ten clocks before the next one arrives. If it does not, that is as if the
    line had damaged a byte or lost one: BAD_CRC or TRUNCATED.
    """

    def __init__(self, limit: int, idle_clocks: int) -> None:
        self.limit, self.idle_clocks = limit, idle_clocks
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "inputs": In(bits_for(limit)),
                "enable": In(1, init=1),
                "o": Out(stream.Signature(8)),
                "rewind": Out(1),
                "crc": Out(CrcSignature()),
                "verdict": Out(1),
                "status": Out(Status),
                "run": Out(1),
                "resume": In(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        crc, byte = self.crc, self.i.payload
        got = Signal()
        count, full, intact = Signal(bits_for(self.limit)), Signal(), Signal()
        start, given = Signal(), Signal()
        m.d.sync += [full.eq(count == self.inputs), intact.eq(crc.value == 0)]
        with m.If(start):
            m.d.sync += count.eq(0)
        with m.Elif(given):
            m.d.sync += count.eq(count + 1)
        m.d.comb += [
            self.i.ready.eq(crc.done),  # also: `full` and the like are those after the byte before
            got.eq(self.i.valid & self.i.ready),
            self.o.payload.eq(byte),
            crc.data.eq(byte),
            self.busy.eq(1),
        ]
        idle = self._idle(m, got)
        at = Signal(range(HEADER_BYTES))  # byte of the header, or of the CRC
        asks_run, identify = Signal(), Signal()  # the code is RUN; it is IDENTIFY, without a payload
        sized = Signal()  # the length is that of RUN
        expected = Signal(8)  # of the length field of RUN
        length = Cat(self.inputs, Const(0, _LENGTH_BITS))[:_LENGTH_BITS]
        lengths = [length.word_select(k, 8) for k in range(HEADER_BYTES - 1)]
        m.d.comb += expected.eq(Array([lengths[0], *lengths])[at])

        def end(status: Status) -> None:
            m.d.sync += self.status.eq(status)
            m.next = "SILENCE"

        with m.FSM():
            with m.State("SYNC"):
                m.d.comb += [self.busy.eq(0), crc.clear.eq(1)]
                with m.If(got & (byte == SYNC[0])):
                    m.next = "SYNC 2"
            with m.State("SYNC 2"):
                m.d.comb += [self.busy.eq(0), crc.clear.eq(1), self.rewind.eq(1), start.eq(1)]
                m.d.sync += [at.eq(0), self.run.eq(0)]
                with m.If(got):
                    with m.If(byte == SYNC[1]):
                        m.next = "HEADER"
                    with m.Elif(byte != SYNC[0]):
                        m.next = "SYNC"
                with m.Elif(idle):
                    m.next = "SYNC"
            with m.State("HEADER"):
                m.d.comb += crc.valid.eq(got)
                with m.If(got):
                    m.d.sync += at.eq(at + 1)
                    with m.If(at == 0):
                        m.d.sync += [
                            asks_run.eq(byte == Request.RUN),
                            identify.eq(byte == Request.IDENTIFY),
                            sized.eq(1),
                        ]
                    with m.Else():
                        with m.If(byte != expected):
                            m.d.sync += sized.eq(0)
                        with m.If(byte != 0):
                            m.d.sync += identify.eq(0)
                    with m.If(at == HEADER_BYTES - 1):
                        m.next = "REQUEST"
                with m.Elif(idle):
                    end(Status.TRUNCATED)
            with m.State("REQUEST"):
                with m.If(identify):
                    m.next = "CRC"
                with m.Elif(asks_run & ~self.enable):
                    end(Status.NO_PROGRAM)
                with m.Elif(asks_run & sized):
                    m.d.sync += self.run.eq(1)
                    m.next = "PAYLOAD"
                with m.Else():
                    end(Status.BAD_REQUEST)
            with m.State("PAYLOAD"):
                m.d.comb += [
                    self.o.valid.eq(self.i.valid & crc.done),
                    self.i.ready.eq(self.o.ready & crc.done),
                    crc.valid.eq(got),
                    given.eq(got),
                ]
                with m.If(full):  # the last byte is still on its way into the CRC: nothing is taken now
                    m.next = "CRC"
                with m.Elif(idle & ~self.i.valid):
                    m.d.sync += self.status.eq(Status.TRUNCATED)
                    m.next = "FILL"
            with m.State("CRC"):
                m.d.comb += crc.valid.eq(got)
                with m.If(got):
                    m.d.sync += at.eq(at + 1)
                with m.If(at == CRC_BYTES):
                    m.next = "CHECK"
                with m.Elif(idle & ~got):
                    end(Status.TRUNCATED)
            with m.State("CHECK"):
                with m.If(crc.done):
                    m.next = "CHECK 2"
            with m.State("CHECK 2"):  # `intact` is of the whole frame now
                m.next = "VERDICT"
                m.d.sync += self.status.eq(Mux(intact, Status.OK, Status.BAD_CRC))
            with m.State("FILL"):
                m.d.comb += [self.o.valid.eq(1), given.eq(self.o.ready)]
                with m.If(given):
                    m.next = "FILL 2"
            with m.State("FILL 2"):
                m.next = "FILL 3"
            with m.State("FILL 3"):
                m.next = "FILL"
                with m.If(full):
                    m.next = "SILENCE"
            # Where a request that is not understood ends cannot be known: wait for silence.
            with m.State("SILENCE"), m.If(idle):
                m.next = "VERDICT"
            with m.State("VERDICT"):
                m.d.comb += self.verdict.eq(1)
                m.next = "HOLD"
            with m.State("HOLD"), m.If(self.resume):
                m.next = "SYNC"
        return m

    def _idle(self, m: Module, got: Value) -> Signal:
        """High once `idle_clocks` have gone by without a byte."""
        whole = 1 << bits_for(self.idle_clocks)
        timer, idle = Signal(range(2 * whole)), Signal()
        m.d.comb += idle.eq(timer >= whole)
        with m.If(got):
            m.d.sync += timer.eq(whole - self.idle_clocks)
        with m.Elif(~idle):
            m.d.sync += timer.eq(timer + 1)
        return idle


class AnswerSender(wiring.Component):
    """Sends an answer frame.

    start: begin, for one clock (only while `done`), with status and run, which are held until done.
    o: bytes. An OK answer carries `outputs` bytes of i (run), which are at least 1 and at most `limit`, or
    the design id (0 without enable). With run and another status, `outputs` bytes of i are taken first and
    thrown away.
    i: is ready for a byte at most every ten clocks, or every third while throwing away. crc: of a CRC unit.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(
            {
                "start": In(1),
                "status": In(Status),
                "run": In(1),
                "outputs": In(bits_for(limit)),
                "design_id": In(8 * ID_BYTES),
                "enable": In(1, init=1),
                "done": Out(1),
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "crc": Out(CrcSignature()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        crc = self.crc
        count, full = Signal(max(bits_for(self.limit), bits_for(ID_BYTES))), Signal()
        m.d.sync += full.eq(Mux(self.run, count == self.outputs, count[bits_for(ID_BYTES) - 1]))
        failed, payload, covered = Signal(), Signal(), Signal()  # covered: by the CRC
        m.d.comb += failed.eq(self.status != Status.OK)
        length = Mux(failed, 0, Mux(self.run, self.outputs, ID_BYTES))
        code = Cat(self.status, Const(0, 8 - len(self.status)))
        head = Cat(Const(int.from_bytes(SYNC, "little"), 8 * len(SYNC)), code, length)
        head_bytes, tail = len(SYNC) + HEADER_BYTES, Cat(crc.value[8:], crc.value[:8])
        frame = Cat(head, Const(0, 8 * head_bytes - len(head)), tail)  # all but the payload
        at = Signal(range(len(frame) // 8))  # its byte that is next; comes round to 0
        assert len(frame) == 8 << len(at)
        identity = self.design_id.word_select(count[: bits_for(ID_BYTES - 1)], 8)
        body = Mux(self.run, self.i.payload, Mux(self.enable, identity, 0))
        m.d.comb += [crc.data.eq(self.o.payload), crc.clear.eq(self.start)]
        taken = Signal()
        with m.If(self.start):
            m.d.sync += count.eq(0)
        with m.Elif(taken):
            m.d.sync += count.eq(count + 1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.done.eq(1)
                m.d.sync += payload.eq(self.run & failed)  # what is thrown away comes before the frame
                with m.If(self.start):
                    m.next = "COUNTED"
            with m.State("PICK"), m.If(crc.done):
                with m.If(~payload):
                    m.d.sync += [
                        self.o.payload.eq(frame.word_select(at, 8)),
                        covered.eq((at >= len(SYNC)) & (at < head_bytes)),
                        at.eq(at + 1),
                        payload.eq((at == head_bytes - 1) & ~failed),
                    ]
                    m.next = "SEND"
                with m.Elif(full):
                    m.d.sync += payload.eq(0)
                with m.Elif(self.i.valid | ~self.run):
                    m.next = "TAKE"
            with m.State("TAKE"):
                m.d.comb += [self.i.ready.eq(self.run), taken.eq(1)]
                m.d.sync += [self.o.payload.eq(body), covered.eq(1)]
                m.next = "SEND"
                with m.If(failed):
                    m.next = "COUNTED"
            with m.State("COUNTED"):  # `full` is that of `count` in the next clock
                m.next = "PICK"
            with m.State("SEND"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.comb += crc.valid.eq(covered)
                    m.next = "PICK"
                    with m.If((at == 0) & ~payload):
                        m.next = "IDLE"
        return m
