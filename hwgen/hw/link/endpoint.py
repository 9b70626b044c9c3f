"""The device's end of the serial line, but for what runs a request: UART, CRC, requests, answers."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hwgen.hw.link.crc import Crc16
from hwgen.hw.link.frames import AnswerSender, RequestReceiver
from hwgen.hw.link.uart import UartReceiver, UartTransmitter
from hwgen.runtime.link import ID_BYTES, Status


class Endpoint(wiring.Component):
    """One request at a time: received, run by whoever holds the other side, answered.

    rx, tx: serial lines. inputs, outputs: bytes of a RUN request and of its answer, up to max_inputs and
    max_outputs; design_id: what IDENTIFY answers; enable: that there is something to run, else RUN is refused
    and the id 0. They are looked at during requests and answers. o, i: payload of a RUN request and of its
    answer, see `RequestReceiver` and `AnswerSender`. rewind: before a payload.
    verdict: a request is complete, for one clock; good: it is OK, run: its payload went to o (both held).
    start: now answer it, for one clock. discard: bytes of `i` belong to a RUN request that is not good, and
    are to be taken before it is answered.
    busy: a request is being received, run or answered. error: the last answer was not OK.
    """

    def __init__(self, *, max_inputs: int, max_outputs: int, clocks_per_bit: int, idle_clocks: int) -> None:
        self.max_inputs, self.max_outputs = max_inputs, max_outputs
        self.clocks_per_bit, self.idle_clocks = clocks_per_bit, idle_clocks
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
                "start": In(1),
                "discard": In(1),
                "busy": Out(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(self.clocks_per_bit)
        m.submodules.transmitter = transmitter = UartTransmitter(self.clocks_per_bit)
        m.submodules.crc = crc = Crc16()
        m.submodules.request = request = RequestReceiver(self.max_inputs, self.idle_clocks)
        m.submodules.answer = answer = AnswerSender(self.max_outputs)
        wiring.connect(m, receiver.o, request.i)
        wiring.connect(m, answer.o, transmitter.i)
        wiring.connect(m, request.crc, crc.users[0])
        wiring.connect(m, answer.crc, crc.users[1])
        wiring.connect(m, request.o, wiring.flipped(self.o))
        wiring.connect(m, wiring.flipped(self.i), answer.i)
        failed, answering = Signal(), Signal()
        m.d.sync += [self.error.eq(failed), self.busy.eq(request.busy)]
        m.d.comb += [
            failed.eq(request.status != Status.OK),
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            request.inputs.eq(self.inputs),
            request.enable.eq(self.enable),
            answer.outputs.eq(self.outputs),
            answer.design_id.eq(self.design_id),
            answer.enable.eq(self.enable),
            answer.status.eq(request.status),
            answer.run.eq(request.run & (~failed | self.discard)),
            answer.start.eq(self.start),
            crc.second.eq(answering),
            request.resume.eq(answering & answer.done),
            self.rewind.eq(request.rewind),
            self.verdict.eq(request.verdict),
            self.run.eq(request.run),
            self.good.eq(~failed),
        ]
        with m.If(answer.done):
            m.d.sync += answering.eq(self.start)
        return m
