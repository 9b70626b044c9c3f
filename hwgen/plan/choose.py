"""Folding choice: the fastest pipeline that fits, or the smallest that is fast enough.

Every layer gets the cheapest folding that works at a common number of clocks per inference. Where
that takes more DSPs (then block RAMs) than there are, layers are moved to other foldings or product
forms, each time the one that pays the fewest LUTs for what it gives back. The number of clocks is
found by bisection over the values that any folding offers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.layers.folding import Folding
from hwgen.plan.plan import Plan, ask, cost_of, finish
from hwgen.support.errors import FitError
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources

BRAM_PRICES = (1, 2, 4)  # times the family's exchange rate between block RAM and LUTs
FF_FILL = 1.15  # flip-flops route more easily than LUTs: 68 % of an ECP5-85F's went at 118 MHz
# what layers wait for each other comes on top of their work: shares of the wanted clocks to try
MARGINS = (1.0, 0.98, 0.95, 0.9, 0.8, 0.65)


@dataclass(frozen=True)
class _Choice:
    folding: Folding
    cycles: int
    cost: Resources


class Planner:
    """Chooses foldings for a graph on a target within a budget.

    fill: share of the LUTs that the pipeline may take, and a bit more of the flip-flops: routing needs room.
    """

    def __init__(self, graph: Graph, target: Target, budget: Resources, fill: float = 0.6) -> None:
        self.graph = graph
        # the same family with block RAMs dearer and dearer: ROMs then move into LUTs
        self.targets = [replace(target, bram_luts=target.bram_luts * k) for k in BRAM_PRICES]
        self._tables: dict[Target, dict[str, list[_Choice]]] = {}
        flipflops = min(1, fill * FF_FILL)
        self.budget = replace(budget, lut4=int(budget.lut4 * fill), ff=int(budget.ff * flipflops))

    def fastest(self) -> Plan:
        """Fewest clocks per inference within the budget; FitError if even the slowest does not fit."""
        tables = self._choices(self.targets[0]).values()
        levels = sorted({choice.cycles for choices in tables for choice in choices})
        floor = max(min(choice.cycles for choice in choices) for choices in tables)
        levels = [level for level in levels if level >= floor]
        low, high = 0, len(levels) - 1
        best = self._fitted(levels[high])
        if best is None:
            raise self._too_big(levels[high])
        while low < high:
            middle = (low + high) // 2
            found = self._fitted(levels[middle])
            if found is not None:
                best, high = found, middle
            else:
                low = middle + 1
        return finish(self.graph, *best)

    def at_most(self, cycles: int) -> Plan:
        """Cheapest pipeline with at most `cycles` clocks per inference; FitError if there is none."""
        table = self._choices(self.targets[0])
        slow = {name: min(choice.cycles for choice in choices) for name, choices in table.items()}
        late = [name for name, least in slow.items() if least > cycles]
        if late:
            raise FitError(
                f"cannot do an inference in {cycles} clocks: it needs {slow[late[0]]} at least",
                where=late[0],
                hint="ask for fewer inferences a second",
            )
        reached: int | None = None
        for share in MARGINS:
            best = self._fitted(max(int(cycles * share), max(slow.values())))
            if best is None:
                break
            plan = finish(self.graph, *best)
            if plan.schedule.interval <= cycles:
                return plan
            reached = min(reached or plan.schedule.interval, plan.schedule.interval)
        if reached is None:
            raise self._too_big(cycles)
        raise FitError(
            f"cannot do an inference in {cycles} clocks: layers wait for each other, {reached} at best",
            where=self.graph.name,
            hint="ask for fewer inferences a second",
        )

    def _choices(self, target: Target) -> dict[str, list[_Choice]]:
        """All choices of every layer; a table is made when it is first asked for."""
        if target not in self._tables:
            nodes = [node for node in self.graph.nodes if node.kind != "reshape"]
            self._tables[target] = {node.name: self._of(node, target) for node in nodes}
        return self._tables[target]

    def _of(self, node: Node, target: Target) -> list[_Choice]:
        """All foldings of a layer in all product forms, without those that are worse in everything."""
        out = self.graph.tensors[node.output].shape
        found, refused = [], "no folding"
        for folding in ask(node, self.graph, "foldings"):
            cycles = out[0] * out[1] * ask(node, self.graph, "interval", folding)
            for product in ask(node, self.graph, "products", folding, target):
                form = replace(folding, product=product)
                try:
                    found.append(_Choice(form, cycles, cost_of(node, self.graph, form, target)))
                except ValueError as error:  # components refuse what they cannot be: too deep, too wide
                    refused = str(error)
        if not found:
            raise FitError(f"cannot be built for {target.name}: {refused}", where=node.name)
        found.sort(key=lambda c: (c.cycles, c.cost.lut4, c.cost.dsp, c.cost.bram))
        kept: list[_Choice] = []
        for choice in found:
            if not any(_no_worse(k.cost, choice.cost) for k in kept):
                kept.append(choice)
        return kept

    def _fitted(self, cycles: int) -> tuple[dict[str, Folding], Target] | None:
        """Cheapest choice at `cycles` that fits the budget, and the prices it was made at; or None."""
        for target in self.targets:
            chosen = self._within(cycles, target)
            over = self._total(chosen).over(self.budget)
            if not over:
                return {name: choice.folding for name, choice in chosen.items()}, target
            if not self._starved(cycles, target):
                break
        return None

    def _starved(self, cycles: int, target: Target) -> bool:
        """Whether block RAMs are what is short: the cheapest choices ask for too many."""
        return self._total(self._cheapest(cycles, target)).bram > self.budget.bram

    def _cheapest(self, cycles: int, target: Target) -> dict[str, _Choice]:
        table = self._choices(target)
        return {n: min((c for c in cs if c.cycles <= cycles), key=_price) for n, cs in table.items()}

    def _within(self, cycles: int, target: Target) -> dict[str, _Choice]:
        """The cheapest choices, then exchanged, best bargain first, until DSPs and block RAMs suffice."""
        chosen = self._cheapest(cycles, target)
        allowed = {n: [c for c in cs if c.cycles <= cycles] for n, cs in self._choices(target).items()}
        for scarce in ("dsp", "bram"):
            while getattr(self._total(chosen), scarce) > getattr(self.budget, scarce):
                bargains = [
                    ((_price(other) - _price(now)) / (_amount(now, scarce) - _amount(other, scarce)), name, i)
                    for name, now in chosen.items()
                    for i, other in enumerate(allowed[name])
                    if _amount(other, scarce) < _amount(now, scarce)
                    and (scarce == "dsp" or other.cost.dsp <= now.cost.dsp)
                ]
                if not bargains:
                    break
                _, name, i = min(bargains)
                chosen[name] = allowed[name][i]
        return chosen

    @staticmethod
    def _total(chosen: dict[str, _Choice]) -> Resources:
        return sum((choice.cost for choice in chosen.values()), Resources())

    def _too_big(self, cycles: int) -> FitError:
        chosen = self._within(cycles, self.targets[0])
        total = self._total(chosen)
        wants = ", ".join(
            f"{getattr(total, name)} {name} of {getattr(self.budget, name)}"
            for name in total.over(self.budget)
        )
        largest = max(chosen, key=lambda name: chosen[name].cost.bram * 200 + chosen[name].cost.lut4)
        return FitError(
            f"does not fit at {cycles} clocks per inference: about {wants or 'more than there is'}",
            where=largest,
            hint="take a larger board or ask for fewer inferences a second",
        )


def _price(choice: _Choice) -> float:
    """In LUT4s: flip-flops mostly ride along in the same sites, a DSP or block RAM is there to be used."""
    cost = choice.cost
    return cost.lut4 + 0.3 * cost.ff + 5 * cost.dsp + 20 * cost.bram


def _amount(choice: _Choice, resource: str) -> int:
    return getattr(choice.cost, resource)


def _no_worse(a: Resources, b: Resources) -> bool:
    return a.lut4 <= b.lut4 and a.ff <= b.ff and a.dsp <= b.dsp and a.bram <= b.bram
