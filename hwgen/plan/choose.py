"""Folding choice: the fastest pipeline that fits, or the smallest that is fast enough.

Every layer gets a folding and a product form that work at a common number of clocks per inference, those
that are cheapest together within the DSPs and block RAMs that there are (`knapsack`). What a ROM is made of
depends on what a block RAM is worth, so a layer's choices are made at several such prices where that helps,
each layer at its own. The number of clocks is found by bisection over the values that any folding offers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.layers.folding import Folding
from hwgen.plan.knapsack import Option, choose
from hwgen.plan.plan import Plan, ask, cost_of, finish
from hwgen.support.errors import FitError
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources

BRAM_PRICES = (1, 2, 4, 8)  # times the family's exchange rate between block RAM and LUTs
SPARE_PRICES = (0.3,)  # where LUTs are short and block RAMs are not
PLENTY = 0.7  # of the block RAMs: a choice that takes no more has some to spare
FF_WEIGHTS = (0.3, 0.0, 1.0)  # of a flip-flop in LUT4s: mostly they ride along in the same sites
FF_FILL = 1.15  # flip-flops route more easily than LUTs: 68 % of an ECP5-85F's went at 118 MHz
# what layers wait for each other comes on top of their work: shares of the wanted clocks to try
MARGINS = (1.0, 0.98, 0.95, 0.9, 0.8, 0.65)


@dataclass(frozen=True)
class _Choice:
    folding: Folding
    cycles: int
    cost: Resources
    target: Target


class Planner:
    """Chooses foldings for a graph on a target within a budget.

    fill: share of the LUTs that the pipeline may take, and a bit more of the flip-flops: routing needs room.
    """

    def __init__(self, graph: Graph, target: Target, budget: Resources, fill: float = 0.6) -> None:
        self.graph = graph
        # the same family with block RAMs dearer and dearer: ROMs then move into LUTs
        self.targets, self.spare = (
            [replace(target, bram_luts=int(target.bram_luts * k)) for k in prices]
            for prices in (BRAM_PRICES, SPARE_PRICES)
        )
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
        plan = self._finish(best)
        # layers that wait for each other anyway may as well be slower and smaller
        relaxed = self._fitted(plan.schedule.interval)
        other = self._finish(relaxed) if relaxed else plan
        return other if other.schedule.interval <= plan.schedule.interval else plan

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
            plan = self._finish(best)
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

    def _finish(self, chosen: dict[str, _Choice]) -> Plan:
        foldings = {name: choice.folding for name, choice in chosen.items()}
        targets = {name: choice.target for name, choice in chosen.items()}
        return finish(self.graph, foldings, targets, self.targets[0])

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
                    cost = cost_of(node, self.graph, form, target)
                    found.append(_Choice(form, cycles, cost, target))
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

    def _fitted(self, cycles: int) -> dict[str, _Choice] | None:
        """Cheapest choice at `cycles` that fits the budget, or None.

        Choices made at further prices join in while they can help: dearer block RAMs if these are short,
        cheaper ones if LUTs are.
        """
        wanted = self._total(self._cheapest(cycles, self.targets[0])).bram
        own = self.targets[:1]
        if wanted > self.budget.bram:
            tried = [self.targets[:-1], self.targets]
        else:
            tried = [own, own + self.spare] if wanted <= PLENTY * self.budget.bram else [own]
        for targets in tried:
            for weight in FF_WEIGHTS:
                chosen = self._within(cycles, targets, weight)
                over = self._total(chosen).over(self.budget) if chosen else ["bram"]
                if chosen and not over:
                    return chosen
                if over not in (["lut4"], ["ff"]):
                    break
        return None

    def _cheapest(self, cycles: int, target: Target) -> dict[str, _Choice]:
        table = self._choices(target)
        return {n: min((c for c in cs if c.cycles <= cycles), key=_price) for n, cs in table.items()}

    def _within(self, cycles: int, targets: list[Target], weight: float) -> dict[str, _Choice] | None:
        """The choices of least price among these targets' with enough DSPs and block RAMs."""
        names = list(self._choices(targets[0]))
        allowed = [[c for t in targets for c in self._choices(t)[n] if c.cycles <= cycles] for n in names]
        options = [
            [Option(_price(c, weight), c.cost.dsp, c.cost.bram, i) for i, c in enumerate(choices)]
            for choices in allowed
        ]
        found = choose(options, self.budget.dsp, self.budget.bram)
        return None if found is None else {n: cs[i] for n, cs, i in zip(names, allowed, found)}

    @staticmethod
    def _total(chosen: dict[str, _Choice]) -> Resources:
        return sum((choice.cost for choice in chosen.values()), Resources())

    def _too_big(self, cycles: int) -> FitError:
        chosen = self._within(cycles, self.targets, FF_WEIGHTS[0]) or self._cheapest(cycles, self.targets[-1])
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


def _price(choice: _Choice, weight: float = FF_WEIGHTS[0]) -> float:
    """In LUT4s, a flip-flop counting `weight`; a DSP or block RAM is there to be used."""
    cost = choice.cost
    return cost.lut4 + weight * cost.ff + 5 * cost.dsp + 20 * cost.bram


def _no_worse(a: Resources, b: Resources) -> bool:
    return a.lut4 <= b.lut4 and a.ff <= b.ff and a.dsp <= b.dsp and a.bram <= b.bram
