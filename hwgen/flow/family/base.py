"""What the flow must know of an FPGA family."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Family(ABC):
    """How a family's designs are synthesised, placed, routed and packed.

    name: as boards and `hwgen.targets` call it. devices: what nextpnr calls each device. grades: whether
    devices have a speed grade. clock_mhz: a clock that most designs reach. fill: share of the LUTs that still
    routes well.
    synth_script: template of the Yosys script. synth_options: for its synth_* command.
    nextpnr, packer: names of the tools. constraints: file (and, with `.j2`, template) of pins.
    config, bitstream: files that nextpnr and the packer write. bels: nextpnr's names of the resources in a
    board's budget. limits_mhz: fastest clock of a kind of cell whose delays nextpnr does not model.
    pll_pads: the pin that is a PLL's own input, by device and package, where it cannot be used otherwise.
    """

    name: str
    devices: Mapping[str, str]
    grades: bool
    clock_mhz: float
    fill: float
    synth_script: str
    synth_options: tuple[str, ...]
    nextpnr: str
    packer: str
    constraints: str
    config: str
    bitstream: str
    bels: Mapping[str, str]
    limits_mhz: Mapping[str, float] = field(default_factory=dict)
    pll_pads: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @abstractmethod
    def clean(self, module: dict[str, Any]) -> None:
        """Changes a synthesised netlist before place and route, where there is something to change."""

    @abstractmethod
    def chip(self, device: str, package: str, speed: str) -> tuple[str, ...]:
        """nextpnr's arguments that choose the chip."""

    @abstractmethod
    def files(self, *, free_pins: bool) -> tuple[str, ...]:
        """nextpnr's arguments for constraints and result. free_pins: ports without a pin are allowed."""

    @abstractmethod
    def pack(self, *, compress: bool) -> Sequence[str]:
        """The packer's arguments."""
