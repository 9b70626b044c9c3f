"""Lattice iCE40: SB_MAC16 as an instance (UltraPlus), adders and memories inferred.

Yosys maps plain adders to SB_CARRY with the LUT4 behind it, and synchronous memories to SB_RAM40_4K; there is
nothing to gain from instances, for the carry takes its operands as they are and the block RAM has no output
register. There is no distributed RAM. Sources: Lattice iCE40 LP/HX and UltraPlus family data sheets,
FPGA-TN-02007 (DSP function usage guide), and the models of cells that Yosys ships (share/ice40).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Signal, Value, signed

from hwgen.targets.base import Pair, RamShape, Target
from hwgen.targets.resources import Resources

MULTIPLIER_BITS = 16  # both operands of SB_MAC16, each signed or not
PRODUCT_BITS = 32
HALF_BITS = 8  # operands of the two products that it does instead
HALF_PRODUCT_BITS = 16

#: Share of a layer's flip-flops, delays apart, that no LUT of their own feeds (measured): each takes a cell.
LONE_FLIPFLOPS = 0.12

_CONTROLS = (
    "AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT",
    "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN",
)  # fmt: skip

_WIDE = ("OUTPUT_SELECT", "LOWERINPUT", "CARRYSELECT")  # parameters of two bits


def multiplier(m: Module, a: Value, b: Value, width: int) -> Value:
    """`a * b` modulo 2**`width` in one SB_MAC16, registers before and after: latency 2.

    a, b: at most 16 bits, signed or not. The register after is that of the 16x16 product (PIPELINE REG2);
    what follows it to the pins is wiring.
    """
    whole = Signal(PRODUCT_BITS, name="whole")
    setting = {"PIPELINE_16x16_MULT_REG2": 1, "TOPOUTPUT_SELECT": 3, "BOTOUTPUT_SELECT": 3}
    signs = a.shape().signed, b.shape().signed
    _cell(m, _extended(a, MULTIPLIER_BITS), _extended(b, MULTIPLIER_BITS), whole, signs, setting)
    result = Signal(signed(min(width, PRODUCT_BITS)), name="product")
    m.d.comb += result.eq(whole)
    return result


def two_multipliers(m: Module, a: Pair, b: Pair, width: int, *, total: bool = False) -> Pair:
    """`a[0] * b[0]` and `a[1] * b[1]` modulo 2**`width` in one SB_MAC16: latency 2, as above.

    a, b: at most 8 bits, signed or not, both of `a` alike and both of `b`. total: the second result is
    the sum of both products instead, one clock later: the first goes from its pins back in at C, to the
    adder behind the second.
    """
    whole, results = Signal(PRODUCT_BITS, name="whole"), (Signal(signed(width)), Signal(signed(width)))
    setting = {"MODE_8x8": 1, "TOP_8x8_MULT_REG": 1, "BOT_8x8_MULT_REG": 1, "PIPELINE_16x16_MULT_REG1": 1}
    setting |= {"BOTOUTPUT_SELECT": 2, "TOPOUTPUT_SELECT": 2}
    if total:
        setting |= {"TOPADDSUB_UPPERINPUT": 1, "TOPADDSUB_LOWERINPUT": 1, "TOPOUTPUT_SELECT": 1}
    low, high = whole[:HALF_PRODUCT_BITS], whole[HALF_PRODUCT_BITS:]
    wide_a, wide_b = (Cat(_extended(value, HALF_BITS) for value in pair) for pair in (a, b))
    signs = a[0].shape().signed, b[0].shape().signed
    _cell(m, wide_a, wide_b, whole, signs, setting, c=low if total else None)
    m.d.comb += [results[0].eq(low.as_signed()), results[1].eq(high.as_signed())]
    return results


def _cell(
    m: Module,
    a: Value,
    b: Value,
    out: Signal,
    signs: tuple[bool, bool],
    setting: dict[str, int],
    c: Value | None = None,
) -> None:
    """An SB_MAC16 with registers at A and B; setting: its other parameters, by default 0."""
    pins: dict[str, object] = {
        "i_CLK": ClockSignal(),
        "i_CE": C(1, 1),
        "i_A": a,
        "i_B": b,
        "i_C": C(0, 16) if c is None else c,
        "i_D": C(0, 16),
        **{f"i_{pin}": C(0, 1) for pin in _CONTROLS},
        "o_O": out,
        "p_A_REG": C(1, 1),
        "p_B_REG": C(1, 1),
        **{f"p_{name}": C(value, 1 + name.endswith(_WIDE)) for name, value in setting.items()},
        "p_A_SIGNED": C(signs[0], 1),
        "p_B_SIGNED": C(signs[1], 1),
    }
    m.submodules += Instance("SB_MAC16", **pins)


def _extended(value: Value, width: int) -> Value:
    """`value` sign- or zero-extended to an operand's width."""
    shape = value.shape()
    if shape.width > width:
        raise ValueError(f"operand of {shape} does not fit a {width}-bit multiplier input")
    pad = width - shape.width
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
    halves: int = HALF_BITS

    def product(self, m: Module, a: Value, b: Value, width: int) -> Value:
        return multiplier(m, a, b, width)

    def two_products(self, m: Module, a: Pair, b: Pair, width: int) -> Pair:
        return two_multipliers(m, a, b, width)

    def product_sum(self, m: Module, a: Pair, b: Pair, width: int) -> Value:
        return two_multipliers(m, a, b, width, total=True)[1]


ICE40 = Ice40()
ICE40UP = Ice40Up()
