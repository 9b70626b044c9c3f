"""What each unit of a pipeline spends its clocks on, counted in the hardware.

    unit --> UnitCounter --+
    unit --> UnitCounter --+--> one adder, one memory of 32-bit words --> word
    ...                    |

A counter of 32 bits for every state of every unit would cost more than some units. Here a unit has only the
low bits of its counters; they pass the units one after the other on a bus, and one adder keeps the whole
numbers in a memory. That is possible because a counter cannot grow by more than the time between two visits:
where its low bits have become smaller it has wrapped exactly once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce, singledispatch
from operator import and_, or_
from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hwgen.hw.layer import LayerUnit
from hwgen.hw.pad import Pad
from hwgen.hw.softmax import SoftmaxUnit
from hwgen.targets.resources import Resources

STATES = ("busy", "input", "output")
WORD_BITS = 32
_VISIT = 4  # clocks that a unit's visit takes: one a counter, and one in which the bus moves on
_ROUNDS = 4  # of visits after a frame's end, so that its last events are in the memory


@dataclass(frozen=True)
class Activity:
    """What a unit does in this clock, as `UnitCounter` wants it.

    busy: it works. blocked: it does not, although it has what it needs, since there is no room for results.
    hold: `blocked` of the clock before is to be taken instead: the unit has what it waited for and begins.
    gives: where the clocks of work depend on data: a beat leaves, the frame's last of which ends them.
    """

    busy: Value
    blocked: Value
    hold: Value
    gives: Value | None = None


@singledispatch
def activity(unit: Any) -> Activity:
    """Of a unit of which only the streams are known, `i` or `a`, `b`, `o`: busy when it takes a beat, blocked
    when all of its inputs offer one and it takes none."""
    inputs = [unit.i] if hasattr(unit, "i") else [unit.a, unit.b]
    taken = reduce(or_, [port.valid & port.ready for port in inputs])
    return Activity(taken, reduce(and_, [port.valid for port in inputs]) & ~taken, C(0))


@activity.register
def _of_layer(unit: LayerUnit) -> Activity:
    """Busy when the window issues a word, or takes one where it has more to take than to issue."""
    geometry, seen = unit.window.geometry, unit.window.reading
    if seen is None or geometry.words_in > geometry.words_out:
        port = unit.i
        return Activity(port.valid & port.ready, port.valid & ~port.ready, C(0))
    complete = ~seen.opens_row | (seen.ready != 0)
    return Activity(seen.busy, complete & ~unit.window.permit, seen.armed)


@activity.register
def _of_pad(unit: Pad) -> Activity:
    """Busy when it gives a beat: it gives more than it takes."""
    return Activity(unit.o.valid & unit.o.ready, unit.o.valid & ~unit.o.ready, C(0))


@activity.register
def _of_softmax(unit: SoftmaxUnit) -> Activity:
    """Busy whenever it waits for neither side."""
    starved, blocked = unit.i.ready & ~unit.i.valid, unit.o.valid & ~unit.o.ready
    return Activity(~(starved | blocked), blocked, C(0), unit.o.valid & unit.o.ready)


@dataclass(frozen=True)
class Watched:
    """A unit in the profile. cycles: clocks of its work, beats: of its output, both of a frame."""

    unit: Any
    cycles: int
    beats: int


class UnitCounter:
    """Low bits of a unit's counters: `counters`, in the order of STATES.

    In each clock of a frame (`counting`, a clock late) a unit is in one of four states: busy; waiting for its
    output; idle, if all of its frame's steps are done; else waiting for its input. An event is registered
    first, and counted four clocks later. m: for what is on its way; totals: for the counters, which its reset
    clears.
    """

    def __init__(self, m: Module, totals: Module, watched: Watched, counting: Value, bits: int) -> None:
        seen = activity(watched.unit)
        busy, blocked = Signal(), Signal()
        m.d.sync += [busy.eq(seen.busy), blocked.eq(Mux(seen.hold, blocked, seen.blocked))]
        step, last = busy, watched.cycles
        if seen.gives is not None:
            last = watched.beats
            (step,) = _later(m, _later(m, [seen.gives], "given"), "step")  # the last clock works, too
        steps = Signal(max(bits, bits_for(last)))
        (step,) = _later(m, [counting & step], "counted")
        (done,) = _later(totals, [steps == last], "done")
        with totals.If(step):
            totals.d.sync += steps.eq(steps + 1)
        self.counters: list[Value] = []
        events = dict(zip(STATES, (busy, ~busy & ~blocked, ~busy & blocked), strict=True))
        if seen.gives is None:
            del events["busy"]
            self.counters.append(steps[:bits])
        late = [counting & event for event in events.values()]
        for _ in range(3):
            late = _later(m, late, "late")
        for name, event in zip(events, late, strict=True):
            count = Signal(bits, name=name)
            with totals.If(event & ~done):
                totals.d.sync += count.eq(count + 1)
            self.counters.append(count)


def profile_cost(units: int) -> Resources:
    """Estimate of a `Profile` (tests/synth/test_profile_cost.py)."""
    return Resources(lut4=270, ff=215, bram=2) + Resources(lut4=76, ff=55) * units


class Profile(wiring.Component):
    """Counts, for a frame at a time, the clocks in which each of `units` is in each of STATES.

    counting: high from the clock of the frame's first input beat to that of its last output beat, and low for
    four clocks at least before the next. index: of a word, STATES in turn of the units in turn. word: the
    one that index named `latency` clocks before: its clocks in the last frame, saturating at 32 bits; 0 after
    a reset. Words can be read from `settle` clocks after `counting` on.

    Cost: tests/synth/test_profile_cost.py. Errors: ValueError without units.
    """

    latency = 3

    def __init__(self, units: Sequence[Watched]) -> None:
        if not units:
            raise ValueError("profile: there is no unit to count")
        self.units = list(units)
        self.places = max(2, len(self.units))  # so that a word is written before it is read again
        self.bits = bits_for(_VISIT * self.places)
        self.words = len(STATES) * len(self.units)
        self.settle = (_ROUNDS + 1) * _VISIT * self.places
        attributes = {"ram_style": "block"}
        self.memory = memory.Memory(shape=WORD_BITS, depth=self.words, init=[], attrs=attributes)
        super().__init__({"counting": In(1), "index": In(range(self.words)), "word": Out(WORD_BITS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        totals = Module()
        on, clear = Signal(), Signal()
        rounds = Signal(range(_ROUNDS + 1), init=_ROUNDS)  # zeros are written after a reset
        phase, token = Signal(range(_VISIT)), Signal(self.places, init=1)
        m.submodules.totals = ResetInserter(clear)(totals)
        m.d.sync += [on.eq(self.counting), clear.eq(~on & (self.counting | (rounds == 0)))]
        totals.d.sync += phase.eq(phase + 1)
        with totals.If(phase == _VISIT - 1):
            totals.d.sync += token.eq(token.rotate_left(1))
        with m.If(on):
            m.d.sync += rounds.eq(_ROUNDS)
        with m.Elif(token[-1] & (phase == _VISIT - 1) & (rounds != 0)):
            m.d.sync += rounds.eq(rounds - 1)
        bus: Value = C(0, self.bits)
        for number, watched in enumerate(self.units):
            unit = UnitCounter(m, totals, watched, on, self.bits)
            turn = Signal(2, init=3, name=f"turn{number}")
            totals.d.sync += turn.eq(Mux(token[number], phase, 3))
            passing = Signal(self.bits, name=f"bus{number}", reset_less=True)
            with totals.Switch(turn):
                for place, counter in enumerate(unit.counters):
                    with totals.Case(place):
                        totals.d.sync += passing.eq(counter)
                with totals.Default():
                    totals.d.sync += passing.eq(bus)
            bus = passing
        # unit u's first counter is on the bus's end at clock 4u + 2 + (units - 1 - u): one word a clock
        place, at = divmod(len(self.units), _VISIT)
        self._add(m, totals, bus, token[place] & (phase == at), clear)
        return m

    def _add(self, m: Module, totals: Module, bus: Value, begin: Value, clear: Value) -> None:
        """The words of one round come on the bus in the clocks after `begin`, and go into the memory."""
        m.submodules.memory = ram = self.memory
        read, write = ram.read_port(), ram.write_port()
        index, active, fresh = Signal(range(self.words)), Signal(), Signal(init=1)
        with totals.If(active):
            totals.d.sync += index.eq(index + 1)
            with totals.If(index == self.words - 1):
                totals.d.sync += [active.eq(0), fresh.eq(0)]
        with totals.If(begin):
            totals.d.sync += [index.eq(0), active.eq(1)]
        (asked,) = _later(m, [self.index], "asked")  # far from here, as whoever takes the word is
        m.d.comb += read.addr.eq(Mux(clear, asked, index))
        m.d.sync += self.word.eq(read.data)
        count, valid, first = _later(totals, _later(totals, [bus, active, fresh], "read"), "held")
        known = Signal(WORD_BITS, reset_less=True)
        totals.d.sync += known.eq(read.data)
        low, high = known[: self.bits], known[self.bits :]
        count, valid, carry, full, high = _later(
            totals,
            [count, valid, ~first & (count < low), high.all(), Mux(first, 0, high)],
            "compared",
        )
        total = Signal(WORD_BITS, reset_less=True)
        sum_ = Cat(count, (high + carry)[: len(high)])
        totals.d.sync += total.eq(Mux(carry & full, ~C(0, WORD_BITS), sum_))
        (valid,) = _later(totals, [valid], "added")
        place = Signal(range(self.words))
        with totals.If(valid):
            totals.d.sync += place.eq(Mux(place == self.words - 1, 0, place + 1))
        m.d.comb += [write.addr.eq(place), write.data.eq(total), write.en.eq(valid)]


def _later(m: Module, values: Sequence[Value], name: str) -> list[Signal]:
    """The values one clock later; those of several bits are data, which no reset clears."""
    registers = [
        Signal(len(value), name=f"{name}{k}", reset_less=len(value) > 1) for k, value in enumerate(values)
    ]
    m.d.sync += [register.eq(value) for register, value in zip(registers, values, strict=True)]
    return registers
