"""Matrix-vector unit: constant weights times a vector that arrives in words, `pe` outputs at a time."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Sequence
from functools import reduce

import numpy as np
from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.flow import FlowSignature
from hwgen.hw.pe import ElementFactory, shared_total
from hwgen.hw.product import DspForm, ProductForm
from hwgen.hw.product.form import Levels, bits_of, product_bounds, range_of, register
from hwgen.hw.rom import MAX_BANKS, Rom, cheapest_rom, rom_cost, rom_layout
from hwgen.hw.stream import lanes_layout
from hwgen.numeric.codes import Coded
from hwgen.numeric.ranges import Range
from hwgen.targets import Target
from hwgen.targets.resources import Resources


class ReducerPipeline(wiring.Component):
    """What MVU and VVU share: weight ROM, aligned activations, processing elements, aligned totals.

    units: for each unit its form, the lanes of a word that it multiplies, and its weights (outputs, words,
    simd). Units of one kind share a form and a module. Words follow the ROM: word 0 .. words-1, again and
    again, one for every valid input. Latency: 3 clocks (4 with weights in block RAM) plus the slowest form's.
    Where forms share a sum (`shared`), its total is one lane more after those of the outputs.
    """

    def __init__(
        self,
        units: Sequence[tuple[type[ProductForm], slice, np.ndarray]],
        *,
        lanes: int,
        value: Range,
        accumulator: Range,
        groups: int,
        rom: str,
        code: Levels | None = None,
        target: Target,
    ) -> None:
        self.value, self.target = value, target
        self.forms: dict[type[ProductForm], ProductForm] = {}
        for kind in dict.fromkeys(kind for kind, _, _ in units):
            every = np.concatenate([weights for other, _, weights in units if other == kind], axis=1)
            if code is not None:
                every = all_words(code, every)
            self.forms[kind] = kind(every, value=value, target=target)
        self.units = [(self.forms[kind], lanes_of, weights) for kind, lanes_of, weights in units]
        self.shared = self._common()
        words = units[0][2].shape[1] // groups
        self.accumulator = accumulator if code is None else self._reach(words)
        accumulator = self.accumulator
        if isinstance(value, Coded) and len(self.forms) > 1:
            raise ValueError("activations that carry codes go to units of one form")
        content = np.concatenate([form.encode(weights) for form, _, weights in self.units], axis=1)
        self.rom = Rom(content, form=rom, target=target)
        self.form_latency = max(form.latency for form in self.forms.values())
        # block RAMs sit far from the multipliers: one register on the way costs flip-flops only
        far = self.rom.form in ("bram", "exchange") or self.rom.banks > MAX_BANKS
        self.word_latency = self.rom.latency + far
        self.latency = self.word_latency + self.form_latency + 1
        outputs = sum(form.outputs for form, _, _ in self.units) + (self.shared is not None)
        super().__init__(
            {
                "i": In(FlowSignature(lanes_layout(value, lanes))),
                "o": Out(FlowSignature(lanes_layout(accumulator, outputs))),
            }
        )

    def _reach(self, words: int) -> Range:
        """What any weights of the forms' words can accumulate in groups of `words`, offsets included."""
        reaches = []
        for kind, form in self.forms.items():
            low, high = (bound.sum(axis=2) for bound in product_bounds(form.weights, self.value))
            off = kind.offset(form.weights, self.value)
            reaches.append(range_of((low + off) * words, (high + off) * words))
        return reduce(operator.or_, reaches)

    def _common(self) -> ProductForm | None:
        """The form whose shared sum all units need; ValueError if some need it and others do not."""
        kinds = list(self.forms)
        if not any(kind.shared for kind in kinds):
            return None
        if len(kinds) > 1:
            raise ValueError(f"{', '.join(kind.name for kind in kinds)}: do not share the same sum")
        return self.forms[kinds[0]]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.rom = rom = self.rom
        address = Signal(range(rom.depth))
        with m.If(self.i.valid):
            m.d.sync += address.eq(Mux(address == rom.depth - 1, 0, address + 1))
        m.d.comb += rom.addr.eq(address)

        words: Value = rom.data
        for _ in range(self.word_latency - rom.latency):
            words = register(m, words, name="word")
        x, lane = self._lanes(), self.units[0][0].lane
        for _ in range(self.word_latency):
            x = register(m, x, name="x")
        flags = self._flags(m)

        word_at, bits = 0, lane.width
        factories = {
            form: ElementFactory(form, self.accumulator, target=self.target) for form in self.forms.values()
        }
        totals: list[Value] = []
        for form, span, _ in self.units:
            word = words[word_at : word_at + form.word_bits]
            word_at += form.word_bits
            valid, keep, _ = flags[self.word_latency + form.latency]
            lanes = x[span.start * bits : span.stop * bits]
            for total in factories[form].add(m, x=lanes, word=word, keep=keep, enable=valid):
                for _ in range(self.form_latency - form.latency):
                    total = register(m, total, name="late")
                totals.append(total)
        if self.shared is not None:
            valid, keep, _ = flags[self.word_latency + self.shared.latency]
            width = self.accumulator.width
            totals.append(shared_total(m, self.shared, width, x, keep=keep, enable=valid))
        valid, _, last = flags[self.word_latency + self.form_latency]
        m.d.sync += self.o.valid.eq(valid & last)
        m.d.comb += [
            Value.cast(self.o.payload).eq(Cat(totals)),
            self.o.first.eq(1),
            self.o.last.eq(1),
        ]
        return m

    def _lanes(self) -> Value:
        """The activations as forms take them; codes are translated here, once for all units."""
        x, bits = Value.cast(self.i.payload), self.value.width
        if not isinstance(self.value, Coded):
            return x
        (form,) = self.forms.values()
        words = np.zeros(1 << bits, dtype=np.int64)
        words[self.value.lo : self.value.hi + 1] = form.translated()
        rows = bits_of(words, form.lane.width).T
        planes = [sum(int(bit) << at for at, bit in enumerate(row)) for row in rows]
        codes = [x[at : at + bits] for at in range(0, len(x), bits)]
        return Cat(C(plane, 1 << bits).bit_select(code, 1) for code in codes for plane in planes)

    def _flags(self, m: Module) -> list[tuple[Value, Value, Value]]:
        """(valid, not first, last) after 0, 1, 2 .. clocks; only valid is reset."""
        flags: list[tuple[Value, Value, Value]] = [(self.i.valid, ~self.i.first, self.i.last)]
        for _ in range(self.word_latency + self.form_latency):
            valid = Signal(name="valid")
            m.d.sync += valid.eq(flags[-1][0])
            flags.append(
                (valid, register(m, flags[-1][1], name="keep"), register(m, flags[-1][2], name="last"))
            )
        return flags


class MVU(ReducerPipeline):
    """acc[o] = offset[o] + sum over k of weights[o, k] * x[k], `pe` outputs for every group of words.

    weights: integers (O, K), K in (kh, kw, c) order. simd: activations in a word, divides K. pe: outputs in a
    group, divides O. A group is K / simd words; word j carries x[j * simd : (j + 1) * simd]. Group g computes
    outputs g * pe .. g * pe + pe - 1, and after group O / pe - 1 comes group 0 again.
    value: range of x. form: product form of every element, or one for each of the `pe` (a lone one of a form
    with two outputs becomes that form's `single`). offset: what the forms add, (O,), 0 for most.
    rom: "bram", "lut", "generic", "exchange" or "auto". code: the values that weights may take, where the ROM
    gets others later: then all widths are those of the worst weights.

    i: words, `first` and `last` at the ends of each group; a word in every clock is accepted, gaps are free.
    o: valid for one clock a group, `latency` clocks after its last word. payload: pe values of the range
    `accumulator`, the exact union over outputs of what the weights can reach, and, if `shared`, one value
    more that is to be subtracted from each modulo 2**width. `first` and `last` are 1.
    Raises ValueError for shapes that do not divide and ranges that do not fit the form.
    """

    def __init__(
        self,
        weights: np.ndarray,
        *,
        simd: int,
        pe: int,
        value: Range,
        form: type[ProductForm] | Sequence[type[ProductForm]] = DspForm,
        rom: str = "auto",
        code: Levels | None = None,
        target: Target,
    ) -> None:
        weights = integer_weights(weights)
        outputs, inputs = weights.shape
        if outputs % pe or inputs % simd:
            raise ValueError(f"pe {pe} and simd {simd} must divide the weights' shape {weights.shape}")
        self.weights, self.simd, self.pe = weights, simd, pe
        words = weights.reshape(outputs // pe, pe, inputs // simd, simd).swapaxes(0, 1).reshape(pe, -1, simd)
        units, at = [], 0
        for kind, count in paired_forms(form, pe):
            units.append((kind, slice(0, simd), words[at : at + count]))
            at += count
        self.offset = np.zeros(outputs, dtype=np.int64)
        at = 0
        for kind, _, own in units:
            off = kind.offset(own, value)
            for row in range(kind.outputs):
                self.offset[at + row :: pe] = off[row].reshape(outputs // pe, -1).sum(axis=1)
            at += kind.outputs
        super().__init__(
            units,
            lanes=simd,
            value=value,
            accumulator=accumulator_range(weights, value, self.offset),
            groups=outputs // pe,
            rom=rom,
            code=code,
            target=target,
        )


def accumulator_range(weights: np.ndarray, value: Range, offset: np.ndarray | int = 0) -> Range:
    """Exact range of `weights @ x + offset` over all rows, each x in `value`."""
    low, high = product_bounds(integer_weights(weights), value)
    return range_of(low.sum(axis=1) + offset, high.sum(axis=1) + offset)


def paired_forms(
    form: type[ProductForm] | Sequence[type[ProductForm]], pe: int
) -> list[tuple[type[ProductForm], int]]:
    """(form, outputs) of the units that serve `pe` outputs in order, equal neighbours together."""
    kinds = [form] * pe if isinstance(form, type) else list(form)
    if len(kinds) != pe:
        raise ValueError(f"form names {len(kinds)} elements, not {pe}")
    units: list[tuple[type[ProductForm], int]] = []
    at = 0
    while at < pe:
        kind = kinds[at]
        if kind.outputs > 1 and kinds[at : at + kind.outputs] != [kind] * kind.outputs:
            if kind.single is None:
                raise ValueError(f"{kind.name} serves {kind.outputs} outputs at a time, not one")
            kind = kind.single
        units.append((kind, kind.outputs))
        at += kind.outputs
    return units


def all_words(code: Levels, like: np.ndarray) -> np.ndarray:
    """Words (outputs, n, simd) that show a form all that weights of `code` can be.

    Every value in all places at once, and every choice of the least and the greatest for even and odd outputs
    in even and odd lanes: a form joins two outputs or two lanes at most, and is linear in each.
    """
    outputs, _, simd = like.shape
    lane, output = np.arange(simd) % 2, np.arange(outputs)[:, None] % 2
    corners = [np.where(choice >> (2 * output + lane) & 1, code[-1], code[0]) for choice in range(16)]
    levels = [np.full((outputs, simd), level) for level in code]
    return np.stack([*corners, *levels], axis=1).astype(np.int64)


def integer_weights(weights: np.ndarray) -> np.ndarray:
    """`weights` as int64; ValueError unless a non-empty integer matrix."""
    result = np.asarray(weights)
    if result.ndim != 2 or not result.size or not np.issubdtype(result.dtype, np.integer):
        raise ValueError("weights must be a non-empty two-dimensional integer array")
    return result.astype(np.int64)


def reducer_cost(
    *,
    form: type[ProductForm] | Sequence[type[ProductForm]],
    simd: int,
    pe: int,
    lanes: int,
    depth: int,
    levels: Levels,
    value: Range,
    accumulator: Range,
    rom: str = "auto",
    target: Target,
) -> Resources:
    """Estimate of a ReducerPipeline: `pe` outputs of `simd` products from words of `lanes` activations, and
    `depth` words of weights with the values `levels`; near synthesis (tests/synth/test_mvu_cost.py)."""
    total, width = Resources(), 0
    kinds = Counter(kind for kind, _ in paired_forms(form, pe))
    for kind, count in kinds.items():
        total += kind.cost(simd, levels, value, accumulator, target=target) * count
        width += kind.code_bits(simd, levels, value) * count
    total += next(iter(kinds)).shared_cost(simd, value, accumulator, target=target)
    rom = cheapest_rom(width, depth, target) if rom == "auto" else rom
    lut, blocks = rom_cost(width, depth, target, rom)
    counter = (depth - 1).bit_length()
    deep = rom == "bram" and rom_layout(width, depth, target).deep
    registered = deep or rom == "exchange" or (rom == "bram" and target.instances)  # as in ReducerPipeline
    words = width if depth > 1 and (registered or rom == "lut") else 0
    delays = (3 if registered else 2) * lanes * value.width
    control = Resources(lut4=2 * counter + 2, ff=2 * counter + 30)
    return total + target.delay(delays) + control + Resources(lut4=lut, ff=words, bram=blocks)
