"""What hwgen must know of an FPGA family, and the generic answers that hold for every one of them.

Components never sniff the platform: they are given a `Target` and ask it for a product, a carry chain or a
ROM. The generic target builds everything in plain Amaranth, with the same latencies as the vendor forms, so
that a component computes the same integers, clock by clock, on every target.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Module, Signal, Value, signed

from hwgen.targets.resources import Resources

Pair = tuple[Value, Value]


@dataclass(frozen=True)
class RamShape:
    """One aspect ratio of a block RAM read once a clock: `width` bits in each of `depth` words."""

    width: int
    depth: int


@dataclass(frozen=True)
class Target:
    """An FPGA family. This class is the family that has no primitives: everything is inferred.

    name: the family. instances: whether adders and memories are vendor primitives (`Instance`) with logic in
    their carry slots and registers behind their block RAMs. inferred: nothing is known of the family, even
    multiplications are left to synthesis.
    rom_shapes: aspect ratios of a block RAM used as a ROM, widest first.
    dsp: signed operand widths of the hard multiplier, or None.
    halves: operand width, signed or not, of the two products that it does instead of one, or 0.
    bram_luts: LUT4s worth spending to save one block RAM, the exchange rate between the ROM forms.

    The costs here are those of a plain LUT4 with a carry beside it and no distributed RAM.
    """

    name: str = "generic"
    instances: bool = False
    inferred: bool = False
    rom_shapes: tuple[RamShape, ...] = (RamShape(36, 512),)
    dsp: tuple[int, int] | None = None
    halves: int = 0
    bram_luts: int = 100

    @property
    def operand(self) -> int:
        """Signed bits that the operands of wide products are cut into."""
        return min(self.dsp) if self.dsp else 18

    def adder_luts(self, width: int, kind: str = "add") -> int:
        """LUT4 sites of an adder of `hwgen.hw.carry`: its carry takes bits as they are, so each operand with
        logic before the sum (the second of these kinds, or both) takes a LUT a bit more."""
        before = {"subtract": 1, "accumulate": 1, "add_rows": 2, "subtract_rows": 2}
        return width + before.get(kind.removesuffix("_carry"), 0) * width

    def small_ram(self, width: int, depth: int) -> Resources:
        """Cost of a memory without a block RAM: flip-flops and multiplexers."""
        return Resources(lut4=width * depth + (2 * depth + 1) // 3 * width + depth, ff=width * depth)

    def delay(self, bits: int) -> Resources:
        """Registers that no LUT feeds."""
        return Resources(ff=bits)

    def occupied(self, cost: Resources) -> Resources:
        """`cost` as the family counts what is taken: the same, where LUTs and flip-flops stand apart."""
        return cost

    def product(self, m: Module, a: Value, b: Value, width: int) -> Value:
        """`a * b` modulo 2**`width` (two's complement), registered before and after: latency 2.

        a, b: signed or unsigned values. Raises nothing; the generic form has no operand limit.
        """
        held_a = Signal.like(a, name="product_a", reset_less=True)
        held_b = Signal.like(b, name="product_b", reset_less=True)
        result = Signal(signed(width), name="product", reset_less=True)
        m.d.sync += [held_a.eq(a), held_b.eq(b), result.eq(held_a * held_b)]
        return result

    def two_products(self, m: Module, a: Pair, b: Pair, width: int) -> Pair:
        """`a[0] * b[0]` and `a[1] * b[1]`, each as `product` gives it."""
        return self.product(m, a[0], b[0], width), self.product(m, a[1], b[1], width)

    def product_sum(self, m: Module, a: Pair, b: Pair, width: int) -> Value:
        """`a[0] * b[0] + a[1] * b[1]` modulo 2**`width`, registered: latency 3."""
        result = Signal(signed(width), name="product_sum", reset_less=True)
        first, second = self.two_products(m, a, b, width)
        m.d.sync += result.eq(first + second)
        return result
