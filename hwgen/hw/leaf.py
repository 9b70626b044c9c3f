"""Leaves: small modules elaborated once and instantiated many times.

Amaranth writes one module for every submodule, equal or not; a layer with 64 processing elements would be
elaborated 64 times. A leaf is converted to RTLIL once, named after its content, and referenced by `Instance`;
`with_leaves` appends the leaves that a design references (hwgen.emit does). A leaf has one clock and no reset:
its registers start from their `init` values and hold data only (control lives in the parent).
"""

from __future__ import annotations

import hashlib
import re
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


def with_leaves(text: str) -> str:
    """RTLIL `text` of a design, followed by every leaf that it instantiates, directly or not."""
    parts, seen, at = [text], set[str](), 0
    while at < len(parts):
        for cell in re.findall(r"^  cell \\(\S+) ", parts[at], flags=re.MULTILINE):
            if cell in _TEXTS and cell not in seen:
                seen.add(cell)
                parts.append(_TEXTS[cell])
        at += 1
    return "\n".join(parts)
