"""Reads instructions from program memory into registers and starts what carries them out."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.program.instructions import (
    INSTRUCTIONS,
    OPCODE_BITS,
    WORD,
    End,
    Fill,
    Give,
    Instruction,
    Load,
    Run,
    Take,
    Wait,
)

FIELDS = Run.operands()
#: Which register takes an instruction's first field; its others follow. Loops that several share lie in one
#: place.
FIRST = {Run: "o", Take: "o", Fill: "o", Give: "x", Load: "p0_delta", Wait: "o", End: "o"}
#: Bits of a register where Run alone would want fewer: Give's `take` lies in p0_count.
WIDE = {"p0_count": WORD}


def register_of(kind: type[Instruction], field: str) -> str:
    """Name of the register that holds an instruction's field."""
    return FIELDS[FIELDS.index(FIRST[kind]) + kind.operands().index(field)]


class Sequencer(wiring.Component):
    """enable: the program memory is filled. address, word: of the program memory, `latency` (1 or 2) clocks
    apart; every instruction takes a clock more with 2.

    f_<name>: the registers, by RUN's fields (`register_of`); flags: those of the opcode's word. start_<kind>:
    begins that instruction, for one clock; busy_<kind>: it is under way (low in the clock of its start).
    running: a RUN is under way. Wait waits while busy_load, a Load also before it starts; End starts over.
    """

    def __init__(self, *, latency: int = 1) -> None:
        self.ahead = latency - 1  # words that are asked for before the one before them is known
        self.kinds = [kind for kind in INSTRUCTIONS if kind not in (Wait, End)]
        ports = {"enable": In(1), "address": Out(WORD), "word": In(WORD), "running": Out(1)}
        ports |= {f"f_{name}": Out(self._width(name)) for name in FIELDS}
        ports |= {f"flag_{name}": Out(1) for name in Run.flags}
        for kind in self.kinds:
            ports |= {f"start_{kind.__name__.lower()}": Out(1), f"busy_{kind.__name__.lower()}": In(1)}
        super().__init__(ports)

    @staticmethod
    def _width(name: str) -> int:
        return WIDE.get(name, Run.limits.get(name, 8 if name.endswith("_count") else WORD))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        opcode = Signal(OPCODE_BITS)
        register, left = Signal(range(len(FIELDS))), Signal(range(len(FIELDS) + 1))
        m.d.sync += [getattr(self, f"start_{kind.__name__.lower()}").eq(0) for kind in self.kinds]
        ends = Signal()  # `left` is 1
        busy: Value = Signal()
        m.d.comb += busy.eq(0)
        with m.Switch(opcode):
            for kind in self.kinds:
                if kind is not Load:
                    with m.Case(kind.opcode):
                        name = kind.__name__.lower()
                        m.d.comb += busy.eq(getattr(self, f"busy_{name}") | getattr(self, f"start_{name}"))
            with m.Case(Load.opcode, Wait.opcode):
                m.d.comb += busy.eq(self.busy_load | self.start_load)
        m.d.comb += self.running.eq((opcode == Run.opcode) & self.busy_run)
        with m.FSM():
            with m.State("STOP"), m.If(self.enable):
                m.next = "READ"
            with m.State("READ"):  # the word of `address` is there in the next clock
                m.d.sync += self.address.eq(self.address + 1)
                m.next = "AHEAD" if self.ahead else "OPCODE"
            if self.ahead:
                with m.State("AHEAD"):
                    m.d.sync += self.address.eq(self.address + 1)
                    m.next = "OPCODE"
            with m.State("OPCODE"):
                m.d.sync += opcode.eq(self.word)
                flags = [getattr(self, f"flag_{name}") for name in Run.flags]
                m.d.sync += [flag.eq(self.word[OPCODE_BITS + at]) for at, flag in enumerate(flags)]
                m.next = "EXECUTE"
                if self.ahead:
                    m.d.sync += self.address.eq(self.address - 1)
                with m.Switch(self.word[:OPCODE_BITS]):
                    for kind in self.kinds:
                        with m.Case(kind.opcode):
                            m.d.sync += [
                                register.eq(FIELDS.index(FIRST[kind])),
                                left.eq(len(kind.operands())),
                                ends.eq(len(kind.operands()) == 1),
                                self.address.eq(self.address + 1),
                            ]
                            m.next = "FIELDS"
                    with m.Case(End.opcode):
                        m.d.sync += self.address.eq(0)
                        m.next = "READ"
            with m.State("FIELDS"):
                m.d.sync += [register.eq(register + 1), left.eq(left - 1), ends.eq(left == 2)]
                with m.Switch(register):
                    for number, name in enumerate(FIELDS):
                        with m.Case(number):
                            m.d.sync += getattr(self, f"f_{name}").eq(self.word)
                with m.If(ends):
                    m.next = "EXECUTE"
                    if self.ahead:
                        m.d.sync += self.address.eq(self.address - 1)
                with m.Else():
                    m.d.sync += self.address.eq(self.address + 1)
            with m.State("EXECUTE"):
                with m.Switch(opcode):
                    for kind in self.kinds:
                        with m.Case(kind.opcode):
                            start = getattr(self, f"start_{kind.__name__.lower()}")
                            with m.If(~busy):
                                m.d.sync += start.eq(1)
                                m.next = "READ" if kind is Load else "UNDERWAY"
                    with m.Default():
                        with m.If(~busy):
                            m.next = "READ"
            with m.State("UNDERWAY"), m.If(~busy):
                m.next = "READ"
        return m
