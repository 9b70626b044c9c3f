"""Nested loop counters, the clockwork of every unit that walks over a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_

from amaranth.hdl import Const, Module, Signal, Value


def all_of(flags: Sequence[Value]) -> Value:
    """And of the flags; 1 if there are none."""
    return reduce(and_, flags, Const(1))


class LoopNest:
    """Counters of nested loops, innermost first, that advance by one iteration when `step` is high.

    last[k]: loop k is in its last iteration. remaining[k]: iterations of loop k still to come after this
    one. All start at the first iteration. The flags are registers, so that the whole nest costs one
    look-up table between registers whatever its depth: last[k] is computed one iteration ahead.
    Cost: a decrementer and a flag a loop; nothing for loops of one iteration, one flip-flop for two.
    """

    def __init__(self, m: Module, counts: Sequence[int], step: Value, name: str = "loop") -> None:
        self.last: list[Value] = []
        self.remaining: list[Value] = []
        enable: Value = step
        for k, count in enumerate(counts):
            if count < 1:
                raise ValueError(f"loop counts must be at least 1, not {count}")
            if count == 1:
                self.last.append(Const(1))
                self.remaining.append(Const(0))
                continue
            left = Signal(range(count), init=count - 1, name=f"{name}{k}_left")
            if count == 2:
                last: Value = ~left
                with m.If(enable):
                    m.d.sync += left.eq(~left)
            else:
                flag = Signal(name=f"{name}{k}_last")
                last = flag
                with m.If(enable):
                    m.d.sync += [left.eq(left - 1), flag.eq(left == 1)]
                    with m.If(flag):
                        m.d.sync += left.eq(count - 1)
            self.last.append(last)
            self.remaining.append(left)
            enable = enable & last

    @property
    def ends(self) -> Value:
        """All loops are in their last iteration."""
        return all_of(self.last)
