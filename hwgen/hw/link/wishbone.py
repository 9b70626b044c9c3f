"""The systolic engine on a Wishbone bus, for a SoC of one's own: data through FIFOs, status, counters, reset.

Registers, each a word of 32 bits, by word address (`Register`):

    0 DESIGN_ID  r   CRC-32 of the program image; 0 while there is none
    1 STATUS     r   bit 0 ready, 1 error (a bad image), 2 computing, 3 overflow, 4 underflow;
                     10..8 why the image is bad (`systolic.loader.Reason`);
                     23..16 words that INPUT takes now; 31..24 words that OUTPUT has now
    2 CONTROL    w   bit 0: the engine starts anew, loads its program, FIFOs and counters are empty;
                     bit 1: overflow and underflow are forgotten
    3 INPUTS     r   bytes of an input
    4 OUTPUTS    r   bytes of an output
    5 INPUT      w   four bytes of input, the lowest first; of an input's last word those that it has left
    6 OUTPUT     r   four bytes of output, the lowest first; an output's last word is filled up with 0
    7 RUNS       r   outputs that are complete, since the engine started
    8 CLOCKS     r   of the last inference, from its first input byte to its last output byte
    9 BUSY       r   clocks of those in which the array computed

A write to a full INPUT is lost, and `overflow` says so; an empty OUTPUT reads 0, and `underflow` says so: the
bus never waits for the engine. What cannot be written ignores it; what cannot be read is 0.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.systolic.flash import FlashPins

WORD_BYTES = 4
_INPUT_BITS, _OUTPUT_BITS, _REASON_BITS = 20, 12, 3


class Register(IntEnum):
    """Word addresses."""

    DESIGN_ID = 0
    STATUS = 1
    CONTROL = 2
    INPUTS = 3
    OUTPUTS = 4
    INPUT = 5
    OUTPUT = 6
    RUNS = 7
    CLOCKS = 8
    BUSY = 9


class WishboneSignature(wiring.Signature):
    """Classic Wishbone, initiator's side: 32 data bits, granularity 32, word addresses.

    Source: Wishbone B4, OpenCores, 2010, chapter 3 (classic bus cycles).
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "cyc": Out(1), "stb": Out(1), "we": Out(1), "adr": Out(4),
                "dat_w": Out(32), "dat_r": In(32), "ack": In(1),
            }
        )  # fmt: skip


class WishboneRegisters(wiring.Component):
    """The registers above. ack comes a clock after stb, for one clock; what an access does is done with it.

    o: bytes to the core; i: bytes from it. ready, error, reason, computing, inputs, outputs, checksum: of the
    core (inputs and outputs at least 1 and fixed while ready). restart: the core's reset, for one clock, in
    which it neither takes nor gives bytes. interrupt: OUTPUT has a word.

    depth: words of each FIFO, at most 255. A byte a clock both ways. ValueError for another depth.
    """

    def __init__(self, *, depth: int = 64) -> None:
        if not 2 <= depth <= 255:
            raise ValueError(f"depth must be 2 to 255, not {depth}")
        self.depth = depth
        super().__init__(
            {
                "wb": In(WishboneSignature()),
                "o": Out(stream.Signature(8)),
                "i": In(stream.Signature(8)),
                "ready": In(1), "error": In(1), "reason": In(_REASON_BITS), "computing": In(1),
                "inputs": In(_INPUT_BITS), "outputs": In(_OUTPUT_BITS), "checksum": In(32),
                "restart": Out(1), "interrupt": Out(1),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        queues = [fifo.SyncFIFOBuffered(width=8 * WORD_BYTES, depth=self.depth) for _ in range(2)]
        inward, outward = queues
        for name, queue in zip(("inward", "outward"), queues, strict=True):
            m.submodules[name] = ResetInserter(self.restart)(queue)
        idle = Signal()  # nothing may move
        m.d.comb += idle.eq(self.restart | ~self.ready)
        given = self._give(m, inward, idle)
        complete = self._take(m, outward, idle)

        access, write = Signal(), Signal()
        m.d.comb += [
            access.eq(self.wb.cyc & self.wb.stb & ~self.wb.ack),
            write.eq(access & self.wb.we),
            inward.w_data.eq(self.wb.dat_w),
            inward.w_en.eq(write & (self.wb.adr == Register.INPUT)),
            outward.r_en.eq(access & ~self.wb.we & (self.wb.adr == Register.OUTPUT)),
            self.interrupt.eq(outward.r_rdy),
        ]
        m.d.sync += [self.wb.ack.eq(access), self.restart.eq(0)]
        overflow, underflow = Signal(), Signal()
        with m.If(inward.w_en & ~inward.w_rdy):
            m.d.sync += overflow.eq(1)
        with m.If(outward.r_en & ~outward.r_rdy):
            m.d.sync += underflow.eq(1)
        with m.If(write & (self.wb.adr == Register.CONTROL)):
            m.d.sync += self.restart.eq(self.wb.dat_w[0])
            with m.If(self.wb.dat_w[:2].any()):
                m.d.sync += [overflow.eq(0), underflow.eq(0)]

        room, held = Signal(8), Signal(8)
        m.d.sync += [
            room.eq(Mux(inward.w_rdy & ~self.restart, self.depth - inward.level, 0)),
            held.eq(Mux(outward.r_rdy & ~self.restart, outward.level, 0)),
        ]
        flags = Cat(self.ready, self.error, self.computing, overflow, underflow)
        state = Cat(flags, C(0, 8 - len(flags)), self.reason, C(0, 8 - _REASON_BITS))
        runs, clocks, busy = self._counters(m, given, complete)
        values: dict[Register, Value] = {
            Register.DESIGN_ID: Mux(self.ready, self.checksum, 0),
            Register.STATUS: Cat(state, room, held),
            Register.INPUTS: Mux(self.ready, self.inputs, 0),
            Register.OUTPUTS: Mux(self.ready, self.outputs, 0),
            Register.OUTPUT: Mux(outward.r_rdy, outward.r_data, 0),
            Register.RUNS: runs,
            Register.CLOCKS: clocks,
            Register.BUSY: busy,
        }
        m.d.sync += self.wb.dat_r.eq(0)
        with m.If(access & ~self.wb.we), m.Switch(self.wb.adr):
            for register, value in values.items():
                with m.Case(register):
                    m.d.sync += self.wb.dat_r.eq(value)
        return m

    def _give(self, m: Module, queue: Any, idle: Value) -> Value:
        """Words of the queue as bytes to the core; whether one moves."""
        word, left = Signal(8 * WORD_BYTES), Signal(range(WORD_BYTES + 1))
        moves = Signal()
        last = _frame(m, "input", self.inputs, moves, idle)
        m.d.comb += [
            self.o.valid.eq((left != 0) & ~idle),
            self.o.payload.eq(word[:8]),
            moves.eq(self.o.valid & self.o.ready),
            # an input's last word is done with its last byte
            queue.r_en.eq(~idle & ((left == 0) | (moves & ((left == 1) | last)))),
        ]
        with m.If(moves):
            m.d.sync += [word.eq(word[8:]), left.eq(Mux(last, 0, left - 1))]
        with m.If(queue.r_en & queue.r_rdy):
            m.d.sync += [word.eq(queue.r_data), left.eq(WORD_BYTES)]
        with m.If(idle):
            m.d.sync += left.eq(0)
        return moves

    def _take(self, m: Module, queue: Any, idle: Value) -> Value:
        """The core's bytes as words into the queue; whether an output's last byte comes."""
        word, place, full = Signal(8 * WORD_BYTES), Signal(range(WORD_BYTES)), Signal()
        moves = Signal()
        last = _frame(m, "output", self.outputs, moves, idle)
        m.d.comb += [
            self.i.ready.eq(~idle & (~full | queue.w_rdy)),
            moves.eq(self.i.valid & self.i.ready),
            queue.w_data.eq(word),
            queue.w_en.eq(full & ~self.restart),
        ]
        with m.If(queue.w_rdy):
            m.d.sync += full.eq(0)
        with m.If(moves):
            ends = last | (place == WORD_BYTES - 1)
            m.d.sync += [place.eq(Mux(ends, 0, place + 1)), full.eq(ends)]
            with m.If(place == 0):
                m.d.sync += word.eq(self.i.payload)
            with m.Else():
                m.d.sync += word.word_select(place, 8).eq(self.i.payload)
        with m.If(idle):
            m.d.sync += [place.eq(0), full.eq(0)]
        return moves & last

    def _counters(self, m: Module, given: Value, complete: Value) -> tuple[Signal, Signal, Signal]:
        runs, clocks, busy = (Signal(32, name=name) for name in ("runs", "clocks", "busy"))
        now_clocks, now_busy, counting = Signal(32), Signal(32), Signal()
        m.d.sync += [now_clocks.eq(now_clocks + 1), now_busy.eq(now_busy + self.computing)]
        with m.If(given & ~counting):
            m.d.sync += [counting.eq(1), now_clocks.eq(1), now_busy.eq(self.computing)]
        with m.If(complete):
            m.d.sync += [
                counting.eq(0), runs.eq(runs + 1), clocks.eq(now_clocks + 1),
                busy.eq(now_busy + self.computing),
            ]  # fmt: skip
        with m.If(self.restart):
            m.d.sync += [counting.eq(0), runs.eq(0), clocks.eq(0), busy.eq(0)]
        return runs, clocks, busy


class WishboneCore(wiring.Component):
    """An engine (`systolic.core.SystolicCore`) behind these registers. flash: see `FlashPins`."""

    def __init__(self, core: Any, *, depth: int = 64) -> None:
        self.core, self.registers = core, WishboneRegisters(depth=depth)
        super().__init__(
            {"wb": In(WishboneSignature()), "flash": Out(FlashPins()), "interrupt": Out(1)},
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        core, registers = self.core, self.registers
        m.submodules.core = ResetInserter(registers.restart)(core)
        m.submodules.registers = registers
        wiring.connect(m, wiring.flipped(self.wb), registers.wb)
        wiring.connect(m, registers.o, core.i)
        wiring.connect(m, core.o, registers.i)
        wiring.connect(m, core.flash, wiring.flipped(self.flash))
        for name in ("ready", "error", "reason", "computing", "inputs", "outputs", "checksum"):
            m.d.comb += getattr(registers, name).eq(getattr(core, name))
        m.d.comb += self.interrupt.eq(registers.interrupt)
        return m


def _frame(m: Module, name: str, size: Value, step: Value, idle: Value) -> Value:
    """Counts bytes of a frame of `size`: whether the next one is its last, from a register."""
    left, last = Signal.like(size, name=f"{name}_left"), Signal(name=f"{name}_last")
    with m.If(step):
        m.d.sync += [left.eq(left - 1), last.eq(left == 2)]
    with m.If(idle | (step & last)):
        m.d.sync += [left.eq(size), last.eq(size == 1)]
    return last
