"""Lattice ECP5: a MULT18X18D for a processing element, all its registers with a clock enable."""

from __future__ import annotations

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Signal, Value, signed

from hwgen.targets.ecp5 import MULTIPLIER_BITS

LATENCY = 3


def stepped_multiplier(m: Module, a: Value, b: Value, width: int, step: Value) -> Value:
    """a * b modulo 2**`width`, `LATENCY` steps later; a, b: signed, at most 18 bits.

    Registers before, within and behind the multiplier move in clocks with `step` only.
    """
    wide_a, wide_b = (Cat(v, v[-1].replicate(MULTIPLIER_BITS - len(v))) for v in (a, b))
    result = Signal(signed(width), name="product")
    registers = ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT")
    m.submodules += Instance(
        "MULT18X18D",
        **{f"i_A{bit}": wide_a[bit] for bit in range(MULTIPLIER_BITS)},
        **{f"i_B{bit}": wide_b[bit] for bit in range(MULTIPLIER_BITS)},
        **{f"o_P{bit}": result[bit] for bit in range(width)},
        **{f"p_REG_{register}_CLK": "CLK0" for register in registers},
        **{f"p_REG_{register}_CE": "CE0" for register in registers},
        **{f"p_REG_{register}_RST": "RST0" for register in registers},
        p_GSR="DISABLED",
        **{f"i_{sign}": C(1, 1) for sign in ("SIGNEDA", "SIGNEDB")},
        **{f"i_{source}": C(0, 1) for source in ("SOURCEA", "SOURCEB")},
        i_CLK0=ClockSignal(),
        i_CE0=step,
        i_RST0=C(0, 1),
    )
    return result
