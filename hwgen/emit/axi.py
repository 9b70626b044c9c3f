"""`rtl/<core>_axis.v`: a core as an AXI4-Stream peripheral, for a SoC of one's own.

The file holds the module `<core>_axis` around an instance of the core's module. Ports, as AXI's tools expect
them: aclk; aresetn, active low and synchronous, as AXI wants it; s_axis_* and m_axis_* with TDATA, TVALID,
TREADY, TLAST; frame_error. What they mean: hw/link/axi_stream.py, and `axi_stream` in manifest.json:
``module``, ``file``, ``clock``, ``reset``, and by side (``s_axis``, ``m_axis``) the core's ``port``,
``bytes`` and ``lanes`` of a transfer, ``lane_bytes``, and ``transfers`` of a frame, the last one with TLAST.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Instance, Module, ResetSignal, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwgen.emit.manifest import Manifest, StreamPort
from hwgen.emit.verilog import to_verilog
from hwgen.hw.link.axi_stream import AxiStream
from hwgen.hw.stream import lanes_layout
from hwgen.runtime.link import element_bytes
from hwgen.support.errors import UsageError
from hwgen.support.files import write_atomic


class AxiPeripheral(wiring.Component):
    """The module `core` of a manifest, with clock and reset as AXI names them; see the module."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        source, sink = _streams(manifest)
        self._axis = AxiStream(
            inward=_layout(source), outward=_layout(sink), inputs=source.beats * source.lanes,
            outputs=sink.beats * sink.lanes,
        )  # fmt: skip
        members = self._axis.signature.members
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "s_axis": members["s_axis"],
                "m_axis": members["m_axis"],
                "frame_error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = ClockDomain("sync", local=True)
        m.submodules.axis = axis = self._axis
        source, sink = _streams(self.manifest)
        given, taken = Signal(source.bits), Signal(sink.bits)
        m.d.comb += [
            ClockSignal().eq(self.aclk),
            ResetSignal().eq(~self.aresetn),
            given.eq(axis.i.payload.as_value()),
            axis.o.payload.as_value().eq(taken),
            self.frame_error.eq(axis.error),
        ]
        wiring.connect(m, wiring.flipped(self.s_axis), axis.s_axis)
        wiring.connect(m, axis.m_axis, wiring.flipped(self.m_axis))
        m.submodules.core = Instance(
            self.manifest.core,
            ("i", self.manifest.clock, ClockSignal()), ("i", self.manifest.reset, ResetSignal()),
            ("i", f"{source.name}_payload", given), ("i", f"{source.name}_valid", axis.i.valid),
            ("o", f"{source.name}_ready", axis.i.ready),
            ("o", f"{sink.name}_payload", taken), ("o", f"{sink.name}_valid", axis.o.valid),
            ("i", f"{sink.name}_ready", axis.o.ready),
        )  # fmt: skip
        return m


def peripheral_name(manifest: Manifest) -> str:
    """Name of the wrapper's module."""
    return f"{manifest.core[:58]}_axis"


def axi_stream(manifest: Manifest) -> dict[str, Any]:
    """The manifest's entry: see above. UsageError for a core that has not one input and one output."""
    sides = {}
    for side, port in zip(("s_axis", "m_axis"), _streams(manifest), strict=True):
        each = element_bytes(port.range.width)
        sides[side] = {
            "port": port.name,
            "bytes": port.lanes * each,
            "lanes": port.lanes,
            "lane_bytes": each,
            "transfers": port.beats,
        }
    name = peripheral_name(manifest)
    return {"module": name, "file": f"rtl/{name}.v", "clock": "aclk", "reset": "aresetn", **sides}


def write_axi_stream(folder: Path, manifest: Manifest) -> Path:
    """Write the wrapper's Verilog into the build folder; its path."""
    path = folder / axi_stream(manifest)["file"]
    write_atomic(path, to_verilog(AxiPeripheral(manifest), peripheral_name(manifest)))
    return path


def _streams(manifest: Manifest) -> tuple[StreamPort, StreamPort]:
    if len(manifest.inputs) != 1 or len(manifest.outputs) != 1:
        raise UsageError("AXI4-Stream is for a core with one input and one output", where="manifest")
    return manifest.inputs[0], manifest.outputs[0]


def _layout(port: StreamPort) -> data.ArrayLayout:
    return lanes_layout(port.range, port.lanes)
