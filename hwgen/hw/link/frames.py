"""Frames of the small protocol (`hwgen.runtime.link`): one component takes requests, one sends answers.

Bytes are at least forty clocks apart, so everything here is spread over several short steps: conditions
are looked at a clock or two after what they depend on, and the link never limits the design's clock.
Lengths are ports: constants cost nothing, and an engine that loads its program knows them only then.
"""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hwgen.hw.link.crc import CrcSignature
from hwgen.runtime.link import CRC_BYTES, HEADER_BYTES, LENGTH_BYTES, SYNC, Request, Status

_LENGTH_BITS = 8 * LENGTH_BYTES
#: The low bits of a request's code, which are enough to tell those that there are from each other.
KIND_BITS = 2
assert len({request % (1 << KIND_BITS) for request in Request}) == len(Request)


def kind_of(request: Request) -> int:
    """The low bits of its code."""
    return request % (1 << KIND_BITS)


class RequestReceiver(wiring.Component):
    """Finds and checks request frames.

    i: bytes; the payload stays after a byte is taken, until the next one is there. inputs: bytes of a RUN
    request's payload, at least 1 and at most `limit`. enable: whether RUN is served, NO_PROGRAM otherwise.
    o: the payload of a RUN request, as it arrives. Once a payload has begun, `inputs` bytes are given: what
    a frame that breaks off lacks is filled up, with any bytes. rewind: before a payload's first byte.
    crc: of a CRC unit.
    verdict: a request is complete; bytes are ignored until `resume`. Till then are held: status, what is to
    be said of it; kind, the low bits of its code, if that is OK; sequence, its number as it was received;
    run: its payload went to o. busy: a request is being received. idle_clocks: a longer pause ends a frame.

    o has to take a payload byte eleven clocks before the next one arrives. If it does not, that is as if the
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
                "kind": Out(KIND_BITS),
                "sequence": Out(8),
                "run": Out(1),
                "resume": In(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        crc, byte = self.crc, self.i.payload
        got = Signal()
        count, full = Signal(bits_for(self.limit)), Signal()
        start, given, offer = Signal(), Signal(), Signal()
        # a register, so that what the core does with it begins early in a clock; the byte waits where it is
        m.d.sync += self.o.valid.eq(offer & ~given)
        m.d.comb += given.eq(self.o.valid & self.o.ready)
        m.d.sync += full.eq(count == self.inputs)
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
        # byte of the header, then of the CRC; it wraps, and so is `end_of_frame` behind the last one
        at = Signal(range(HEADER_BYTES))
        end_of_frame = (HEADER_BYTES + CRC_BYTES) % (1 << len(at))
        known, sized = Signal(), Signal()  # the code is one of ours; the length is that of its payload
        asks_run = self.kind == kind_of(Request.RUN)
        length = Cat(self.inputs, Const(0, _LENGTH_BITS))[:_LENGTH_BITS]
        expected = Signal(8)  # of the length field
        with m.Switch(at):
            for k in range(LENGTH_BYTES):
                with m.Case(HEADER_BYTES - LENGTH_BYTES + k):
                    m.d.comb += expected.eq(Mux(asks_run, length.word_select(k, 8), 0))

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
                        m.d.sync += [self.kind.eq(byte), known.eq(_known(byte)), sized.eq(1)]
                    with m.Elif(at == 1):
                        m.d.sync += self.sequence.eq(byte)
                    with m.Elif(byte != expected):
                        m.d.sync += sized.eq(0)
                    with m.If(at == HEADER_BYTES - 1):
                        m.next = "REQUEST"
                with m.Elif(idle):
                    end(Status.TRUNCATED)
            with m.State("REQUEST"):
                m.d.comb += self.i.ready.eq(0)
                with m.If(~known):
                    end(Status.BAD_REQUEST)
                with m.Elif(asks_run & ~self.enable):
                    end(Status.NO_PROGRAM)
                with m.Elif(~sized):
                    end(Status.BAD_REQUEST)
                with m.Elif(asks_run):
                    m.d.sync += self.run.eq(1)
                    m.next = "PAYLOAD"
                with m.Elif(crc.done):  # before its next byte, of another kind
                    m.next = "CRC"
            with m.State("PAYLOAD"):
                m.d.comb += [
                    offer.eq(self.i.valid & crc.done & ~full),
                    self.i.ready.eq(given),
                    crc.valid.eq(got),
                ]
                with m.If(full & crc.done):
                    m.next = "CRC"
                with m.Elif(idle & ~self.i.valid):
                    m.d.sync += self.status.eq(Status.TRUNCATED)
                    m.next = "FILL"
            with m.State("CRC"):
                m.d.comb += [crc.valid.eq(got), crc.tail.eq(1)]
                with m.If(got):
                    m.d.sync += at.eq(at + 1)
                with m.If(at == end_of_frame):
                    m.next = "CHECK"
                with m.Elif(idle & ~got):
                    end(Status.TRUNCATED)
            with m.State("CHECK"):
                m.d.comb += crc.tail.eq(1)
                m.d.sync += self.status.eq(Mux(crc.intact, Status.OK, Status.BAD_CRC))
                with m.If(crc.done):
                    m.next = "VERDICT"
            with m.State("FILL"):
                m.d.comb += offer.eq(1)
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
                m.d.comb += [self.busy.eq(0), self.verdict.eq(1)]
                with m.If(self.resume):
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


def _known(code: Value) -> Value:
    """Whether a request has this code."""
    assert list(Request) == list(range(1, len(Request) + 1))
    return (code != 0) & (code <= len(Request))


class AnswerSender(wiring.Component):
    """Sends an answer frame.

    start: begin, for one clock (only while `done`), with status, kind, sequence and run, which are there a
    clock before and held until done. o: bytes. An OK answer carries `outputs` bytes of i (run), which are at
    least 1 and at most `limit`, or as many bytes of `record` as its kind has in `records`. With run and
    another status, `outputs` bytes of i are taken first and thrown away. i: is ready for a byte at most every
    ten clocks, or every third while throwing away. index: the byte of the record that is wanted in the
    seventh clock after; advance: it has been taken. crc: of a CRC unit.
    """

    def __init__(self, limit: int, records: Mapping[Request, int]) -> None:
        self.limit, self.records = limit, records
        longest = max(records.values())
        super().__init__(
            {
                "start": In(1),
                "status": In(Status),
                "kind": In(KIND_BITS),
                "sequence": In(8),
                "run": In(1),
                "outputs": In(bits_for(limit)),
                "index": Out(range(longest)),
                "advance": Out(1),
                "record": In(8),
                "done": Out(1),
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "crc": Out(CrcSignature()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        crc = self.crc
        failed, payload, covered, tail = Signal(), Signal(), Signal(), Signal()  # covered: by the CRC
        m.d.comb += failed.eq(self.status != Status.OK)
        count, full = Signal(bits_for(max(self.limit, *self.records.values()))), Signal()
        length = Signal.like(count)
        m.d.sync += [length.eq(0), full.eq(count == length)]
        with m.If(self.run):
            m.d.sync += length.eq(self.outputs)
        with m.Elif(~failed):
            with m.Switch(self.kind):
                for request, size in self.records.items():
                    with m.Case(kind_of(request)):
                        m.d.sync += length.eq(size)
        code = Cat(self.status, Const(0, 8 - len(self.status)))
        said = Cat(Mux(failed, 0, length), Const(0, _LENGTH_BITS))[:_LENGTH_BITS]
        head = Cat(Const(int.from_bytes(SYNC, "little"), 8 * len(SYNC)), code, self.sequence, said)
        head_bytes = len(head) // 8
        at = Signal(range(head_bytes + CRC_BYTES + 1))  # byte of the frame that is next, payload not counted
        taken = Signal()
        m.d.comb += [
            crc.data.eq(self.o.payload), crc.clear.eq(self.start), crc.tail.eq(tail),
            self.index.eq(count), self.advance.eq(taken),
        ]  # fmt: skip
        with m.If(self.start):
            m.d.sync += count.eq(0)
        with m.Elif(taken):
            m.d.sync += count.eq(count + 1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.done.eq(1)
                # what is thrown away comes before the frame
                m.d.sync += [payload.eq(self.run & failed), tail.eq(0), at.eq(0)]
                with m.If(self.start):
                    m.next = "COUNTED"
            with m.State("PICK"), m.If(crc.done):
                with m.If(~payload):
                    m.d.sync += [
                        self.o.payload.eq(
                            Mux(tail, crc.byte, head.word_select(at[: bits_for(head_bytes)], 8))
                        ),
                        covered.eq(at >= len(SYNC)),
                        at.eq(at + 1),
                        payload.eq(at == head_bytes - 1),
                    ]
                    m.next = "SEND"
                with m.Elif(full):
                    m.d.sync += [payload.eq(0), tail.eq(at != 0)]
                with m.Elif(self.i.valid | ~self.run):
                    m.next = "TAKE"
            with m.State("TAKE"):
                m.d.comb += [self.i.ready.eq(self.run), taken.eq(1)]
                m.d.sync += self.o.payload.eq(Mux(self.run, self.i.payload, self.record))
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
                    with m.If(at == head_bytes + CRC_BYTES):
                        m.next = "IDLE"
        return m
