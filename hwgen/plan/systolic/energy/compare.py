"""Every dataflow for every layer of a network, the best of each, and why.

Best is least energy times delay: neither a slow frugal nor a fast wasteful dataflow wins. Weights beyond the
weight memory come from off the chip once an inference, whatever the dataflow: layers keep theirs in order
while room is left. So do activations of a layer whose input and output exceed their memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hwgen.plan.systolic.dataflow import DATAFLOWS
from hwgen.plan.systolic.energy.accesses import LEVELS, Traffic, Use
from hwgen.plan.systolic.energy.joules import PARTS, energy
from hwgen.plan.systolic.energy.layer import Layer
from hwgen.plan.systolic.energy.mapping import Mapping
from hwgen.program.array import PARAMETER_WORDS, Array
from hwgen.program.timing import Latencies


@dataclass(frozen=True)
class Row:
    """A layer: its use in each dataflow, by name; `built`: the one that the engine has for it."""

    layer: Layer
    uses: dict[str, Use]
    array: Array
    built: str

    @property
    def best(self) -> str:
        """Name of the dataflow with the least energy times delay."""
        return min(self.uses, key=self.cost)

    def cost(self, name: str) -> float:
        """Energy times delay."""
        use = self.uses[name]
        return sum(energy(use, self.array).values()) * use.cycles

    @property
    def why(self) -> str:
        """What the best is better in than the next one."""
        best = self.best
        other = min((name for name in self.uses if name != best), key=self.cost)
        a, b = energy(self.uses[best], self.array), energy(self.uses[other], self.array)
        speed = self.uses[other].cycles / self.uses[best].cycles
        ratio = sum(b.values()) / sum(a.values())
        part = max(PARTS, key=lambda each: (b[each] - a[each]) * (1 if ratio >= 1 else -1))
        text = f"{other} takes {speed:.2f} x the cycles, {ratio:.2f} x the energy"
        return f"{text}, {'more' if ratio > 1 else 'less'} for {PLACES[part]}" if ratio != 1 else text


PLACES = {
    "mac": "products",
    "register": "registers",
    "neighbour": "hand-overs",
    "memory": "memory",
    "offchip": "off-chip memory",
}


def compare(layers: Sequence[Layer], array: Array, latencies: Latencies | None = None) -> list[Row]:
    """A row a layer. ValueError where the accumulators cannot hold one output of a layer.

    latencies: those of the engine as built, for exact cycles of its own dataflows.
    """
    rows = []
    room = array.weight_words
    for layer in layers:
        try:
            built, mapping = _built(layer, array)
        except ValueError as error:
            raise ValueError(f"{layer.name}: {error}") from error
        words = mapping.blocks * (PARAMETER_WORDS + mapping.passes * array.rows)
        outside = Traffic(weights=0 if words <= room else words * array.columns)
        room -= words if words <= room else 0
        if layer.stored(array) > array.activation_bytes:
            outside += Traffic(activations=layer.stored(array))
        uses = {
            name: replace(use, offchip=use.offchip + outside)
            for name, use in ((name, module.use(layer, array)) for name, module in DATAFLOWS.items())
        }
        if latencies:
            uses[built] = replace(uses[built], cycles=mapping.clocks(array, latencies))
        rows.append(Row(layer, uses, array, built))
    return rows


def _built(layer: Layer, array: Array) -> tuple[str, Mapping]:
    """The engine's dataflow for the layer: its name, its Runs."""
    for name, module in DATAFLOWS.items():
        mapping = module.runs(layer, array)
        if mapping:
            return name, mapping
    raise ValueError("the engine has no dataflow for it")


def totals(rows: Sequence[Row]) -> dict[str, Use]:
    """Of each dataflow for all layers; of `best`, that of each layer; of `engine`, what is built."""
    nothing = Use(0, 0)
    whole = {name: sum((row.uses[name] for row in rows), nothing) for name in DATAFLOWS}
    mixed = {
        "engine": sum((row.uses[row.built] for row in rows), nothing),
        "best": sum((row.uses[row.best] for row in rows), nothing),
    }
    return whole | mixed


def facts(use: Use, array: Array) -> dict[str, object]:
    """A use as plain data."""
    parts = energy(use, array)
    accesses = {level: getattr(use, level) for level in LEVELS}
    return {
        "cycles": use.cycles,
        "utilisation": round(use.utilisation(array), 4),
        "accesses": {
            level: {
                "activations": traffic.activations,
                "weights": traffic.weights,
                "sums": traffic.sums,
                "total": traffic.total,
            }
            for level, traffic in accesses.items()
        },
        "energy_pj": {part: round(value) for part, value in parts.items()}
        | {"total": round(sum(parts.values()))},
    }
