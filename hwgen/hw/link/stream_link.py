"""The device's end of the small protocol for a core that takes its input as it arrives: no frame buffers.

The protocol is described in `hwgen.runtime.link`. One request at a time: received, run, answered.
"""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hwgen.hw.link.endpoint import Endpoint
from hwgen.hw.link.link import NOBODY
from hwgen.runtime.link import ID_BYTES, MAX_LENGTH, Identity
from hwgen.support.errors import UsageError

CLOCK_BITS = 28  # of the clocks of a RUN: 5 s at 50 MHz


class StreamLink(wiring.Component):
    """UART on one side, a core's streams of bytes on the other.

    rx, tx: serial lines. o: bytes to the core, i: bytes from it. inputs, outputs: of them an inference, at
    least 1; enable: the core has a program; design_id: of that program, 32 bits. All three belong to the
    program and may change only while `enable` is low.
    reset: of the core, for one clock; it neither takes nor gives bytes then, and enable is low in the next
    one if it has to load its program again. busy: a request is being received, run or answered. error: the
    last answer was not OK.

    about: what IDENTIFY answers; inputs, outputs and design_id come from the ports, `queue` is 1. max_inputs,
    max_outputs: largest values of inputs and outputs. clocks_per_bit: of the UART. idle_clocks: a longer
    pause within a frame ends it. UsageError: a tensor that does not fit a frame.

    A core that has been given a byte of input is given all `inputs` of them, and all its `outputs` are
    taken, whatever happens to the request: what is missing is filled up, with any bytes, and what comes of a
    request that did not end with its CRC is thrown away before the error is answered. Without a program RUN
    answers NO_PROGRAM, and IDENTIFY the id 0. The core's output waits while there is no request.

    A core has to take a byte eleven clocks before the next one arrives; if not: BAD_CRC or TRUNCATED.
    Cost: tests/synth/test_link_cost.py.
    """

    def __init__(
        self,
        about: Identity = NOBODY,
        *,
        clocks_per_bit: int,
        idle_clocks: int,
        max_inputs: int = (1 << 20) - 1,
        max_outputs: int = (1 << 12) - 1,
    ) -> None:
        if not 1 <= min(max_inputs, max_outputs) <= max(max_inputs, max_outputs) <= MAX_LENGTH:
            raise UsageError(
                f"a tensor of no or of more than {MAX_LENGTH} bytes does not fit a frame", where="link"
            )
        self.endpoint = Endpoint(
            replace(about, queue=1),
            max_inputs=max_inputs,
            max_outputs=max_outputs,
            clocks_per_bit=clocks_per_bit,
            idle_clocks=idle_clocks,
            clock_bits=CLOCK_BITS,
        )
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "o": Out(stream.Signature(8)),
                "i": In(stream.Signature(8)),
                "inputs": In(bits_for(max_inputs)),
                "outputs": In(bits_for(max_outputs)),
                "enable": In(1),
                "design_id": In(8 * ID_BYTES),
                "reset": Out(1),
                "busy": Out(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.endpoint = endpoint = self.endpoint
        wiring.connect(m, endpoint.o, wiring.flipped(self.o))
        wiring.connect(m, wiring.flipped(self.i), endpoint.i)
        waiting, computing = Signal(), Signal()
        m.d.comb += [
            endpoint.rx.eq(self.rx),
            self.tx.eq(endpoint.tx),
            endpoint.inputs.eq(self.inputs),
            endpoint.outputs.eq(self.outputs),
            endpoint.design_id.eq(self.design_id),
            endpoint.enable.eq(self.enable),
            endpoint.discard.eq(1),
            # not before there is something to answer
            endpoint.start.eq(waiting & (self.i.valid | ~endpoint.run)),
            endpoint.first.eq(self.o.valid),
            endpoint.counting.eq(computing),
            self.reset.eq(endpoint.reset),
            self.busy.eq(endpoint.busy),
            self.error.eq(endpoint.error),
        ]
        with m.If(endpoint.start | endpoint.verdict):
            m.d.sync += waiting.eq(endpoint.verdict)
        with m.If(self.o.valid | self.i.valid):
            m.d.sync += computing.eq(self.o.valid)
        return m
