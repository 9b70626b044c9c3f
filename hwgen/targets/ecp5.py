"""Lattice ECP5: MULT18X18D and DP16KD with their registers, CCU2C carry chains with logic in the slots.

Yosys infers neither the multiplier's nor the block RAM's registers on this family and never puts logic
before the adder of a carry slot; hence the instances. Sources: Lattice TN1267 (sysDSP), TN1264 (memory),
and the library of cells that Yosys ships (share/lattice).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import C, Cat, ClockSignal, Const, Instance, Module, Signal, Value, signed

from hwgen.targets.base import RamShape, Target
from hwgen.targets.resources import Resources

MULTIPLIER_BITS = 18  # signed, both operands of MULT18X18D
PRODUCT_BITS = 36
BRAM_BITS = 18432  # of a DP16KD: 1024 words of 18

#: (A, B, C, D) of a carry slot's LUT4, and the truth table as a function of them.
SlotFunction = Callable[[int, int, int, int], int]


@dataclass(frozen=True)
class Slot:
    """Half a CCU2C: sum = f(A, B, C, D) ^ carry; the next carry is `carry` where f is 1, else f(A, B, 0, 0).

    The LUT's four rows with C = D = 0 double as the *generate* function of A and B, so a slot that adds two
    terms must make f(A, B, 0, 0) equal to one of them wherever the two agree. An input left out is 1.
    """

    init: int
    a: Value | int = 1
    b: Value | int = 1
    c: Value | int = 1
    d: Value | int = 1


def truth_table(function: SlotFunction) -> int:
    """16-bit INIT of a LUT4; input A is the lowest address bit."""
    return sum((function(v & 1, v >> 1 & 1, v >> 2 & 1, v >> 3 & 1) & 1) << v for v in range(16))


CARRY_ZERO = Slot(0x0000)
CARRY_ONE = Slot(0x000F)


def carry_chain(m: Module, slots: Sequence[Slot], carry: Value | int | Slot = 0) -> Signal:
    """Sum bits of a chain of carry slots, combinational; slot 0 gives bit 0.

    carry: enters at bit 0; takes one extra slot, for a chain's first carry input floats. A slot given here
    generates it from its A and B, and must be 0 where C = D = 1.
    Cost: len(slots) + 1 LUT4 sites, rounded up to even. The last COUT stays open: nextpnr spends two more
    sites on one that is wired, used or not.
    """
    if isinstance(carry, Slot):
        first = carry
    elif isinstance(carry, Value):
        first = Slot(0x000A, a=carry)
    else:
        first = CARRY_ONE if carry else CARRY_ZERO
    chain = [first, *slots]
    if len(chain) % 2:
        chain.append(CARRY_ZERO)
    total = Signal(len(slots), name="chain")
    link: Signal | None = None
    for at in range(0, len(chain), 2):
        pins: dict[str, object] = {"p_INJECT1_0": "NO", "p_INJECT1_1": "NO"}
        for half, slot in enumerate(chain[at : at + 2]):
            pins[f"p_INIT{half}"] = Const(slot.init, 16)
            for pin, value in zip("ABCD", (slot.a, slot.b, slot.c, slot.d)):
                pins[f"i_{pin}{half}"] = value if isinstance(value, Value) else C(value, 1)
            bit = at + half - 1
            if 0 <= bit < len(slots):
                pins[f"o_S{half}"] = total[bit]
        if link is not None:
            pins["i_CIN"] = link
        if at + 2 < len(chain):
            link = Signal(name="carry")
            pins["o_COUT"] = link
        m.submodules += Instance("CCU2C", **pins)
    return total


def multiplier(m: Module, a: Value, b: Value, width: int) -> Value:
    """`a * b` modulo 2**`width` in one MULT18X18D, registers before and after: latency 2.

    a, b: at most 18 bits signed (17 unsigned). Clock enables and resets stay fixed: the pipeline never stops.
    """
    wide_a, wide_b = (_extended(value, MULTIPLIER_BITS) for value in (a, b))
    result = Signal(signed(min(width, PRODUCT_BITS)), name="product")
    pins: dict[str, object] = {
        **{f"i_A{bit}": wide_a[bit] for bit in range(MULTIPLIER_BITS)},
        **{f"i_B{bit}": wide_b[bit] for bit in range(MULTIPLIER_BITS)},
        **{f"o_P{bit}": result[bit] for bit in range(len(result))},
        **{f"p_REG_{register}_CLK": "CLK0" for register in ("INPUTA", "INPUTB", "OUTPUT")},
        **{f"p_REG_{register}_CE": "CE0" for register in ("INPUTA", "INPUTB", "OUTPUT")},
        **{f"p_REG_{register}_RST": "RST0" for register in ("INPUTA", "INPUTB", "OUTPUT")},
        "p_REG_PIPELINE_CLK": "NONE",
        "p_GSR": "DISABLED",
        **{f"i_{sign}": C(1, 1) for sign in ("SIGNEDA", "SIGNEDB")},
        **{f"i_{source}": C(0, 1) for source in ("SOURCEA", "SOURCEB")},
        "i_CLK0": ClockSignal(),
        "i_CE0": C(1, 1),
        "i_RST0": C(0, 1),
    }
    m.submodules += Instance("MULT18X18D", **pins)
    return result


def _extended(value: Value, width: int) -> Value:
    """`value` sign- or zero-extended to exactly `width` bits."""
    shape = value.shape()
    if shape.width + (not shape.signed) > width:
        raise ValueError(f"operand of {shape} does not fit a signed {width}-bit multiplier input")
    pad = value[-1].replicate(width - shape.width) if shape.signed else C(0, width - shape.width)
    return Cat(value, pad)


def initial_values(words: np.ndarray, width: int) -> dict[str, Const]:
    """INITVAL_00..3F of a DP16KD that holds `words` (one non-negative integer each) `width` bits wide.

    width: 18, 9, 4, 2 or 1. The memory is 2048 units of 9 bits; words of 4, 2 and 1 bits use eight of the
    nine. 16 pairs of units, each padded from 18 to 20 bits, make one INITVAL of 320 bits.
    """
    per_unit = {18: 1, 9: 1, 4: 2, 2: 4, 1: 8}[width]
    unit_bits = 18 if width == 18 else 9
    cells = np.zeros(BRAM_BITS, dtype=np.uint8)
    index = np.arange(len(words))
    base = index // per_unit * unit_bits + index % per_unit * width
    for bit in range(width):
        cells[base + bit] = (words >> bit) & 1
    padded = np.zeros((1024, 20), dtype=np.uint8)
    padded[:, :18] = cells.reshape(1024, 18)
    values = {}
    for number, row in enumerate(padded.reshape(64, 320)):
        packed = int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little")
        values[f"INITVAL_{number:02X}"] = Const(packed, 320)
    return values


def rom_block(
    m: Module, addr: Value, words: np.ndarray, width: int, *, both: bool, name: str | None = None
) -> Value:
    """One DP16KD as a ROM with output registers: latency 2. name: of the instance.

    width: bits of a port (18, 9, 4, 2, 1). both: use both ports, port B reading the upper half of the
    memory: the result is then 2 * `width` bits, with `words` two half-memories one after the other.
    """
    shift = {18: 4, 9: 3, 4: 2, 2: 1, 1: 0}[width]
    address_bits = 14 - shift - both
    held = Cat(addr, C(0, max(0, address_bits - len(addr))))[:address_bits]
    pins: dict[str, object] = {f"p_{name}": value for name, value in initial_values(words, width).items()}
    result = Signal(2 * width if both else width, name="rom_data")
    for number, port in enumerate("AB" if both else "A"):
        address = Cat(C(0, shift), held, *([C(number, 1)] if both else []))
        pins |= {f"i_AD{port}{bit}": address[bit] for bit in range(14)}
        pins |= {f"o_DO{port}{bit}": result[number * width + bit] for bit in range(width)}
    for number, port in enumerate("AB"):
        used = both or number == 0
        pins |= {
            f"p_DATA_WIDTH_{port}": width,
            f"p_REGMODE_{port}": "OUTREG",
            f"p_CSDECODE_{port}": "0b000",
            f"p_WRITEMODE_{port}": "NORMAL",
            f"p_CLK{port}MUX": f"CLK{port}",
            f"i_CLK{port}": ClockSignal() if used else C(0, 1),
            **{f"i_{pin}{port}": C(int(used), 1) for pin in ("CE", "OCE")},
            **{f"i_{pin}{port}": C(0, 1) for pin in ("WE", "RST")},
            **{f"i_CS{port}{bit}": C(0, 1) for bit in range(3)},
        }
    pins |= {"p_RESETMODE": "SYNC", "p_ASYNC_RESET_RELEASE": "SYNC", "p_GSR": "AUTO"}
    m.submodules[name] = Instance("DP16KD", **pins)
    return result


@dataclass(frozen=True)
class Ecp5(Target):
    """LFE5U/LFE5UM/LFE5UM5G."""

    name: str = "ecp5"
    instances: bool = True
    # 36 bits: both ports of 18 bits, each reading its half of the memory
    rom_shapes: tuple[RamShape, ...] = (
        RamShape(36, 512),
        RamShape(18, 1024),
        RamShape(9, 2048),
        RamShape(4, 4096),
        RamShape(2, 8192),
        RamShape(1, 16384),
    )
    dsp: tuple[int, int] | None = (MULTIPLIER_BITS, MULTIPLIER_BITS)

    def adder_luts(self, width: int, kind: str = "add") -> int:
        """One slot to start the chain, pairs of slots in a CCU2C, the logic before the sum in the slots."""
        return 2 * ((width + 2) // 2)

    def small_ram(self, width: int, depth: int) -> Resources:
        """TRELLIS_DPR16X4, six sites for 16 words of 4 bits, and a multiplexer between the words."""
        rows, columns = -(-depth // 16), -(-width // 4)
        return Resources(lut4=rows * columns * 6 + (rows - 1) * width)

    def product(self, m: Module, a: Value, b: Value, width: int) -> Value:
        return multiplier(m, a, b, width)


ECP5 = Ecp5()
