"""What a board spent the clocks of its last inference on, beside what was planned.

A design made with `profile` counts for every unit, from the network's first input beat to its last output
beat, the clocks in which it

    worked                  busy: for a unit with a window, a word was issued (or taken, where it takes more)
    waited for input        it had work left in this frame, and its input was not there
    waited for output       its input was there, and there was no room for results

and the rest is idle: its frame was done. A unit works the same number of clocks in every frame, which is that
of the plan; the one that works most is the bottleneck. Only a softmax takes as long as its data want, and the
plan has its longest time.

The systolic engine has one array for all layers, and no counters: its clocks follow from its program alone
(`hwgen.program.timing`), so the whole time is measured, and where it agrees the layers' times do.

What is planned of the waiting comes from the schedule of whole pixels (`hwgen.plan.schedule`), and is close,
not exact. profile.json in the build folder: `{"clocks", "units": {layer: {"busy", "input", "output"}},
"predicted": {the same two}, "bottleneck": layer}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwgen import report
from hwgen.device import Device
from hwgen.emit.payloads import Payloads
from hwgen.report.folder import PROFILE
from hwgen.runtime.link import Counters, Engine
from hwgen.support.errors import UsageError
from hwgen.support.files import write_atomic
from hwgen.support.table import table

_BY_DATA = ("softmax",)  # kinds of layers whose time depends on data


@dataclass(frozen=True)
class Times:
    """Clocks of a unit in one inference."""

    busy: int
    input: int = 0
    output: int = 0


@dataclass(frozen=True)
class Profile:
    """clocks of one inference, units: of its layers; clocks_planned, planned: what they should be.

    units is empty for a systolic engine. loose: layers that may be at work for less than planned.
    """

    clocks: int
    clocks_planned: int
    units: Mapping[str, Times]
    planned: Mapping[str, Times]
    loose: frozenset[str] = frozenset()

    @property
    def bottleneck(self) -> str:
        """The layer that works most."""
        units = self.units or self.planned
        return max(units, key=lambda name: units[name].busy)

    @property
    def surprises(self) -> list[str]:
        """Layers that did not work as many clocks as planned."""
        more = {name: times.busy - self.planned[name].busy for name, times in self.units.items()}
        return [name for name, clocks in more.items() if clocks > 0 or (clocks and name not in self.loose)]

    def as_dict(self) -> dict[str, Any]:
        """As in profile.json."""
        planned = {name: asdict(times) for name, times in self.planned.items()}
        return {
            "clocks": self.clocks,
            "units": {name: asdict(times) for name, times in self.units.items()},
            "predicted": {"clocks": self.clocks_planned, "units": planned},
            "bottleneck": self.bottleneck,
        }

    def __str__(self) -> str:
        off = 100 * (self.clocks / self.clocks_planned - 1) if self.clocks_planned else 0.0
        lines = [
            *self._table(),
            f"an inference: {self.clocks:,} clocks, {self.clocks_planned:,} planned ({off:+.1f} %)",
            self._verdict(),
            *(f"{name}: not at work as planned" for name in self.surprises),
        ]
        return "\n".join(lines)

    def _table(self) -> list[str]:
        if not self.units:
            rows = [["layer", "at work, planned"]]
            return table([*rows, *([n, f"{t.busy:,}"] for n, t in self.planned.items())], right=[1])
        rows = [["layer", "at work", "planned", "for input", "planned", "for output", "planned", "idle"]]
        for name, times in self.units.items():
            row = [name]
            for clocks, expected in zip(astuple(times), astuple(self.planned[name]), strict=True):
                row += [f"{clocks:,}", f"{expected:,}"]
            rows.append([*row, f"{self.clocks - sum(astuple(times)):,}"])
        return table(rows, right=range(1, len(rows[0])))

    def _verdict(self) -> str:
        name = self.bottleneck
        busy = (self.units or self.planned)[name].busy
        text = f"bottleneck: {name}, at work in {busy / max(self.clocks, 1):.0%} of them"
        first = next(iter(self.units), "")
        if first and self.units[first].input > busy:
            wait = self.units[first].input
            text += f"; but {first} waits {wait:,} clocks for what the link's buffer gives it"
        return text


def measure(device: Device, folder: str | Path) -> Profile:
    """Run one input of zeros, read the counters, write profile.json.

    folder: of the design that the board runs. UsageError: no report there, or the design has no counters.
    """
    folder = Path(folder)
    facts = report.read(folder)
    if not facts.get("layers"):
        raise UsageError("no report here", where=str(folder), hint="run `hwgen build` first")
    systolic = device.identity.engine is Engine.SYSTOLIC
    layers = facts["layers"]
    entry = Payloads.of(folder).entry
    device.run(np.zeros(entry.shape, dtype=entry.dtype))
    counters = device.status()
    if not systolic and (len(counters.units) != len(layers) or "cycles_on_board" not in facts):
        raise UsageError(
            "counts nothing but whole inferences", where=f"the board's design ({device.identity.board})",
            hint="build it with --profile",
        )  # fmt: skip
    made = _systolic(counters, facts) if systolic else _stream(counters, facts)
    write_atomic(folder / PROFILE, json.dumps(made.as_dict(), indent=1) + "\n")
    return made


def _stream(counters: Counters, facts: Mapping[str, Any]) -> Profile:
    layers = facts["layers"]
    measured = [Times(unit.busy, unit.starved, unit.blocked) for unit in counters.units]
    return Profile(
        clocks=counters.clocks,
        clocks_planned=facts["cycles_on_board"],
        units={layer["name"]: times for layer, times in zip(layers, measured, strict=True)},
        planned={layer["name"]: Times(layer["cycles"], *layer["waits"]) for layer in layers},
        loose=frozenset(layer["name"] for layer in layers if layer["kind"] in _BY_DATA),
    )


def _systolic(counters: Counters, facts: Mapping[str, Any]) -> Profile:
    """From the last input byte to the first output byte: the line is slower than the engine."""
    taken = max((at + clocks for what, _, at, clocks in facts["timeline"] if what == "take"), default=0)
    given = min(at for what, _, at, _ in facts["timeline"] if what == "give")
    planned = {layer["name"]: Times(layer["cycles"]) for layer in facts["layers"]}
    return Profile(counters.clocks, given - taken, {}, planned)
