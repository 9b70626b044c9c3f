"""Amaranth to Verilog: flat ports by predictable names, hostile names kept out."""

from __future__ import annotations

import re

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.emit.verilog import flat_ports, identifier, rtlil_to_verilog, to_rtlil, to_verilog
from hwgen.support.errors import ToolError, UsageError


class Wire(wiring.Component):
    """A register between two streams; `ports` are further ones."""

    def __init__(self, **ports) -> None:
        payload = stream.Signature(data.ArrayLayout(8, 3))
        super().__init__({"i": In(payload), "o": Out(payload), **ports})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        wiring.connect(m, wiring.flipped(self.i), wiring.flipped(self.o))
        beat = Signal()
        m.d.sync += beat.eq(~beat)
        return m


def ports_of(verilog: str, module: str) -> dict[str, tuple[str, int]]:
    """Direction and width of a module's ports."""
    body = re.search(rf"module {module}\(.*?endmodule", verilog, re.DOTALL)
    assert body is not None
    found = re.findall(r"^\s*(input|output) (?:\[(\d+):0\] )?(\w+);", body.group(), re.MULTILINE)
    return {name: (direction, int(top or 0) + 1) for direction, top, name in found}


@pytest.mark.synth
def test_ports_are_flat_and_named() -> None:
    verilog = to_verilog(Wire(tap_0=Out(wiring.Signature({"valid": Out(1), "payload": Out(24)}))), "core")
    assert ports_of(verilog, "core") == {
        "clk": ("input", 1), "rst": ("input", 1),
        "i_payload": ("input", 24), "i_valid": ("input", 1), "i_ready": ("output", 1),
        "o_payload": ("output", 24), "o_valid": ("output", 1), "o_ready": ("input", 1),
        "tap_0_payload": ("output", 24), "tap_0_valid": ("output", 1),
    }  # fmt: skip
    assert "src =" not in verilog


@pytest.mark.synth
def test_source_lines_on_request() -> None:
    assert "test_verilog.py" in to_verilog(Wire(), "core", source_lines=True)


@pytest.mark.synth
def test_combinational_processes_start_in_every_simulator() -> None:
    """What wakes Yosys' `always @*` is no initial value: SystemVerilog gives those before anything waits."""

    class Choice(wiring.Component):
        def __init__(self) -> None:
            super().__init__({"x": In(2), "y": Out(2)})

        def elaborate(self, platform: object) -> Module:
            m = Module()
            with m.Switch(self.x):
                with m.Case(3):
                    m.d.comb += self.y.eq(2)
            return m

    verilog = to_verilog(Choice(), "core")
    woken = re.findall(r"^ *if \((\S+) \) begin end$", verilog, re.MULTILINE)
    assert woken
    for name in woken:
        assert f"initial {name} <= 0;" in verilog
        assert not re.search(rf"reg {re.escape(name)} *=", verilog)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("kws_ref_model", "kws_ref_model"),
        ("KWS v2.1 (final)", "kws_v2_1_final"),
        ("module", "module_core"),
        ("2layers", "core_2layers"),
        ("", "core"),
        ("```$finish;\n", "finish"),
        ("日本", "core"),
        ("a" * 200, "a" * 63),
    ],
)
def test_identifier(text: str, name: str) -> None:
    assert identifier(text) == name
    assert "\\" + identifier(text) in to_rtlil(Wire(), identifier(text))


@pytest.mark.parametrize("name", ["", "Core", "a b", "wire", "x;y", "../x"])
def test_module_names_are_checked(name: str) -> None:
    with pytest.raises(UsageError):
        to_rtlil(Wire(), name)


def test_port_names_are_checked() -> None:
    with pytest.raises(UsageError, match="cannot be a port name"):
        flat_ports(Wire(clk=Out(1)))
    with pytest.raises(UsageError, match="two ports"):
        flat_ports(Wire(i_valid=Out(1)))


@pytest.mark.synth
def test_yosys_error_is_one_line() -> None:
    with pytest.raises(ToolError, match="yosys: "):
        rtlil_to_verilog("nonsense\n", "core")
