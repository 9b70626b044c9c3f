"""Processing element: a product form with its accumulators, one module shared by all equal elements."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw import carry
from hwgen.hw.leaf import Leaf
from hwgen.hw.product import ProductForm
from hwgen.hw.stream import shape_of
from hwgen.numeric.ranges import Range
from hwgen.targets import Target


class ProcessingElement(wiring.Component):
    """total[i] = sums[i] + (total[i] if keep else 0), in the clocks with `enable`; i < form.outputs.

    x: the activations of all lanes, lane 0 lowest. word: ROM word. keep, enable: valid `form.latency` clocks
    after their x and word. total: the accumulators side by side, `accumulator.width` bits each; they change
    one clock after `enable`. Sums are taken modulo 2**width, so only the finished totals need fit.
    """

    def __init__(self, form: ProductForm, accumulator: Range) -> None:
        self.form = form
        self.accumulator = accumulator
        super().__init__(
            {
                "x": In(form.simd * form.lane.width),
                "word": In(form.word_bits),
                "keep": In(1),
                "enable": In(1),
                "total": Out(form.outputs * accumulator.width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        form, width = self.form, self.accumulator.width
        lanes = split_lanes(self.x, form.lane)
        totals = []
        for each in form.build(m, lanes, self.word):
            total = Signal(signed(width), name="total", reset_less=True)
            following = carry.accumulate(
                m, each.value, total, self.keep, width, target=form.target, carry=each.carry
            )
            with m.If(self.enable):
                m.d.sync += total.eq(following)
            totals.append(total)
        m.d.comb += self.total.eq(Cat(totals))
        return m


def split_lanes(x: Value, value: Range) -> list[Value]:
    """The activations in a word, lane 0 lowest."""
    bits, shape = value.width, shape_of(value)
    lanes = [x[at : at + bits] for at in range(0, len(x), bits)]
    return [lane.as_signed() if shape.signed else lane for lane in lanes]


def shared_total(m: Module, form: ProductForm, width: int, x: Value, *, keep: Value, enable: Value) -> Value:
    """Running total of what `form` shares, as ProcessingElement keeps its own."""
    total = Signal(signed(width), name="shared", reset_less=True)
    word = form.build_shared(m, split_lanes(x, form.value))
    with m.If(enable):
        m.d.sync += total.eq(carry.accumulate(m, word, total, keep, width, target=form.target))
    return total


class ElementFactory:
    """Makes the equal elements of one layer: a shared leaf if the target has instances, else submodules."""

    def __init__(self, form: ProductForm, accumulator: Range, *, target: Target) -> None:
        self.form, self.accumulator, self.target = form, accumulator, target
        self._leaf: Leaf | None = None

    def add(self, m: Module, *, x: Value, word: Value, keep: Value, enable: Value) -> list[Value]:
        """One element; its totals, one for each output."""
        width = self.accumulator.width
        total = Signal(self.form.outputs * width, name="total")
        if self.target.instances:
            if self._leaf is None:
                element = ProcessingElement(self.form, self.accumulator)
                self._leaf = Leaf(element, f"pe_{self.form.name}_s{self.form.simd}")
            m.submodules += self._leaf.instance(x=x, word=word, keep=keep, enable=enable, total=total)
        else:
            m.submodules += (element := ProcessingElement(self.form, self.accumulator))
            m.d.comb += [
                element.x.eq(x),
                element.word.eq(word),
                element.keep.eq(keep),
                element.enable.eq(enable),
                total.eq(element.total),
            ]
        return [total[at * width : (at + 1) * width] for at in range(self.form.outputs)]
