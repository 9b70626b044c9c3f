"""Lattice ECP5: synth_ecp5, nextpnr-ecp5, ecppack.

LFE5UM and LFE5UM5G are the same dies with serial transceivers, which hwgen leaves alone; their numbers in the
bitstream differ, and the 5G ones are faster (speed grade 8 only).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwgen.flow import netlist
from hwgen.flow.family.base import Family


class Ecp5(Family):
    """LFE5U, LFE5UM, LFE5UM5G."""

    def clean(self, module: dict[str, Any]) -> None:
        netlist.clean_carries(module)
        netlist.absorb_ram_registers(module)

    def chip(self, device: str, package: str, speed: str) -> tuple[str, ...]:
        return (f"--{self.devices[device]}", "--package", package, "--speed", speed)

    def files(self, *, free_pins: bool) -> tuple[str, ...]:
        free = ("--lpf-allow-unconstrained",) if free_pins else ()
        return ("--lpf", self.constraints, "--textcfg", self.config, *free)

    def pack(self, *, compress: bool) -> Sequence[str]:
        return [*(["--compress"] if compress else []), "--input", self.config, "--bit", self.bitstream]


ECP5 = Ecp5(
    name="ecp5",
    devices={"LFE5U-12F": "12k"}
    | {f"LFE5U-{size}F": f"{size}k" for size in (25, 45, 85)}
    | {f"LFE5UM-{size}F": f"um-{size}k" for size in (25, 45, 85)}
    | {f"LFE5UM5G-{size}F": f"um5g-{size}k" for size in (25, 45, 85)},
    grades=True,
    clock_mhz=100.0,
    fill=0.6,
    synth_script="synth_ecp5.ys.j2",
    # Wide LUT muxes (PFUMX, L6MUX21) make adder-heavy designs up to twice as large.
    synth_options=("-nowidelut",),
    nextpnr="nextpnr-ecp5",
    packer="ecppack",
    constraints="top.lpf",
    config="top.config",
    bitstream="top.bit",
    bels={"lut4": "TRELLIS_COMB", "ff": "TRELLIS_FF", "dsp": "MULT18X18D", "bram": "DP16KD"},
)
