"""Leaves: small modules elaborated once and instantiated many times.

Amaranth writes one module for every submodule, equal or not; a layer with 64 processing elements would be
elaborated 64 times. A leaf is converted to RTLIL once, named after its content, and referenced by `Instance`;
`to_rtlil` and `to_verilog` append the leaves that a design references. A leaf has one clock and no reset:
its registers start from their `init` values and hold data only (control lives in the parent).
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, ClockSignal, Fragment, Instance
from amaranth.lib import wiring

_PLACEHOLDER = "hwgen_leaf"
_TEXTS: dict[str, str] = {}


class Leaf:
    """A component turned into a module of its own, shared by every equal one in the process.

    component: flat ports only (plain shapes). prefix: readable start of the module's name; a hash of the
    content follows, so equal leaves have equal names wherever and whenever they are made.
    """

    def __init__(self, component: wiring.Component, prefix: str) -> None:
        clock = ClockDomain("sync", reset_less=True)
        fragment = Fragment.get(component, None)
        fragment.add_domains(clock)
        ports: dict[str, Any] = {"clk": (clock.clk, None)}
        self._directions: dict[str, str] = {}
        for path, member, value in component.signature.flatten(component):
            name = "__".join(map(str, path))
            ports[name] = (value, None)
            self._directions[name] = "i" if member.flow == wiring.In else "o"
        text, _ = rtlil.convert_fragment(fragment, ports, _PLACEHOLDER, emit_src=False)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        self.name = f"{prefix}_{digest}"
        text = re.sub(r"^attribute \\top 1\n", "", text, flags=re.MULTILINE)
        _TEXTS[self.name] = text.replace(f"\\{_PLACEHOLDER}", f"\\{self.name}")

    def instance(self, **connections: Any) -> Instance:
        """An instance of the leaf in the parent's `sync` domain; every port but the clock must be given."""
        if connections.keys() != self._directions.keys():
            raise ValueError(f"{self.name}: connect exactly the ports {sorted(self._directions)}")
        pins = {f"{self._directions[name]}_{name}": value for name, value in connections.items()}
        return Instance(self.name, i_clk=ClockSignal(), **pins)


def to_rtlil(top: Any, name: str = "top", ports: Any = None) -> str:
    """RTLIL of `top` with all leaves below it; arguments as for `amaranth.back.rtlil.convert`."""
    text = rtlil.convert(top, name, ports=ports, emit_src=False)
    parts, seen, at = [text], set[str](), 0
    while at < len(parts):
        for cell in re.findall(r"^  cell \\(\S+) ", parts[at], flags=re.MULTILINE):
            if cell in _TEXTS and cell not in seen:
                seen.add(cell)
                parts.append(_TEXTS[cell])
        at += 1
    return "\n".join(parts)


def to_verilog(top: Any, name: str = "top", ports: Any = None) -> str:
    """Verilog of `top` with all leaves below it, through Yosys (pyosys)."""
    return rtlil_to_verilog(to_rtlil(top, name, ports))


def rtlil_to_verilog(text: str) -> str:
    """The same design in Verilog, hierarchy and public names kept."""
    from pyosys import libyosys

    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "design.il"), Path(folder, "design.v")
        source.write_text(text)
        design = libyosys.Design()
        commands = (
            f"read_rtlil {source}",
            "proc -nomux -norom",
            "memory_collect",
            "attrmap -remove src -remove generator -remove amaranth.hierarchy -remove amaranth.decoding",
            f"write_verilog -norename {result}",
        )
        for command in commands:
            libyosys.run_pass(f"tee -q {command}", design)
        return result.read_text()


__all__ = ["Leaf", "rtlil_to_verilog", "to_rtlil", "to_verilog"]
