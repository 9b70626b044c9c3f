"""Lattice iCE40: SB_MAC16 as an instance (UltraPlus), adders and memories inferred.

Yosys maps plain adders to SB_CARRY with the LUT4 behind it, and synchronous memories to SB_RAM40_4K; there is
nothing to gain from instances, for the carry takes its operands as they are and the block RAM has no output
register. There is no distributed RAM. Sources: Lattice iCE40 LP/HX and UltraPlus family data sheets,
FPGA-TN-02007 (DSP function usage guide), and the models of cells that Yosys ships (share/ice40).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Signal, Value, signed

from hwgen.targets.base import RamShape, Target
from hwgen.targets.resources import Resources

MULTIPLIER_BITS = 16  # both operands of SB_MAC16, each signed or not
PRODUCT_BITS = 32

#: Share of a layer's flip-flops that do not lie behind a LUT of their own (measured; they take a cell each).
LONE_FLIPFLOPS = 0.25

_CONTROLS = (
    "AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT",
    "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN",
)  # fmt: skip


def multiplier(m: Module, a: Value, b: Value, width: int) -> Value:
    """`a * b` modulo 2**`width` in one SB_MAC16, registers before and after: latency 2.

    a, b: at most 16 bits, signed or not. The register after is that of the 16x16 product (PIPELINE REG2);
    what follows it to the pins is wiring.
    """
    wide_a, wide_b = (_extended(value) for value in (a, b))
    result = Signal(signed(min(width, PRODUCT_BITS)), name="product")
    pins: dict[str, object] = {
        "i_CLK": ClockSignal(),
        "i_CE": C(1, 1),
        "i_A": wide_a,
        "i_B": wide_b,
        "i_C": C(0, 16),
        "i_D": C(0, 16),
        **{f"i_{pin}": C(0, 1) for pin in _CONTROLS},
        "o_O": (whole := Signal(PRODUCT_BITS, name="whole")),
        "p_A_REG": C(1, 1),
        "p_B_REG": C(1, 1),
        "p_PIPELINE_16x16_MULT_REG2": C(1, 1),
        "p_TOPOUTPUT_SELECT": C(3, 2),
        "p_BOTOUTPUT_SELECT": C(3, 2),
        "p_A_SIGNED": C(a.shape().signed, 1),
        "p_B_SIGNED": C(b.shape().signed, 1),
    }
    m.submodules += Instance("SB_MAC16", **pins)
    m.d.comb += result.eq(whole)
    return result


def _extended(value: Value) -> Value:
    """`value` sign- or zero-extended to an operand's width."""
    shape = value.shape()
    if shape.width > MULTIPLIER_BITS:
        raise ValueError(f"operand of {shape} does not fit a {MULTIPLIER_BITS}-bit multiplier input")
    pad = MULTIPLIER_BITS - shape.width
    return Cat(value, value[-1].replicate(pad) if shape.signed else C(0, pad))


@dataclass(frozen=True)
class Ice40(Target):
    """LP and HX."""

    name: str = "ice40"
    rom_shapes: tuple[RamShape, ...] = (
        RamShape(16, 256),
        RamShape(8, 512),
        RamShape(4, 1024),
        RamShape(2, 2048),
    )
    bram_luts: int = 100

    def delay(self, bits: int) -> Resources:
        """A cell each; a share of it comes with `occupied`."""
        return Resources(lut4=bits - int(bits * LONE_FLIPFLOPS), ff=bits)

    def occupied(self, cost: Resources) -> Resources:
        """Logic cells: a flip-flop that no LUT feeds alone takes one, too."""
        return replace(cost, lut4=cost.lut4 + int(cost.ff * LONE_FLIPFLOPS))


@dataclass(frozen=True)
class Ice40Up(Ice40):
    """UltraPlus: with hard multipliers."""

    name: str = "ice40up"
    dsp: tuple[int, int] | None = (MULTIPLIER_BITS, MULTIPLIER_BITS)

    def product(self, m: Module, a: Value, b: Value, width: int) -> Value:
        return multiplier(m, a, b, width)


ICE40 = Ice40()
ICE40UP = Ice40Up()
