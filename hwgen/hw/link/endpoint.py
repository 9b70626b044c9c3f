"""The device's end of the serial line, but for what runs a request: UART, CRC, requests, answers."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hwgen.hw.link.crc import Crc32
from hwgen.hw.link.frames import AnswerSender, RequestReceiver, kind_of
from hwgen.hw.link.records import Records
from hwgen.hw.link.uart import UartReceiver, UartTransmitter
from hwgen.runtime.link import ID_BYTES, Identity, Request, Status


class Endpoint(wiring.Component):
    """Requests are received, run one after the other by whoever holds the other side, and answered.

    rx, tx: serial lines. inputs, outputs: bytes of a RUN request and of its answer, up to max_inputs and
    max_outputs; design_id: what IDENTIFY answers; enable: that there is something to run, else RUN is refused
    and these three are 0. They are looked at during requests and answers. o, i: payload of a RUN request and
    of its answer, see `RequestReceiver` and `AnswerSender`. rewind: before a payload.
    verdict: a request is to be run, for one clock; good: it is OK, run: its payload went to o (both held).
    start: now answer it, for one clock, not before the clock after verdict. discard: bytes of `i` belong to a
    RUN request that is not good, and are to be taken before it is answered.
    reset: a RESET request is to be run, for one clock.
    first, counting, unit, unit_word: see `Records`.
    busy: a request is being received, run or answered. error: the last answer was not OK.

    about: what IDENTIFY answers; design_id, inputs and outputs of it are not looked at. With about.queue 2
    the next request is received (through o) while one is run and answered.
    """

    def __init__(
        self,
        about: Identity,
        *,
        max_inputs: int,
        max_outputs: int,
        clocks_per_bit: int,
        idle_clocks: int,
        clock_bits: int = 32,
    ) -> None:
        if about.queue not in (1, 2):
            raise ValueError(f"a queue of {about.queue} requests")
        self.about, self.clock_bits = about, clock_bits
        self.max_inputs, self.max_outputs = max_inputs, max_outputs
        self.clocks_per_bit, self.idle_clocks = clocks_per_bit, idle_clocks
        self.records = Records(
            about, max_inputs=max_inputs, max_outputs=max_outputs, clock_bits=clock_bits
        )  # fmt: skip
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "inputs": In(bits_for(max_inputs)),
                "outputs": In(bits_for(max_outputs)),
                "design_id": In(8 * ID_BYTES),
                "enable": In(1, init=1),
                "o": Out(stream.Signature(8)),
                "i": In(stream.Signature(8)),
                "rewind": Out(1),
                "verdict": Out(1),
                "good": Out(1),
                "run": Out(1),
                "reset": Out(1),
                "start": In(1),
                "discard": In(1),
                "first": In(1),
                "counting": In(1),
                "unit": Out(self.records.unit.shape()),
                "unit_word": In(32),
                "busy": Out(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        overlapping = self.about.queue > 1
        m.submodules.receiver = receiver = UartReceiver(self.clocks_per_bit)
        m.submodules.transmitter = transmitter = UartTransmitter(self.clocks_per_bit)
        m.submodules.crc = crc = Crc32(1 if overlapping else 2)
        m.submodules.request = request = RequestReceiver(self.max_inputs, self.idle_clocks)
        m.submodules.records = records = self.records
        m.submodules.answer = answer = AnswerSender(self.max_outputs, records.sizes)
        wiring.connect(m, receiver.o, request.i)
        wiring.connect(m, answer.o, transmitter.i)
        wiring.connect(m, request.crc, crc.users[0])
        wiring.connect(m, request.o, wiring.flipped(self.o))
        wiring.connect(m, wiring.flipped(self.i), answer.i)
        # active: a request has been taken from the receiver, and has not been answered
        active, taken, answering, failed = Signal(), Signal(), Signal(), Signal()
        names = ("status", "kind", "sequence", "run")
        asked = {name: getattr(request, name) for name in names}
        if overlapping:
            m.submodules.answer_crc = answer_crc = Crc32()
            wiring.connect(m, answer.crc, answer_crc.users[0])
            for name in names:
                asked[name] = Signal.like(getattr(request, name), name=f"asked_{name}")
                with m.If(taken):
                    m.d.sync += asked[name].eq(getattr(request, name))
        else:
            wiring.connect(m, answer.crc, crc.users[1])
            m.d.comb += crc.second.eq(answering)
        ended = Signal()
        m.d.comb += [
            taken.eq(request.verdict & ~active),
            ended.eq(answering & answer.done),
            request.resume.eq(taken if overlapping else ended),
        ]
        m.d.sync += self.verdict.eq(taken)
        with m.If(taken | ended):
            m.d.sync += active.eq(taken)
        with m.If(answer.done):
            m.d.sync += answering.eq(self.start)
        m.d.sync += [self.error.eq(failed), self.busy.eq(request.busy | active)]
        m.d.comb += [
            failed.eq(asked["status"] != Status.OK),
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            request.inputs.eq(self.inputs),
            request.enable.eq(self.enable),
            answer.outputs.eq(self.outputs),
            *(getattr(answer, name).eq(asked[name]) for name in ("status", "kind", "sequence")),
            answer.run.eq(asked["run"] & (~failed | self.discard)),
            answer.start.eq(self.start),
            answer.record.eq(records.data),
            records.kind.eq(asked["kind"]),
            records.index.eq(answer.index),
            records.advance.eq(answer.advance),
            *(
                getattr(records, name).eq(getattr(self, name))
                for name in ("design_id", "inputs", "outputs", "enable", "first", "counting", "unit_word")
            ),
            records.clear.eq(self.reset),
            records.good.eq(self.start & asked["run"] & ~failed),
            records.damaged.eq(self.verdict & failed & (asked["status"] != Status.NO_PROGRAM)),
            self.unit.eq(records.unit),
            self.rewind.eq(request.rewind),
            self.run.eq(asked["run"]),
            self.good.eq(~failed),
            self.reset.eq(self.verdict & ~failed & (asked["kind"] == kind_of(Request.RESET))),
        ]
        with m.If(ended):
            m.d.sync += records.error.eq(failed)
        return m
