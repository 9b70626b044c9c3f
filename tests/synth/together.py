"""Components side by side in one design, synthesised in one run, each a region of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.emit.verilog import to_rtlil
from hwgen.flow.synth import synthesise
from hwgen.targets.resources import Resources


class Together(wiring.Component):
    """The components side by side, every port on the outside."""

    def __init__(self, parts: Mapping[str, wiring.Component]) -> None:
        self.parts = parts
        self.pins = {
            f"{name}_{'_'.join(map(str, path))}": (member.flow, Value.cast(value))
            for name, part in parts.items()
            for path, member, value in part.signature.flatten(part)
        }
        super().__init__(
            {n: In(len(value)) if flow == In else Out(len(value)) for n, (flow, value) in self.pins.items()}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, part in self.parts.items():
            m.submodules[name] = part
        for name, (flow, value) in self.pins.items():
            outer = getattr(self, name)
            m.d.comb += value.eq(outer) if flow == In else outer.eq(value)
        return m


def resources(parts: Mapping[str, wiring.Component], family: str, folder: Path) -> dict[str, Resources]:
    """What each part takes, by its name."""
    source = folder / "together.il"
    source.write_text(to_rtlil(Together(parts), "together"))
    regions = synthesise([source], "together", family, folder, regions=list(parts)).regions
    return {name: Resources(**regions[name]) for name in parts}
