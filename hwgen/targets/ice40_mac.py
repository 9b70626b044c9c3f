"""iCE40 UltraPlus: SB_MAC16 as two processing elements of a systolic array, 8x8 bits each.

The cell's own registers hold everything that an element holds: the activation (A), the active weight (B,
which keeps it while BHOLD), the product, and, where partial sums of 16 bits will do, the sum. Its clock
enable is the array's step. Sources as in hwgen/targets/ice40.py.
"""

from __future__ import annotations

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Signal, Value

HALF_BITS = 8
SUM_BITS = 16

_ZEROS = (
    "AHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT",
    "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN",
)  # fmt: skip
_REGISTERS = ("A_REG", "B_REG", "TOP_8x8_MULT_REG", "BOT_8x8_MULT_REG", "PIPELINE_16x16_MULT_REG1")
_FLAGS = ("MODE_8x8", "A_SIGNED", "B_SIGNED", *_REGISTERS)
_SUM, _PRODUCT = 1, 2  # what goes out: the sum's register or the product's


def two_elements(
    m: Module,
    *,
    x: tuple[Value, Value],
    w: tuple[Value, Value],
    step: Value,
    swap: Value,
    before: tuple[Value, Value] | None = None,
) -> tuple[Value, Value]:
    """x[k] * w[k] of 8 signed bits each as 16 bits, two steps later; w is that of the last step with `swap`.

    before: partial sums (16 bits); the results are then before[k] + x[k] * w[k] modulo 2^16, a step later
    still, where `before` is taken in the step in which the product would have been there.
    """
    result = Signal(2 * SUM_BITS, name="elements")
    selects = {"OUTPUT_SELECT": _PRODUCT if before is None else _SUM}
    if before is not None:
        selects |= {"ADDSUB_LOWERINPUT": 1}
    pins: dict[str, object] = {
        "i_CLK": ClockSignal(),
        "i_CE": step,
        "i_A": Cat(*x),
        "i_B": Cat(*w),
        "i_BHOLD": ~swap,
        "i_C": C(0, SUM_BITS) if before is None else before[1],
        "i_D": C(0, SUM_BITS) if before is None else before[0],
        **{f"i_{pin}": C(0, 1) for pin in _ZEROS},
        **{f"p_{name}": C(1, 1) for name in _FLAGS},
        **{f"p_{half}{name}": C(value, 2) for half in ("TOP", "BOT") for name, value in selects.items()},
        "o_O": result,
    }
    if before is not None:
        pins |= {f"p_{half}ADDSUB_UPPERINPUT": C(1, 1) for half in ("TOP", "BOT")}
    m.submodules += Instance("SB_MAC16", **pins)
    return result[:SUM_BITS], result[SUM_BITS:]
