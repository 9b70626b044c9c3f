"""Clocks that a program takes: the hardware's own rules, event by event.

Nothing in the engine waits for anything but what a program determines, so clocks are computed, not simulated,
and equal those of the RTL. The rules are those of `hwgen.hw.systolic` (issue, feeder, drain, store,
sequencer), where each is explained; a RUN's clock 0 is that of its start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwgen.program.array import GROUP, PARAMETER_WORDS, Array
from hwgen.program.instructions import End, Fill, Give, Instruction, Load, Run, Take, Wait


@dataclass(frozen=True)
class Latencies:
    """Of the array as built.

    In clocks: activations: from a step to its word in the array. weights: from read to data. settled: from a
    block's last sums to their bank being readable. sums: from the read of a bank to its data. quantiser.
    load: from a Load's start to its first word; word: between its words; loaded: from the last to the end.
    give: from a Give's read to its word. again: from a pass's begin to the read of the next one's first row,
    if steps are steady. In steps: array: from a word to its sums. spread: from a word to the first row.
    spacing: least between the first steps of two passes.
    """

    activations: int
    weights: int
    settled: int
    sums: int
    quantiser: int
    array: int
    spread: int
    spacing: int
    load: int
    word: int
    loaded: int = 1
    give: int = 1
    again: int = 2


@dataclass
class Spent:
    """clocks: from an instruction's start to the next one's; of a RUN: steps with a word, bubbles, and clocks
    in which a step waited for a write to the same memory; of a LOAD: the clock in which it begins, since the
    program's start, and the one in which its last word is there."""

    instruction: Instruction
    clocks: int
    steps: int = 0
    bubbles: int = 0
    blocked: int = 0
    begins: int = 0
    ends: int = 0


def clocks(program: Sequence[Instruction], array: Array, latencies: Latencies) -> list[Spent]:
    """What each instruction of one inference takes, with inputs always there and outputs always taken.

    The sum is the interval between inferences. A clock belongs to the instruction that was started last.
    """
    spent: list[Spent] = []
    now, loaded = 0, 0  # when the next instruction is read; when the load under way ends
    arrivals = range(0)  # clocks in which the load under way writes weights
    for instruction in program:
        start = now + (1 if isinstance(instruction, End) else 3 + len(instruction.operands())) + array.steady
        entry = Spent(instruction, 0)
        if isinstance(instruction, Run):
            taken = _moved(arrivals, start) if array.shared_weights else range(0)
            busy = _Run(instruction, array, latencies, taken).play(entry)
            end = start + busy + 1
        elif isinstance(instruction, Take):
            words = instruction.d0_count * instruction.d1_count
            end = start + words * array.columns + 3 + array.steady
        elif isinstance(instruction, Fill):
            end = start + instruction.d0_count * instruction.d1_count + 2 + array.steady
        elif isinstance(instruction, Give):
            words = instruction.n0_count * instruction.n1_count
            end = start + words * (latencies.give + 1) + instruction.take * instruction.n1_count + 2
        elif isinstance(instruction, Load):
            start = max(start, loaded + 1)
            first = start + latencies.load
            arrivals = range(first, first + instruction.words * latencies.word, latencies.word)
            loaded = arrivals[-1] + latencies.loaded
            entry.begins, entry.ends = start, loaded
            end = start
        elif isinstance(instruction, Wait):
            end = max(start, loaded + 1)
        else:
            end = start + 1
        entry.clocks, now = end - now, end
        spent.append(entry)
    return spent


def _moved(clocks: range, start: int) -> range:
    return range(clocks.start - start, clocks.stop - start, clocks.step)


class _Run:
    """One RUN, clock by clock where something can happen, pass by pass where nothing does."""

    def __init__(self, run: Run, array: Array, latencies: Latencies, taken: range) -> None:
        self.run, self.array, self.latencies = run, array, latencies
        self.taken = taken  # clocks in which the weight memory is written
        self.steps = 0  # all so far, bubbles too
        self.writes: list[int] = []  # clocks in which words are written
        self.next_write = 0
        self.last_sums: list[int] = []  # the steps with which blocks' sums will be complete
        self.drain_ends = -1
        self.read_out: list[int] = []  # clock from which block k's bank is free
        self.swap_step = 0  # number of the first step with the weights in the array
        self.swap_clocks: list[int] = []  # clocks of the steps from there on that change weights
        self.feeding = 0  # clock after which the feeder may read the next rows
        self.full: int | None = self._filled(self._read(0, PARAMETER_WORDS + array.rows))  # the next weights

    def play(self, entry: Spent) -> int:
        """Clock in which `busy` is low again."""
        run, spacing = self.run, self.latencies.spacing
        length, passes = run.n0_count * run.n1_count, run.p0_count * run.p1_count
        blocks = run.b_count * run.t_count
        clock, age = 1, spacing
        for block in range(blocks):
            for number in range(passes):
                swaps = number == 0 or not run.hold
                while not self._ready(clock, age, swaps, block if number == 0 else None) or self._blocked(
                    clock
                ):
                    if self._ready(clock, age, swaps, block if number == 0 else None):
                        entry.blocked += 1
                    else:
                        entry.bubbles += 1
                        self._step(clock, 1)
                        age = min(age + 1, spacing)
                    clock += 1
                if swaps:
                    last_pass = run.hold or number == passes - 1
                    self._took(clock, last_pass, ends=last_pass and block == blocks - 1)
                if number == passes - 1:
                    self.last_sums.append(self.steps + length - 1 + self.latencies.array)
                clock = self._pass(clock, length, entry)
                age = min(length, spacing)
        while len(self.read_out) < blocks:
            entry.bubbles += 1
            self._step(clock, 1)
            clock += 1
        entry.steps = blocks * passes * length
        return self.writes[-1] + 1

    def _ready(self, clock: int, age: int, swaps: bool, block: int | None) -> bool:
        if age < self.latencies.spacing or (swaps and (self.full is None or clock < self.full)):
            return False
        return (
            block is None
            or block < 2
            or (len(self.read_out) > block - 2 and self.read_out[block - 2] <= clock)
        )

    def _blocked(self, clock: int) -> bool:
        return self.array.shared_activations and self._write_from(clock) == clock

    def _write_from(self, clock: int) -> int | None:
        """The first write that is not before `clock`."""
        while self.next_write < len(self.writes) and self.writes[self.next_write] < clock:
            self.next_write += 1
        return self.writes[self.next_write] if self.next_write < len(self.writes) else None

    def _pass(self, clock: int, left: int, entry: Spent) -> int:
        """Steps of a pass from `clock` on; the clock after its last."""
        while left:
            steps = left
            if self.last_sums:  # what they set off may fall into this pass
                steps = min(steps, self.last_sums[0] - self.steps + 1)
            write = self._write_from(clock) if self.array.shared_activations else None
            if write is not None and write - clock < steps:
                self._step(clock, write - clock)
                left -= write - clock
                entry.blocked += 1
                clock = write + 1
            else:
                self._step(clock, steps)
                left -= steps
                clock += steps
        return clock

    def _step(self, clock: int, count: int) -> None:
        """`count` steps in as many clocks from `clock` on."""
        known = self.steps - self.swap_step
        wanted = self.latencies.spread + self.array.rows
        if 0 <= known < wanted:
            self.swap_clocks += range(clock, clock + min(count, wanted - known))
            if len(self.swap_clocks) == wanted and self.full is None and not self.array.steady:
                self._feed()
        while self.last_sums and self.last_sums[0] < self.steps + count:
            self._settled(clock + self.last_sums.pop(0) - self.steps + self.latencies.activations)
        self.steps += count

    def _took(self, clock: int, last_pass: bool, ends: bool) -> None:
        """The array takes its weights with the step of this clock; the feeder goes on to the next."""
        self.swap_step, self.swap_clocks = self.steps, []
        self.full = -1 if ends else None
        if self.array.steady:
            read = self._read(clock + 1, PARAMETER_WORDS * last_pass)
            read = self._read(max(read, clock + self.latencies.again - 1), self.array.rows)
            self.full = -1 if ends else self._filled(read)
        else:
            self.feeding = self._read(clock, PARAMETER_WORDS * last_pass)

    def _feed(self) -> None:
        """Row r is read when `spread` + r + 1 steps have been made with the weights before it."""
        read = self.feeding
        for stepped in self.swap_clocks[self.latencies.spread :]:
            read = self._read(max(read, stepped + self.latencies.activations), 1)
        self.full = self._filled(read)

    def _filled(self, read: int) -> int:
        """The first clock in which a pass can begin whose last row is read in this one."""
        if not self.array.steady:
            return read + 1
        return read + 2 if self.array.shared_weights else read

    def _read(self, clock: int, words: int) -> int:
        """The clock in which the last of `words` weight words is read, the first one after `clock`."""
        for _ in range(words):
            clock += 1
            while clock in self.taken:
                clock += 1
        return clock

    def _settled(self, clock: int) -> None:
        """A block's last sums enter its bank in this clock; when it is read out and its words are written."""
        outputs = self.run.d0_count * self.run.d1_count
        begin = max(self.drain_ends + 1, clock + self.latencies.settled + 2)
        self.drain_ends = begin + GROUP * outputs
        first = begin + self.latencies.sums + self.latencies.quantiser + GROUP + self.array.steady
        self.writes += range(first, first + GROUP * outputs, GROUP)
        self.read_out.append(self.drain_ends + self.array.steady)
