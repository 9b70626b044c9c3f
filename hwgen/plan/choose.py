"""Folding choice: the fastest pipeline that fits, or the smallest that is fast enough.

Every layer gets the cheapest folding that works at a common number of clocks per inference. Cheap
means LUTs plus a price for DSPs and block RAMs; the price of a DSP is raised until they suffice (a
Lagrange multiplier: each layer then chooses alone, and their choices add up to a good whole). The
number of clocks is found by bisection over the values that any folding offers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.layers.folding import Folding
from hwgen.plan.plan import Plan, ask, finish
from hwgen.support.errors import FitError
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources

DSP_PRICES = (0, 10, 20, 30, 40, 60, 80, 90, 100, 110, 120, 140, 180, 250, 400, 1000)  # LUT4 for a DSP
BRAM_PRICES = (0, 50, 200, 1000)  # LUT4 for a block RAM


@dataclass(frozen=True)
class _Choice:
    folding: Folding
    cycles: int
    cost: Resources


class Planner:
    """Chooses foldings for a graph on a target within a budget.

    fill: share of the LUTs and flip-flops that the pipeline may take: routing needs room.
    """

    def __init__(self, graph: Graph, target: Target, budget: Resources, fill: float = 0.6) -> None:
        self.graph = graph
        self.target = target
        self.budget = replace(budget, lut4=int(budget.lut4 * fill), ff=int(budget.ff * fill))

    def fastest(self) -> Plan:
        """Fewest clocks per inference within the budget; FitError if even the slowest does not fit."""
        levels = sorted({c.cycles for choices in self._choices.values() for c in choices})
        floor = max(min(c.cycles for c in choices) for choices in self._choices.values())
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
        return finish(self.graph, best, self.target)

    def at_most(self, cycles: int) -> Plan:
        """Cheapest pipeline with at most `cycles` clocks per inference; FitError if there is none."""
        slow = {name: min(c.cycles for c in choices) for name, choices in self._choices.items()}
        late = [name for name, least in slow.items() if least > cycles]
        if late:
            raise FitError(
                f"cannot do an inference in {cycles} clocks: it needs {slow[late[0]]} at least",
                where=late[0],
                hint="ask for fewer inferences a second",
            )
        best = self._fitted(cycles)
        if best is None:
            raise self._too_big(cycles)
        return finish(self.graph, best, self.target)

    @cached_property
    def _choices(self) -> dict[str, list[_Choice]]:
        return {node.name: self._of(node) for node in self.graph.nodes if node.kind != "reshape"}

    def _of(self, node: Node) -> list[_Choice]:
        """All foldings of a layer in all product forms, without those that are worse in everything."""
        out = self.graph.tensors[node.output].shape
        found = []
        for folding in ask(node, self.graph, "foldings"):
            cycles = out[0] * out[1] * ask(node, self.graph, "interval", folding)
            for product in ask(node, self.graph, "products", folding, self.target):
                form = replace(folding, product=product)
                found.append(_Choice(form, cycles, ask(node, self.graph, "cost", form, self.target)))
        found.sort(key=lambda c: (c.cycles, c.cost.lut4, c.cost.dsp, c.cost.bram))
        kept: list[_Choice] = []
        for choice in found:
            if not any(_no_worse(k.cost, choice.cost) for k in kept):
                kept.append(choice)
        return kept

    def _fitted(self, cycles: int) -> dict[str, Folding] | None:
        """Cheapest choice at `cycles` that fits the budget, or None."""
        for bram_price in BRAM_PRICES:
            for dsp_price in DSP_PRICES:
                chosen = self._cheapest(cycles, dsp_price, bram_price)
                total = sum((c.cost for c in chosen.values()), Resources())
                over = total.over(self.budget)
                if not over:
                    return {name: choice.folding for name, choice in chosen.items()}
                if "dsp" not in over:
                    break
        return None

    def _cheapest(self, cycles: int, dsp_price: int, bram_price: int) -> dict[str, _Choice]:
        def price(choice: _Choice) -> float:
            cost = choice.cost
            return cost.lut4 + 0.3 * cost.ff + dsp_price * cost.dsp + (20 + bram_price) * cost.bram

        return {
            name: min((c for c in choices if c.cycles <= cycles), key=price)
            for name, choices in self._choices.items()
        }

    def _too_big(self, cycles: int) -> FitError:
        chosen = self._cheapest(cycles, DSP_PRICES[-1], BRAM_PRICES[-1])
        total = sum((c.cost for c in chosen.values()), Resources())
        wants = ", ".join(
            f"{getattr(total, name)} {name} of {getattr(self.budget, name)}" for name in total.over(self.budget)
        )
        largest = max(chosen, key=lambda name: chosen[name].cost.bram * 200 + chosen[name].cost.lut4)
        return FitError(
            f"does not fit at {cycles} clocks per inference: about {wants or 'more than there is'}",
            where=largest,
            hint="take a larger board or ask for fewer inferences a second",
        )


def _no_worse(a: Resources, b: Resources) -> bool:
    return a.lut4 <= b.lut4 and a.ff <= b.ff and a.dsp <= b.dsp and a.bram <= b.bram
