"""y = clamp((M[r]*d + A[r]) >> shift) with d = x + centre[r]: adder, multiplier, adder, clamp."""

from __future__ import annotations

from math import ceil

import numpy as np
from amaranth.hdl import C, Cat, Const, Module, Mux, Signal, Value

from hwgen.hw import carry
from hwgen.hw.product.form import bits_of, register
from hwgen.hw.rom import Rom, rom_cost
from hwgen.hw.staircase.form import NoForm, StaircaseForm
from hwgen.hw.staircase.multiply import ConstantProduct, WideProduct
from hwgen.hw.staircase.rows import Field
from hwgen.hw.stream import shape_of
from hwgen.numeric.linear import LinearFit
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import Staircase
from hwgen.targets import Target
from hwgen.targets.resources import Resources


class LinearForm(StaircaseForm):
    """The arithmetic of `hwgen.numeric.linear.LinearFit`.

    Stages: centre (skipped where all centres are 0) | product, 2 to 4 | offset | clamp | base (skipped where
    the lowest output is 0 or flips one bit). Below d = 0 a mirrored fit adds the inverted offset: free in the
    adder's LUTs. Whether d left the window is told by its upper bits and waits beside the multiplier.
    """

    name = "linear"

    def __init__(
        self, stair: Staircase, value: Range, target: Target, fit: LinearFit | None, dsp_price: float
    ) -> None:
        super().__init__(stair, value, target)
        if fit is None:
            raise NoForm("no line follows all steps")
        self.fit = fit
        self.centred = bool(np.any(fit.centre))
        self.d = (value + Range.of(fit.centre)) if self.centred else value
        low, high = (min(max(end, fit.window.lo), fit.window.hi) for end in (self.d.lo, self.d.hi))
        self.operand = Range(low, high)
        self.multiplier = Range.of(fit.multiplier)
        self.product = self._cheapest_product(dsp_price)
        offsets = Range.of(np.concatenate([fit.offset, fit.below]))
        total = self.product.range + offsets
        if fit.exceptions is not None:
            total = total | (total + (1 << fit.zeros))
        self.z = Range(total.lo >> fit.shift, total.hi >> fit.shift)
        self.base = self._base()

    @staticmethod
    def least(stair: Staircase, value: Range, dsp_price: float) -> float:
        """LUT4s below which no lane of this form stays: where the rows' slopes differ it has a multiplier.

        Infinite for a single step in each row: a comparison has the smaller table.
        """
        low, high = np.maximum(stair.lo, value.lo), np.minimum(stair.hi, value.hi)
        reached = np.sum(stair.steps <= high[:, None], axis=1)
        passed = np.sum(stair.steps <= low[:, None], axis=1)
        some = reached - passed > 1
        if not some.any():
            return float("inf")
        first, last = (stair.steps[some, at[some]] for at in (passed, reached - 1))
        climb = (reached - passed - 1)[some]
        flattest = climb / (last - first + 1)
        with np.errstate(divide="ignore"):
            steepest = np.where(last - first > 1, climb / (last - first - 1), np.inf)
        alike = bool(flattest.max() < steepest.min())
        return stair.range.width + (0 if alike else dsp_price)

    def _cheapest_product(self, dsp_price: float) -> ConstantProduct | WideProduct:
        """Shifts and adders where the multiplier is one constant and they cost less."""
        products: list[ConstantProduct | WideProduct] = []
        if self.multiplier.lo == self.multiplier.hi > 0:
            products.append(ConstantProduct(self.operand, self.multiplier.lo, self.target))
        try:
            products.append(WideProduct(self.operand, self.multiplier, self.target))
        except ValueError as error:
            if not products:
                raise NoForm(str(error)) from None
        return min(products, key=lambda product: product.cost().lut4 + dsp_price * product.cost().dsp)

    def _base(self) -> str:
        """How z becomes y: "same", "flip" (top bit), "add" in a stage of its own, or "table"."""
        clamp, falling = self.fit.clamp, self.fit.falling
        if self.fit.table is not None:
            if falling.any() and not falling.all():
                raise NoForm("rising and falling rows do not share a table")
            return "table"
        if falling.any():
            return "add"
        if clamp.lo == 0:
            return "same"
        return "flip" if clamp.lo == -(1 << (clamp.width - 1)) and self.fit.top < 1 << clamp.width else "add"

    @property
    def _exceptions(self) -> int:
        return 0 if self.fit.exceptions is None else self.fit.exceptions.shape[1]

    @property
    def _adds(self) -> bool:
        """Whether there is an offset at all."""
        return bool(self.fit.offset.any() or self.fit.below.any() or self._exceptions)

    @property
    def _add_stage(self) -> int:
        return int(self.centred) + self.product.latency

    @property
    def _turn_stage(self) -> int:
        """Where a mirrored offset is inverted: a stage before it is added, if there is one."""
        return self._add_stage - (self.product.latency > 0)

    @property
    def latency(self) -> int:
        return self._add_stage + self._adds + 1 + {"add": 1, "table": Rom.latency}.get(self.base, 0)

    @property
    def fields(self) -> list[Field]:
        fit = self.fit
        fields = [
            Field("multiplier", fit.multiplier, int(self.centred)),
            Field(
                "offset",
                fit.offset >> fit.zeros,
                self._turn_stage if fit.middle is not None else self._add_stage,
            ),
        ]
        if self.centred:
            fields.append(Field("centre", fit.centre, 0))
        if fit.still.any():
            fields.append(Field("still", fit.still.astype(np.int64), int(self.centred)))
        if fit.exceptions is not None:
            for k, places in enumerate(fit.exceptions.T):
                fields.append(Field(f"exception{k}", places, int(self.centred)))
        if fit.falling.any() and self.base == "add":
            fields.append(Field("falling", fit.falling.astype(np.int64), self.latency - 1))
        return fields

    def build(self, m: Module, x: Value, row: dict[str, Value], lane: int = 0) -> Value:
        fit = self.fit
        d: Value = x
        if self.centred:
            total = carry.add(m, x, row["centre"], self.d.width, target=self.target)
            d = register(m, total, self.d)
        under, over = self._outside(d)
        operand = d[: self.operand.width]
        if self.operand.signed:
            operand = operand.as_signed()
        product = self.product.build(m, operand, row["multiplier"])
        extra, extra_stage = self._exception(m, operand, row)
        negative: Value = d[-1] if self.d.signed and fit.middle is not None else C(0, 1)
        if "still" in row:
            under, over, negative = under & ~row["still"], over & ~row["still"], negative & ~row["still"]
        offset = row["offset"]
        for stage in range(int(self.centred), self._add_stage + 1):
            if stage == self._turn_stage and fit.middle is not None:
                offset = self._mirror(m, offset, negative)
            if stage < self._add_stage:
                under, over, negative = (_late(m, flag) for flag in (under, over, negative))
                extra = _late(m, extra) if stage >= extra_stage else extra
        if self._adds:
            z = self._offset(m, product, offset, extra)
            under, over = _late(m, under), _late(m, over)
        else:
            z = carry.floored(product, fit.shift)
        return self._clamp(m, z, under, over, row)

    def _outside(self, d: Value) -> tuple[Value, Value]:
        """Whether d lies below and above the window, from its upper bits."""
        window = self.fit.window
        if self.d in window:
            return C(0, 1), C(0, 1)
        used = window.width - window.signed
        upper = d[used:]
        if not self.d.signed:
            return C(0, 1), upper.any()
        sign = d[-1]
        under = sign & ~upper.all() if window.signed else sign
        return under, ~sign & upper.any()

    def _exception(self, m: Module, d: Value, row: dict[str, Value]) -> tuple[Value, int]:
        """Whether d is one of the row's exceptions, and at which stage that is known."""
        found, early = [], self.product.latency >= 2
        for k in range(self._exceptions):
            place = row[f"exception{k}"]
            width = max(len(d), len(place))
            differ = [carry.bit(d, i) ^ carry.bit(place, i) for i in range(width)]
            parts = [~Cat(differ[at : at + 4]).any() for at in range(0, width, 4)]
            found.append(Cat(register(m, part) if early else part for part in parts).all())
        return Cat(found).any() if found else C(0, 1), int(self.centred) + early

    def _offset(self, m: Module, product: Value, offset: Value, extra: Value) -> Value:
        """(product + A) >> shift, registered; the bits below the offsets' last one only truncate."""
        cut = self.fit.shift - self.fit.zeros
        term = carry.floored(product, self.fit.zeros)
        first: Value | int = extra if self._exceptions else 0
        total = carry.add(m, term, offset, self.z.width + cut, target=self.target, carry=first)
        return register(m, total[cut:], self.z, name="z")

    def _mirror(self, m: Module, offset: Value, negative: Value) -> Value:
        """The offset with the bits below the binary point of y inverted below d = 0."""
        cut = self.fit.shift - self.fit.zeros
        bits = Cat(bit ^ negative if at < cut else bit for at, bit in enumerate(offset))
        missing = Cat(negative.replicate(max(0, cut - len(offset))))
        turned = Cat(bits, missing, C(0, 1))
        # zero-extended: middle and u are not negative
        return register(m, turned) if self._turn_stage < self._add_stage else turned

    def _clamp(self, m: Module, z: Value, under: Value, over: Value, row: dict[str, Value]) -> Value:
        fit, top = self.fit, self.fit.top
        low = under | z[-1] if self.z.lo < 0 else under
        high = over | (self._beyond(m, z) & ~under) if self.z.hi > top else over
        bits = max(1, top.bit_length())
        held = Signal(bits, name="clamped")
        m.d.comb += held.eq(Mux(over, top, Mux(low, 0, Mux(high, top, z[:bits]))))
        if self.base == "same":
            return register(m, held, fit.clamp, name="y")
        if self.base == "flip":
            wide = Cat(held, C(0, fit.clamp.width - bits)) ^ (1 << (fit.clamp.width - 1))
            return register(m, wide, fit.clamp, name="y")
        last = register(m, held, name="clamped")
        if self.base == "table":
            m.submodules += (rom := self._rom())
            m.d.comb += rom.addr.eq(last)
            return rom.data.as_signed() if fit.clamp.signed else rom.data
        y = Signal(shape_of(fit.clamp), name="y", reset_less=True)
        rising = fit.clamp.lo + last
        m.d.sync += y.eq(Mux(row["falling"], fit.clamp.hi - last, rising) if "falling" in row else rising)
        return y

    def _beyond(self, m: Module, z: Value) -> Value:
        """z > top for z >= 0: its upper bits, or the sign of top - z."""
        top = self.fit.top
        if top & (top + 1) == 0:
            return z[top.bit_length() :].any()
        width = len(z) + 2
        return carry.subtract(m, Const(top, top.bit_length()), z, width, target=self.target)[-1]

    def _rom(self) -> Rom:
        """The table behind the line."""
        table = self.fit.table
        assert table is not None
        y = self.fit.clamp.hi - table if self.fit.falling.all() else self.fit.clamp.lo + table
        return Rom(bits_of(y, self.fit.clamp.width), target=self.target)

    def cost(self) -> Resources:
        """Measured: see tests/synth/test_staircase_cost.py."""
        fit = self.fit
        cut = fit.shift - fit.zeros
        total = self.product.cost()
        lut = (self.d.width + 1) * self.centred + (self.z.width + cut + 1) * self._adds
        lut += fit.clamp.width + ceil(self.z.width / 3) + 3
        ff = self.d.width * self.centred + self.z.width * self._adds + fit.clamp.width
        total += self.target.delay(2 * (self.product.latency + 1))
        if self.base == "add":
            lut, ff = lut + fit.clamp.width + 1, ff + fit.clamp.width
        lut += self._exceptions * (self.operand.width // 2 + 4)
        if self.base == "table":
            rom = self._rom()
            table, blocks = rom_cost(
                rom.width, rom.depth, self.target, "lut" if rom.form == "lut" else "bram"
            )
            total += Resources(lut4=table, ff=rom.width, bram=blocks)
        return total + Resources(lut4=lut, ff=ff)


def _late(m: Module, flag: Value) -> Value:
    """One clock later; constants stay wires."""
    return flag if isinstance(flag, Const) else register(m, flag, name="flag")
