"""Reads a quad SPI flash, a nibble a clock, as 32-bit words."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

#: Commands, W25Q128JV data sheet, revision F, table 8.1.2, by job number. After the last comes a byte for
#: status register 2: bit 1 is QE, which makes /WP and /HOLD the data lines 2 and 3.
FAST_READ_QUAD, RELEASE_POWER_DOWN, VOLATILE_WRITE_ENABLE, WRITE_STATUS_2 = 0xEB, 0xAB, 0x50, 0x31
QUAD_ENABLE = 0x02
_JOBS = (FAST_READ_QUAD, RELEASE_POWER_DOWN, VOLATILE_WRITE_ENABLE, WRITE_STATUS_2)

# Clocks of a read: command on line 0 (8), address (6), mode (2), dummies (4), data. At the end of each
# clock from the last dummy on the flash puts out a nibble.
_HEAD = 19  # clocks that bring out nothing
LONGEST_WAY = (
    4  # clocks that `late` may be: a word must be seen before the next one's last nibble is asked for
)


class FlashPins(wiring.Signature):
    """The flash's pins. SCK is made where the pins are: high in the second half of a clock with clock_enable.

    That is SCK = ~clk & clock_enable, or a DDR output: 0 in the first half, clock_enable in the second.
    d_o, d_oe (a bit a line, 1 drives) and cs_n change with clk, so the flash, which samples at SCK's rise,
    has half a clock before and behind. It puts out data at SCK's fall, which is clk's rise: see
    FlashReader.late.
    """

    def __init__(self) -> None:
        lines = {"d_o": Out(4), "d_oe": Out(4), "d_i": In(4)}
        super().__init__({"clock_enable": Out(1), "cs_n": Out(1, init=1), **lines})


class FlashReader(wiring.Component):
    """word = the next four bytes from `address` on, the first byte lowest, where valid & ready.

    start: begin at `address`, when `idle`. stop: end (wins; what is not taken is lost). Between the two come
    words, the first one 27 * divide + 3 + late clocks after start, then one every 8 * divide clocks for as
    long as each is taken within 5 - late of them; else SCK waits (divide 1: a word is valid 8 clocks after
    the one before it was or 4 + late clocks after that was taken, whatever comes last). The end of the flash
    is followed by its beginning.

    The same bytes come out as `half` (16 bits, one clock half_valid for each, the second one a clock before
    its word is valid) and as `nibble` (nibble_valid; low nibble of a byte first, `index` counts those of a
    word; the last one is there when its word becomes valid), whether or not words are taken.

    After reset the flash is woken up, which takes tRES1 = 3 us, and put into quad mode; `idle` comes then.
    wake: clocks in that time. late: clocks from an SCK's end, when the flash puts out a nibble, to the one at
    whose end d_i has it: 0 where the next rising edge can sample it, 1 where there is a register at the pins
    or the way is longer than a clock. divide: clocks a nibble, for a system clock above what the board can
    do (SCK stays high for half a clock of it).

    Commands and timing: W25Q128JV data sheet, revision F (March 27, 2018): 0xAB, 0x50 and 0x31 0x02, then
    0xEB with six nibbles of address, M7-0 = 0x00 (no continuous read) and 4 dummy clocks.
    """

    def __init__(self, *, wake: int = 108, late: int = 0, divide: int = 1) -> None:
        if wake < 1 or not 0 <= late <= LONGEST_WAY or divide < 1:
            raise ValueError(f"flash: wake {wake}, late {late} (0 to {LONGEST_WAY}), divide {divide}")
        self.wake, self.late, self.divide = wake, late, divide
        super().__init__(
            {
                "flash": Out(FlashPins()),
                "start": In(1),
                "address": In(24),
                "stop": In(1),
                "idle": Out(1),
                "word": Out(32),
                "valid": Out(1),
                "ready": In(1),
                "half": Out(16),
                "half_valid": Out(1),
                "nibble": Out(4),
                "nibble_valid": Out(1),
                "index": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shift = Signal(32, reset_less=True)  # the address on its way out, then the nibbles on their way in
        loading, shifting, launching = self._issue(m, shift)

        # a nibble is on the pins `late` clocks after the SCK that brought it out
        arriving: Value = launching
        for _ in range(1 + self.late):
            later = Signal(name="arriving")
            m.d.sync += later.eq(arriving & ~self.stop)
            arriving = later
        with m.If(loading):
            m.d.sync += shift.eq(Cat(C(0, 8), self.address))
        with m.Elif(shifting | arriving):
            m.d.sync += shift.eq(Cat(self.flash.d_i, shift))

        # the flash sends a byte's high nibble first: both come out once the low one is there
        fresh, is_low, low, high = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [fresh.eq(arriving & ~self.stop), high.eq(low & ~self.stop)]
        with m.If(loading):
            m.d.sync += is_low.eq(1)
        with m.Elif(arriving):
            m.d.sync += is_low.eq(~is_low)
        m.d.comb += [
            low.eq(fresh & is_low),
            self.nibble_valid.eq(low | high),
            self.nibble.eq(Mux(high, Mux(fresh, shift[8:12], shift[4:8]), shift[:4])),
            self.half.eq(Cat(shift[8:16], shift[:8])),
            self.half_valid.eq(low & (self.index[:2] == 2)),
        ]
        with m.If(loading):
            m.d.sync += self.index.eq(0)
        with m.Elif(self.nibble_valid):
            m.d.sync += self.index.eq(self.index + 1)

        complete = Signal()
        m.d.comb += complete.eq(low & (self.index == 6))
        with m.If(complete):
            m.d.sync += [
                self.word.eq(Cat(shift[24:], shift[16:24], shift[8:16], shift[:8])),
                self.valid.eq(1),
            ]
        with m.Elif(self.ready):
            m.d.sync += self.valid.eq(0)
        with m.If(self.stop):
            m.d.sync += self.valid.eq(0)
        return m

    def _issue(self, m: Module, shift: Signal) -> tuple[Value, Value, Value]:
        """SCK, /CS and what is driven. Whether `shift` takes the address; moves; a nibble is called for."""
        wake = -(-self.wake // self.divide)
        step = Signal(max(5, (wake + 16).bit_length()))  # waking, it goes round: command, then the wait
        job = Signal(range(len(_JOBS) + 1))  # 0 waits, the last one reads
        booted = job[2]
        active, data, loading, issue = Signal(), Signal(), Signal(), Signal()
        tick: Value = C(1, 1)
        if self.divide > 1:
            pause = Signal(range(self.divide))
            m.d.sync += pause.eq(Mux(loading | (pause == 0), self.divide - 1, pause - 1))
            tick = pause == 0
        m.d.comb += [
            self.idle.eq(booted & ~active & step[2]),  # four clocks between reads: tSHSL2 is 50 ns
            loading.eq(self.start & self.idle),
            # a word's last nibble is not called for before the word register is free
            issue.eq(active & tick & ~(data & (step[:3] == 7) & self.valid)),
            self.flash.clock_enable.eq(issue),
            self.flash.cs_n.eq(~active),
        ]
        turns = issue & booted & Mux(data, step[:3] == 7, step[:5] == _HEAD - 1)
        with m.If(self.stop | loading | turns):
            m.d.sync += step.eq(0)
        with m.Elif(Mux(booted & ~active, tick & ~step[2], Mux(booted, issue, tick))):
            m.d.sync += step.eq(step + 1)
        with m.If(~booted):
            with m.If(tick & step.all()):
                m.d.sync += [job.eq(job + 1), active.eq(job != 3)]
            with m.Elif(tick & (step[:3] == 7) & (step[3] | (job != 3))):
                m.d.sync += active.eq(0)
        with m.Elif(self.stop | loading):
            m.d.sync += [active.eq(~self.stop), data.eq(0)]
        with m.Elif(turns):
            m.d.sync += data.eq(1)

        quad = Signal()  # address and mode
        m.d.comb += quad.eq(booted & step[3])
        mine = active & ~data & ~(booted & step[4])
        # /WP and /HOLD are what lines 2 and 3 are to a flash not in quad mode: high
        m.d.comb += [
            self.flash.d_oe.eq(Cat(mine, mine & quad, mine, mine)),
            self.flash.d_o.eq(
                Cat(
                    Mux(quad, shift[28], _command_bit(job[:2], step)),
                    shift[29],
                    shift[30] | ~quad,
                    shift[31] | ~quad,
                )
            ),
        ]
        return loading, issue & quad & ~data, issue & data


def _command_bit(job: Value, step: Value) -> Value:
    """Highest bit first; the byte after the last job's is QUAD_ENABLE."""
    bits = "".join(f"{byte:08b}" for byte in (*_JOBS, *[QUAD_ENABLE] * len(_JOBS)))
    table = sum(int(bit) << place for place, bit in enumerate(bits))
    return Const(table, len(bits)).bit_select(Cat(step[:3], job, step[3]), 1)
