"""Staircase unit: the activation of a layer in its cheapest exact form."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.flow import FlowSignature
from hwgen.hw.product.form import register
from hwgen.hw.staircase.comparators import ComparatorForm
from hwgen.hw.staircase.cuts import CutsForm
from hwgen.hw.staircase.form import NoForm, StaircaseForm
from hwgen.hw.staircase.framed import FramedForm
from hwgen.hw.staircase.linear import LinearForm
from hwgen.hw.staircase.lookup import LookupForm
from hwgen.hw.staircase.rows import RowOrder, RowTable, row_order
from hwgen.hw.staircase.search import SearchForm
from hwgen.hw.stream import lanes_layout, shape_of
from hwgen.numeric.fit import Weights, fit_linear
from hwgen.numeric.frame import LineFrame
from hwgen.numeric.linear import LinearFit
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase
from hwgen.targets import Target
from hwgen.targets.resources import Resources

FORMS = ("table", "comparators", "search", "linear", "framed", "cuts")
DSP_PRICE = 100  # LUT4s; an ECP5-85F has 536 for each multiplier, but products want them more

_FITS: WeakKeyDictionary[Staircase, dict[object, LinearFit | None]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class StaircasePlan:
    """A chosen form with its table: what a unit is built from, and what it costs."""

    form: StaircaseForm
    table: RowTable
    order: RowOrder

    @property
    def latency(self) -> int:
        """Clocks from x to y."""
        return self.table.latency + self.form.latency

    @property
    def cost(self) -> Resources:
        """All lanes, the table, and the flags beside them."""
        target = self.form.target
        each = self.form.cost() + target.delay(self.table.latency * self.form.value.width)
        return each * self.order.lanes + self.table.cost() + target.delay(3 * self.latency)

    def price(self, dsp_price: float) -> float:
        """Cost in LUT4s; two flip-flops come with two LUT4s, so that they are half free."""
        cost, bram = self.cost, self.form.target.bram_luts
        return cost.lut4 + cost.ff / 4 + dsp_price * cost.dsp + bram * cost.bram


def plan_staircase(
    stair: Staircase,
    *,
    lanes: int,
    channels: int,
    value: Range,
    target: Target,
    split_at: Ints | None = None,
    form: str = "auto",
    dsp_price: float = DSP_PRICE,
) -> StaircasePlan:
    """The cheapest exact form (or the named one) for words of `lanes` of `channels` values in `value`.

    A staircase with a frame gets the form of its frame, its table in block RAM whatever it holds. Raises
    ValueError where lanes, rows or ranges do not fit each other, NoForm where `form` cannot do it.
    """
    if form != "auto" and form not in FORMS:
        raise ValueError(f"staircase: form must be auto or one of {', '.join(FORMS)}, not {form!r}")
    order = row_order(stair, lanes, channels)
    if stair.frame is not None:
        kind = "framed" if isinstance(stair.frame, LineFrame) else "cuts"
        framed = _form(kind, stair, value, target, order, split_at, dsp_price)
        table = RowTable(framed.fields, order, target=target, form="exchange")
        return StaircasePlan(framed, table, order)
    plans: list[StaircasePlan] = []
    reasons: list[str] = []

    def price(plan: StaircasePlan) -> float:
        return plan.price(dsp_price)

    def attempt(name: str) -> bool:
        try:
            built = _form(name, stair, value, target, order, split_at, dsp_price)
        except NoForm as reason:
            reasons.append(f"{name}: {reason}")
            return False
        plans.append(StaircasePlan(built, RowTable(built.fields, order, target=target), order))
        return True

    if form != "auto":
        attempt(form)
    else:
        attempt("table")
        if attempt("comparators"):
            attempt("search")
        if not plans or lanes * LinearForm.least(stair, value, dsp_price) < min(map(price, plans)):
            attempt("linear")
        if not plans:
            attempt("search")  # exact for anything, but many steps make it slow and large
    if not plans:
        raise NoForm("; ".join(reasons))
    return min(plans, key=price)


def _form(
    name: str,
    stair: Staircase,
    value: Range,
    target: Target,
    order: RowOrder,
    split_at: Ints | None,
    dsp_price: float,
) -> StaircaseForm:
    if name == "comparators":
        return ComparatorForm(stair, value, target, order)
    if name == "table":
        return LookupForm(stair, value, target)
    if name == "search":
        return SearchForm(stair, value, target, order)
    if name == "cuts":
        return CutsForm(stair, value, target)
    if name == "framed":
        return FramedForm(stair, value, target, split_at)
    weights = Weights(table=_bit_price(order, target), part=dsp_price, operand=target.operand)
    return LinearForm(stair, value, target, _fit(stair, split_at, weights), dsp_price)


def _bit_price(order: RowOrder, target: Target) -> float:
    """LUT4s for one column of one lane's table, block RAMs at the family's own price: fits take long, so
    that a planner's other prices share them."""
    if order.depth == 1:
        return 0.0
    lut = 1.0 if order.depth <= 16 else order.depth * 1.4 / 16
    return min(lut, type(target).bram_luts / max(shape.width for shape in target.rom_shapes))


def _fit(stair: Staircase, split_at: Ints | None, weights: Weights) -> LinearFit | None:
    """`fit_linear`, remembered as long as the staircase lives: planners ask again and again."""
    known = _FITS.setdefault(stair, {})
    place = weights.operand, None if split_at is None else split_at.tobytes()
    key = (weights, place)
    if key not in known:
        fit = None if place in known else fit_linear(stair, split_at, weights)
        known[key] = fit
        if fit is None:
            known[place] = None  # whatever bits are worth, no line follows these steps
    return known[key]


def staircase_cost(
    stair: Staircase,
    *,
    lanes: int,
    channels: int,
    target: Target,
    value: Range | None = None,
    form: str = "auto",
    dsp_price: float = DSP_PRICE,
) -> Resources:
    """What `StaircaseUnit` with these arguments takes; estimates pinned by synthesis in the tests."""
    return plan_staircase(
        stair,
        lanes=lanes,
        channels=channels,
        value=value or stair.input_range,
        target=target,
        form=form,
        dsp_price=dsp_price,
    ).cost


class StaircaseUnit(wiring.Component):
    """y = stair(x) for every value of a flow, `latency` clocks later, a word a clock.

    i: flow of `lanes` values in `value`; words in the order H, W, C-block of a tensor with `channels`
    channels (a pixel's rows, where the staircase has them, follow H, W). The unit counts words for itself and
    starts at the first channel of the first pixel. o: flow of `lanes` values in stair.range.
    split_at: (rows,) the accumulator's zero where known (minus the bias), a help for the fit.
    form: "linear", "comparators", "table", "search", "framed", "cuts", or "auto" for the cheapest, a
    multiplier being worth `dsp_price` LUT4s. first, last and gaps pass through.
    Errors: ValueError where lanes, rows and ranges do not fit each other or the form cannot be exact.
    """

    def __init__(
        self,
        stair: Staircase,
        *,
        lanes: int,
        channels: int,
        value: Range,
        target: Target,
        split_at: Ints | None = None,
        form: str = "auto",
        dsp_price: float = DSP_PRICE,
    ) -> None:
        self.plan = plan_staircase(
            stair,
            lanes=lanes,
            channels=channels,
            value=value,
            target=target,
            split_at=split_at,
            form=form,
            dsp_price=dsp_price,
        )
        self.lanes, self.value, self.out = lanes, value, stair.range
        self.latency = self.plan.latency
        super().__init__(
            {
                "i": In(FlowSignature(lanes_layout(value, lanes))),
                "o": Out(FlowSignature(lanes_layout(stair.range, lanes))),
            }
        )

    @property
    def form(self) -> str:
        """Name of the form chosen."""
        return self.plan.form.name

    @property
    def cost(self) -> Resources:
        """Estimate of what the unit takes."""
        return self.plan.cost

    def elaborate(self, platform: object) -> Module:
        m = Module()
        flags: list[Value] = [self.i.valid, self.i.first, self.i.last]
        for _ in range(self.latency):
            valid = Signal(name="valid")
            m.d.sync += valid.eq(flags[0])
            flags = [valid, register(m, flags[1], name="first"), register(m, flags[2], name="last")]
        m.d.comb += [
            port.eq(flag) for port, flag in zip((self.o.valid, self.o.first, self.o.last), flags, strict=True)
        ]

        params = self.plan.table.build(m, self.i.valid)
        results = []
        for lane in range(self.lanes):
            x: Value = self.i.payload[lane]
            for _ in range(self.plan.table.latency):
                x = register(m, x, name="x")
            row = {name: values[lane] for name, values in params.items()}
            y = Signal(shape_of(self.out), name="y")
            m.d.comb += y.eq(self.plan.form.build(m, x, row, lane))
            results.append(y)
        m.d.comb += Value.cast(self.o.payload).eq(Cat(results))
        return m
