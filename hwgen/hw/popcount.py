"""Popcount of an XNOR with run-time weights: the dot product of a binary network.

For weights -1 and 1 and activations u in {0, 1}: sum_l w_l u_l = popcount(xnor(w > 0, u)) - #(w < 0).
Structures and their cost: popcount_plan. Binary networks: Courbariaux et al., "Binarized Neural Networks",
2016; Rastegari et al., "XNOR-Net", 2016.
"""

from __future__ import annotations

from functools import cache

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.leaf import Leaf
from hwgen.hw.popcount_build import Inputs, build_plan, plan_cost, spaced
from hwgen.hw.popcount_plan import Plan, popcount_plan
from hwgen.targets import GENERIC, Target
from hwgen.targets.resources import Resources

MAX_LANES = 4096
#: Slots of a chain. Longer ones save a slot for each that is not begun, and cost 35 ps a slot.
LONGEST = 24


def usual_levels(target: Target) -> int:
    """Levels of adders between two registers, unless told otherwise.

    One on ECP5: 250 MHz and more (speed 6), with flip-flops that stand behind the LUTs anyway. Two on iCE40,
    where a bit that waits takes a logic cell.
    """
    return 2 if target.name.startswith("ice40") else 1


class Popcount(wiring.Component):
    """count = number of lanes with a == w, or with a != w (`matches` false), or with both 1 (`both`).

    a, w: `lanes` bits, 1 to 4096. count: lanes.bit_length() bits, every value 0 .. lanes exact.
    levels: levels of adders between registers, `usual_levels` if not given; 0: none, combinational. Latency:
    `latency` clocks, a new pair of words in every clock; registers have no reset.
    Where the weights' bits can be stored inverted, "a != w" with those is the same count for fewer slots.
    ECP5: 1.6 to 1.65 LUT4 a lane from 64 lanes on (up to 1.75 with `matches`) and, with a register behind
    every level, 1.6 to 1.8 flip-flops. iCE40: 2.2 to 2.3 LUT4, and a cell for each bit that waits.
    ValueError: lanes or levels out of range.
    """

    def __init__(
        self,
        lanes: int,
        *,
        matches: bool = True,
        both: bool = False,
        levels: int | None = None,
        longest: int = LONGEST,
        target: Target,
    ) -> None:
        self.both = both
        self.levels = usual_levels(target) if levels is None else levels
        self.lanes, self.longest, self.target = lanes, longest, target
        self.plan = _plan(lanes, matches and not both, target)
        self.stages = _stages(self.plan, self.levels)
        self.latency = len(self.stages)
        super().__init__({"a": In(lanes), "w": In(lanes), "count": Out(lanes.bit_length())})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        inputs = Inputs(self.a, self.w, {}, self.both)
        m.d.comb += self.count.eq(
            build_plan(m, self.plan, inputs, stages=self.stages, longest=self.longest, target=self.target)
        )
        return m


@cache
def popcount_cost(
    lanes: int, *, matches: bool = True, levels: int | None = None, longest: int = LONGEST, target: Target
) -> Resources:
    """LUT4 and flip-flops of a Popcount with these arguments."""
    plan = _plan(lanes, matches, target)
    return plan_cost(
        plan,
        stages=_stages(plan, usual_levels(target) if levels is None else levels),
        longest=longest,
        target=target,
    )


@cache
def popcount_latency(lanes: int, *, matches: bool = True, levels: int | None = None, target: Target) -> int:
    """Clocks from words to their count."""
    return len(_stages(_plan(lanes, matches, target), usual_levels(target) if levels is None else levels))


@cache
def popcount_leaf(
    lanes: int, matches: bool, levels: int | None, longest: int, target: Target, both: bool = False
) -> Leaf:
    """The shared module of a Popcount on a target with carry primitives."""
    hardware, model = (
        Popcount(lanes, matches=matches, both=both, levels=levels, longest=longest, target=family)
        for family in (target, GENERIC)
    )
    return Leaf(hardware, f"popcount_{lanes}", clocked=hardware.levels > 0, model=model)


def add_popcount(
    m: Module,
    a: Value,
    w: Value,
    count: Value,
    *,
    matches: bool = True,
    both: bool = False,
    levels: int | None = None,
    longest: int = LONGEST,
    target: Target,
) -> None:
    """A Popcount in `m` that drives `count`; on a target with primitives all equal ones are one module."""
    if target.instances:
        leaf = popcount_leaf(len(a), matches, levels, longest, target, both)
        m.submodules += leaf.instance(a=a, w=w, count=count)
    else:
        unit = Popcount(len(a), matches=matches, both=both, levels=levels, longest=longest, target=target)
        m.submodules += unit
        m.d.comb += [unit.a.eq(a), unit.w.eq(w), count.eq(unit.count)]  # type: ignore[attr-defined]


def _plan(lanes: int, matches: bool, target: Target) -> Plan:
    if not 1 <= lanes <= MAX_LANES:
        raise ValueError(f"popcount: 1 to {MAX_LANES} lanes, not {lanes}")
    return popcount_plan(lanes, fours=not target.name.startswith("ice40"), matches=matches)


def _stages(plan: Plan, levels: int) -> tuple[int, ...]:
    return spaced(max(1, len(plan.levels)), levels)
