"""Sliding window unit: turns a stream of pixels into the words of convolution windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.counters import LoopNest, all_of
from hwgen.hw.flow import FlowSignature
from hwgen.hw.ram import Form, Ram
from hwgen.hw.stream import lanes_layout, lanes_stream
from hwgen.hw.window_math import Order, WindowGeometry
from hwgen.numeric.ranges import Range
from hwgen.targets import GENERIC, Target


@dataclass(frozen=True, eq=False)
class Reading:
    """What a buffered window's reading side does, for `hwgen.hw.profile`.

    busy: it issues a word. armed: the next group is allowed. ready: output rows that have arrived and are not
    begun. opens_row: the next group begins one.
    """

    busy: Signal
    armed: Signal
    ready: Signal
    opens_row: Signal


@dataclass(frozen=True)
class _Loop:
    """One loop of the read order: its iterations and what one of them adds to (address, y, x)."""

    count: int
    stride: tuple[int, int, int]

    def spans(self, outer: _Loop) -> bool:
        """Whether `outer` merely continues this loop, so that the two are one longer loop."""
        return outer.stride == tuple(self.count * s for s in self.stride)


def _merged(loops: Sequence[_Loop]) -> list[_Loop]:
    result: list[_Loop] = []
    for loop in loops:
        if loop.count == 1:
            continue
        if result and result[-1].spans(loop):
            result[-1] = _Loop(result[-1].count * loop.count, result[-1].stride)
        else:
            result.append(loop)
    return result


class WindowBuffer(wiring.Component):
    """Sliding window with a line buffer: o = i[oy*sh - top + kh, ox*sw - left + kw, c], padded.

    Order of the words ("dense"): for oy, ox, repeat, kh, kw, c; a group is one (oy, ox, repeat).
    Order ("depthwise"): for oy, ox, c, kh, kw; a group is one (oy, ox, c). c runs over blocks of `lanes`
    channels. Words outside the image are `pad_value` and are not stored. Images follow back to back: the
    rows of the next one enter while the last windows of the previous one are read.

    i: stream of `lanes` values in `value`, order H, W, C. o: flow of the same, widened to hold pad_value.
    permit: the consumer has room for one more group. start: a group was begun, high for one clock in the
    clock after the permit that allowed it; one permit may thus see one more start (see `OutQueue`).

    A group begins only when all of its rows have arrived, so its words come without a gap; groups follow
    each other without a gap as long as rows and permits are there. Interval: max(words in, words out)
    clocks an image (`geometry.cycles`). Latency from a group's beginning to its first word: `latency`
    clocks. Input and output rows are accounted in tokens (see `hwgen.hw.window_math`); the two sides
    meet in two small counters only, whatever the image's size.

    Pointwise windows that are read once need no buffer: then words pass through one register, and a
    group may have gaps where the producer has.

    Errors: ValueError for a geometry that makes no sense, or that needs more words than a block RAM has.
    Cost: `depth` words of memory, one adder for the address, a decrementer a loop (loops that continue
    each other are merged), and with padding a counter and a comparison a padded axis.
    Source of the idea: line buffer and SWU of FINN (Umuroglu et al., FPGA 2017), restated with tokens.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, int, int],
        value: Range,
        kernel: tuple[int, int] = (1, 1),
        stride: int | tuple[int, int] = 1,
        pad: tuple[int, int, int, int] = (0, 0, 0, 0),
        pad_value: int = 0,
        lanes: int = 1,
        order: Order = "dense",
        repeat: int = 1,
        ram: Form = "auto",
        target: Target = GENERIC,
    ) -> None:
        steps = (stride, stride) if isinstance(stride, int) else stride
        geometry = WindowGeometry(shape, kernel, steps, pad, lanes, order, repeat)
        if ram not in ("auto", "block", "distributed"):
            raise ValueError(f"window: ram must be auto, block or distributed, not {ram!r}")
        self.geometry = geometry.folded()
        self.value = value
        self.pad_value = pad_value
        padded = any(self.geometry.padded)
        self.out_value = value | Range(pad_value, pad_value) if padded else value
        width = value.width * lanes
        self.target = target
        self.memory = Ram(width=width, depth=self.depth, form=ram, target=target) if self.depth else None
        self.reading: Reading | None = None
        if self.memory:
            rows = range(self.geometry.max_rows_ready + 1)
            self.reading = Reading(
                busy=Signal(name="busy"),
                armed=Signal(name="armed"),
                ready=Signal(rows, init=self.geometry.granted_at_start, name="ready"),
                opens_row=Signal(init=1, name="opens_row"),
            )
        super().__init__(
            {
                "i": In(lanes_stream(value, lanes)),
                "o": Out(FlowSignature(lanes_layout(self.out_value, lanes))),
                "permit": In(1),
                "start": Out(1),
            }
        )

    @property
    def depth(self) -> int:
        """Words of memory."""
        return self.geometry.depth

    @property
    def latency(self) -> int:
        """Clocks from the issue of a word to its being on `o`."""
        return 1 + self.memory.latency + any(self.geometry.padded) if self.memory else 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.memory and self.reading:
            self._buffered(m, self.memory, self.reading)
        else:
            self._pass_through(m)
        return m

    def _pass_through(self, m: Module) -> None:
        is_open = Signal()
        word = self.i.valid & is_open
        loop = LoopNest(m, [self.geometry.group_words], word)
        arm = Signal()
        m.d.comb += [arm.eq(self.permit & (~is_open | (word & loop.ends))), self.i.ready.eq(is_open)]
        first = Signal(init=1)
        with m.If(word):
            m.d.sync += first.eq(loop.ends)
        m.d.sync += [
            is_open.eq(arm | (is_open & ~(word & loop.ends))),
            self.start.eq(arm),
            self.o.valid.eq(word),
            self.o.payload.eq(self.i.payload),
            self.o.first.eq(first),
            self.o.last.eq(loop.ends),
        ]

    def _buffered(self, m: Module, ram: Ram, reading: Reading) -> None:
        geometry = self.geometry
        m.submodules.memory = ram
        freed = Signal(range(max(b - a for a, b in zip(geometry.freed, geometry.freed[1:])) + 1))
        granted = Signal(range(max(geometry.grants) + 1))
        take = Signal()
        self._writer(m, ram, freed, granted)
        self._scheduler(m, reading, granted, take)
        self._reader(m, ram, reading, take, freed)

    def _writer(self, m: Module, ram: Ram, freed: Signal, granted: Signal) -> None:
        """Stores words while the row's slot is free; tells how many output rows each row completes."""
        geometry = self.geometry
        room = Signal(range(geometry.max_rows_free + 1), init=geometry.slots)
        is_open = Signal()
        begin = Signal()
        word = Signal()
        rows = geometry.grants[: _period(geometry.grants)]
        loop = LoopNest(m, [geometry.row_words, len(rows)], word, "write")
        row_end = word & loop.last[0]
        address = Signal(range(self.depth))
        m.d.comb += [
            word.eq(self.i.valid & is_open),
            begin.eq((room != 0) & (~is_open | row_end)),
            self.i.ready.eq(is_open),
            ram.write_addr.eq(address),
            ram.write_data.eq(self.i.payload),
            ram.write_en.eq(word),
        ]
        m.d.sync += [
            address.eq(address + word),
            is_open.eq(begin | (is_open & ~row_end)),
            room.eq(room + freed - begin),
            granted.eq(Mux(row_end, _lookup(m, loop.remaining[1], rows, "grant"), 0)),
        ]

    def _scheduler(self, m: Module, reading: Reading, granted: Signal, take: Signal) -> None:
        """Allows the next group ahead of time, as soon as its row is there and the consumer permits."""
        geometry = self.geometry
        ready, opens_row, armed = reading.ready, reading.opens_row, reading.armed
        arm = Signal()
        loop = LoopNest(m, [geometry.groups_per_row], arm, "group")
        m.d.comb += arm.eq(self.permit & (~opens_row | (ready != 0)) & (~armed | take))
        with m.If(arm):
            m.d.sync += opens_row.eq(loop.ends)
        m.d.sync += [
            ready.eq(ready + granted - (arm & opens_row)),
            armed.eq(arm | (armed & ~take)),
            self.start.eq(arm),
        ]

    def _loops(self) -> tuple[list[_Loop], list[_Loop], list[_Loop], _Loop]:
        """Loops within a group, within an output row, over the rows, and over images."""
        g = self.geometry
        (kh, kw), (sh, sw) = g.kernel, g.stride
        rows, columns = (int(p) for p in g.padded)  # coordinates count only where there is padding
        taps = [
            _Loop(kw, (g.blocks, 0, columns)),
            _Loop(kh, (g.row_words, rows, 0)),
        ]
        channels = _Loop(g.blocks, (1, 0, 0))
        again = _Loop(g.repeat, (0, 0, 0))
        across = _Loop(g.out_size[1], (sw * g.blocks, 0, sw * columns))
        down = _Loop(g.out_size[0], (sh * g.row_words, sh * rows, 0))
        images = _Loop(0, (g.words_in, 0, 0))
        if g.order == "dense":
            return _merged([channels, *taps]), _merged([again, across]), _merged([down]), images
        return _merged(taps), _merged([channels, across]), _merged([down]), images

    def _reader(self, m: Module, ram: Ram, reading: Reading, take: Signal, freed: Signal) -> None:
        """Issues a word a clock: counters, then one adder for the address, then the memory."""
        geometry = self.geometry
        frees = tuple(b - a for a, b in zip(geometry.freed, geometry.freed[1:]))
        inner, middle, outer, images = self._loops()
        steady = _period(frees) == 1 and (outer[0].spans(images) if outer else True)
        if steady and outer:
            images, outer = outer[0], []
        loops = [*inner, *middle, *outer]

        busy, armed = reading.busy, reading.armed
        first = Signal(init=1)
        loop = LoopNest(m, [x.count for x in loops], busy, "read")
        group_end = all_of(loop.last[: len(inner)])
        row_end = all_of(loop.last[: len(inner) + len(middle)])
        m.d.comb += take.eq(armed & (~busy | group_end))
        m.d.sync += busy.eq(take | (busy & ~group_end))
        with m.If(busy):
            m.d.sync += first.eq(group_end)
        free = _lookup(m, loop.remaining[-1] if outer else Const(0), frees if outer else frees[:1], "free")
        m.d.sync += freed.eq(Mux(busy & row_end, free, 0))

        # Coordinates of the next word = this one's + a constant that depends on which loops end.
        h, w, _ = geometry.shape
        top, bottom, left, right = geometry.pad
        starts = (-(top * w + left) * geometry.blocks, -top, -left)
        sizes = (self.depth, h + top + bottom + 1, w + left + right + 1)
        valid = Signal()
        m.d.sync += valid.eq(busy)
        places = []
        for axis, (name, start, size) in enumerate(zip(("address", "y", "x"), starts, sizes)):
            modulus = 1 << (size - 1).bit_length()
            step, rewind = [], 0
            for x in loops:
                step.append((x.stride[axis] - rewind) % modulus)
                rewind += (x.count - 1) * x.stride[axis]
            step.append((images.stride[axis] - rewind) % modulus)
            delta = Signal(range(modulus), name=f"{name}_step")
            place = Signal(range(modulus), init=start % modulus, name=name)
            choice: Value = Const(step[-1], len(delta))
            for last, value in zip(reversed(loop.last), reversed(step[:-1])):
                choice = Mux(last, choice, value)
            m.d.sync += delta.eq(choice)
            with m.If(valid):
                m.d.sync += place.eq(place + delta)
            places.append(place)

        address, y, x_ = places
        outside = Signal()
        tests = [place >= limit for place, limit, on in zip((y, x_), (h, w), geometry.padded) if on]
        m.d.sync += outside.eq(~all_of([~test for test in tests]) if tests else 0)
        m.d.comb += ram.read_addr.eq(address)
        flags = [busy, first, group_end]
        for stage in range(1 + ram.latency):
            flags = _delayed(m, flags, f"flag{stage}")
        for _ in range(ram.latency - 1):
            (outside,) = _delayed(m, [outside], "outside")
        stored = lanes_layout(self.value, geometry.lanes)(ram.read_data)
        if any(geometry.padded):
            flags = _delayed(m, flags, "out")
            word = Signal(lanes_layout(self.out_value, geometry.lanes), reset_less=True)
            with m.If(outside):  # the flip-flops' own set and reset: no look-up tables
                m.d.sync += [word[lane].eq(self.pad_value) for lane in range(geometry.lanes)]
            with m.Else():
                m.d.sync += [word[lane].eq(stored[lane]) for lane in range(geometry.lanes)]
            m.d.comb += self.o.payload.eq(word)
        else:
            m.d.comb += self.o.payload.eq(ram.read_data)
        m.d.comb += [self.o.valid.eq(flags[0]), self.o.first.eq(flags[1]), self.o.last.eq(flags[2])]


def _delayed(m: Module, values: Sequence[Value], name: str) -> list[Signal]:
    result = [Signal(len(v), name=f"{name}_{k}", reset_less=len(v) > 1) for k, v in enumerate(values)]
    m.d.sync += [register.eq(value) for register, value in zip(result, values)]
    return result


def _period(values: tuple[int, ...]) -> int:
    """Smallest period of a cyclic sequence."""
    n = len(values)
    return next(p for p in range(1, n + 1) if n % p == 0 and values == values[:p] * (n // p))


def _lookup(m: Module, remaining: Value, values: Sequence[int], name: str) -> Value:
    """values[len(values) - 1 - remaining], as the common value and its exceptions."""
    common = Counter(values).most_common(1)[0][0]
    exceptions: dict[int, list[int]] = {}
    for place, value in enumerate(reversed(values)):
        if value != common:
            exceptions.setdefault(value, []).append(place)
    if not exceptions:
        return Const(common)
    result = Signal(range(max(values) + 1), init=common, name=name)
    m.d.comb += result.eq(common)
    with m.Switch(remaining):
        for value, places in exceptions.items():
            with m.Case(*places):
                m.d.comb += result.eq(value)
    return result
