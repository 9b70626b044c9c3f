"""Leaves: small modules elaborated once and instantiated many times.

Amaranth writes one module for every submodule, equal or not; a layer with 64 processing elements would be
elaborated 64 times. A leaf is converted to RTLIL once, named after its content, and referenced by
`Instance`; `with_leaves` appends the leaves that a design references (hwgen.emit does). A leaf has one clock
or none and no reset: its registers start from their `init` values and hold data only (control lives in the
parent).

A leaf made of vendor primitives can have a *model*: a component with the same ports and the same function in
plain Amaranth. Verilator reads the model in its place, thousands of carry cells being slow to build and to
run, unless HWGEN_PRIMITIVES is defined; every other tool reads the primitives. tests/hw/test_carry.py proves
the two equal, formally.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, ClockSignal, Fragment, Instance
from amaranth.lib import wiring

_PLACEHOLDER = "hwgen_leaf"
_MODEL = "_model"


@dataclass(frozen=True)
class _Text:
    """RTLIL of a leaf and of its model ("" without one)."""

    rtlil: str
    model: str


_TEXTS: dict[str, _Text] = {}


class Leaf:
    """A component turned into a module of its own, shared by every equal one in the process.

    component: flat ports only (plain shapes). prefix: readable start of the module's name; a hash of the
    content follows, so equal leaves have equal names wherever and whenever they are made. clocked: whether
    there are registers. model: see above.
    """

    def __init__(
        self,
        component: wiring.Component,
        prefix: str,
        *,
        clocked: bool = True,
        model: wiring.Component | None = None,
    ) -> None:
        self._clocked = clocked
        self._directions = {
            "__".join(map(str, path)): "i" if member.flow == wiring.In else "o"
            for path, member, _ in component.signature.flatten(component)
        }
        text = _convert(component, clocked)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        self.name = f"{prefix}_{digest}"
        simple = "" if model is None else _named(_convert(model, clocked), self.name + _MODEL)
        _TEXTS[self.name] = _Text(_named(text, self.name), simple)

    def instance(self, **connections: Any) -> Instance:
        """An instance of the leaf in the parent's `sync` domain; every port but the clock must be given."""
        if connections.keys() != self._directions.keys():
            raise ValueError(f"{self.name}: connect exactly the ports {sorted(self._directions)}")
        pins = {f"{self._directions[name]}_{name}": value for name, value in connections.items()}
        return Instance(self.name, **pins, **({"i_clk": ClockSignal()} if self._clocked else {}))


def with_leaves(text: str) -> str:
    """RTLIL `text` of a design, followed by every leaf that it instantiates, directly or not, and the models.

    A model is a module that nothing instantiates, named as its leaf with `_model` behind.
    """
    parts, models, seen, at = [text], list[str](), set[str](), 0
    while at < len(parts):
        for cell in re.findall(r"^  cell \\(\S+) ", parts[at], flags=re.MULTILINE):
            if cell in _TEXTS and cell not in seen:
                seen.add(cell)
                parts.append(_TEXTS[cell].rtlil)
                models.append(_TEXTS[cell].model)
        at += 1
    return "\n".join([*parts, *filter(None, models)])


def with_models(verilog: str) -> str:
    """Verilog of `with_leaves` output, the models put under an `ifdef` beside their leaves."""
    modules = re.split(r"(?<=^endmodule\n)", verilog, flags=re.MULTILINE)
    names = [_module_name(module) for module in modules]
    models = {
        name.removesuffix(_MODEL): module.replace(name, name.removesuffix(_MODEL))
        for name, module in zip(names, modules)
        if name.endswith(_MODEL) and name.removesuffix(_MODEL) in _TEXTS
    }
    result, guarded = [], "`ifndef HWGEN_PRIMITIVES\n`define HWGEN_MODELS\n`endif\n"
    if models:
        result.append(f"`ifdef VERILATOR\n{guarded}`endif\n")
    for name, module in zip(names, modules):
        if name in models:
            result.append(f"`ifdef HWGEN_MODELS\n{models[name]}`else\n{module}`endif\n")
        elif name.removesuffix(_MODEL) not in models:
            result.append(module)
    return "".join(result)


def _convert(component: wiring.Component, clocked: bool) -> str:
    fragment = Fragment.get(component, None)
    ports: dict[str, Any] = {}
    if clocked:
        clock = ClockDomain("sync", reset_less=True)
        fragment.add_domains(clock)
        ports["clk"] = (clock.clk, None)
    for path, _, value in component.signature.flatten(component):
        ports["__".join(map(str, path))] = (value, None)
    text, _ = rtlil.convert_fragment(fragment, ports, _PLACEHOLDER, emit_src=False)
    return re.sub(r"^attribute \\top 1\n", "", text, flags=re.MULTILINE)


def _named(text: str, name: str) -> str:
    return text.replace(f"\\{_PLACEHOLDER}", f"\\{name}")


def _module_name(text: str) -> str:
    match = re.search(r"^module (\S+?)\s*\(", text, flags=re.MULTILINE)
    return match.group(1) if match else ""
