"""One comparison a step, all steps in a table: the structure does not depend on them."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module, Value

from hwgen.hw.product.form import register
from hwgen.hw.staircase.comparators import changes, changing
from hwgen.hw.staircase.form import NoForm, StaircaseForm
from hwgen.hw.staircase.rows import Field
from hwgen.hw.staircase.threshold import CutCode, compare_cost, reaches
from hwgen.hw.stream import shape_of
from hwgen.numeric.frame import StepFrame
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import Staircase
from hwgen.targets import Target
from hwgen.targets.resources import Resources


class CutsForm(StaircaseForm):
    """Flags x >= cut, turned in falling rows, whose cuts fall: flag k is up from level k above the lowest on.

    Stages: compare | bits of y, each the exclusive or of the flags at which it changes.
    """

    name = "cuts"
    latency = 2

    def __init__(self, stair: Staircase, value: Range, target: Target) -> None:
        super().__init__(stair, value, target)
        if not isinstance(stair.frame, StepFrame):
            raise NoForm("no frame of steps is given")
        self.frame = stair.frame
        if stair.reached not in self.frame.out:
            raise NoForm(f"outputs are {stair.reached}, not within {self.frame.out}")
        # one bit more than x: a cut may lie above all inputs
        self.cut = CutCode(value, shape_of(value).width + 1, inclusive=True)

    def cuts(self) -> np.ndarray:
        """(rows, top): where x reaches the next level (rising), or falls short of it (falling)."""
        stair, top = self.stair, self.frame.top
        never, ever = self.value.hi + 1, self.value.lo
        cuts = np.empty((stair.rows, top), dtype=np.int64)
        for row in range(stair.rows):
            steps = np.where(stair.steps[row] > stair.hi[row], never, stair.steps[row])
            falling = stair.sign[row] < 0
            below = (
                int(stair.base[row] - self.frame.clamp[0])
                if not falling
                else int(self.frame.clamp[1] - stair.base[row])
            )
            whole = np.concatenate([np.full(below, ever), steps, np.full(top, never)])[:top]
            cuts[row] = np.clip(whole[::-1] if falling else whole, ever, never)
        return cuts

    @property
    def fields(self) -> list[Field]:
        written, reach = self.cut.complements(self.cuts()), Range.bits(self.cut.width, signed=False)
        fields = [Field(f"cut{k}", written[:, k], 0, reach) for k in range(self.frame.top)]
        return [*fields, Field("falling", (self.stair.sign < 0).astype(np.int64), 0, Range(0, 1))]

    def build(self, m: Module, x: Value, row: dict[str, Value], lane: int = 0) -> Value:
        flags = [
            register(m, reaches(m, self.cut, x, row[f"cut{k}"], row["falling"], self.target))
            for k in range(self.frame.top)
        ]
        y = register(m, changes(self._values, flags))
        return y.as_signed() if shape_of(Range.of(self._values)).signed else y

    @property
    def _values(self) -> np.ndarray:
        return np.arange(self.frame.clamp[0], self.frame.clamp[1] + 1)

    def cost(self) -> Resources:
        compare = self.frame.top * compare_cost(self.cut, self.target)
        bits = changing(self._values).sum(axis=0)
        level = sum(-(-(int(n) - 1) // 3) for n in bits if n > 1)
        return Resources(lut4=compare + level, ff=self.frame.top + len(bits))
