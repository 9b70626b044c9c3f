"""Lattice ECP5: DP16KD as a memory with one write port and one read port, both on one clock.

Yosys infers this block without its output register (5.8 ns from clock to data, 150 MHz at best) and adds
a register and a multiplexer a bit to imitate what happens when one address is written and read at once.
Neither is wanted here. Sources: Lattice TN1264; Yosys' own mapping (share/lattice/brams_map_16kd.v), with
which tests/targets/test_ecp5_ram.py compares the pins.
"""

from __future__ import annotations

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Signal, Value

#: Address bits below the word's own for each port width.
ADDRESS_SHIFT = {36: 5, 18: 4, 9: 3, 4: 2, 2: 1, 1: 0}


def ram_block(
    m: Module, *, width: int, write_en: Value, write_addr: Value, write_data: Value, read_addr: Value
) -> Value:
    """One DP16KD of 16384 >> ADDRESS_SHIFT[width] words: port A writes, port B reads, latency 2.

    write_data has `width` bits or fewer. Reading a word in the clock in which it is written is undefined.
    A port of 36 bits has its low half on the pins of A and its high half on those of B, both when writing
    and when reading; byte enables (always on) are address bits 3..0 (36) or 1..0 (18).
    """
    shift = ADDRESS_SHIFT[width]
    result = Signal(width, name="ram_data")
    data = Cat(write_data, C(0, width - len(write_data)))
    writing = Cat(C((1 << shift) - 1 if width >= 18 else 0, shift), write_addr, C(0, 14))[:14]
    reading = Cat(C(0, shift), read_addr, C(0, 14))[:14]
    outputs = "AB" if width == 36 else "B"
    half = min(width, 18)
    pins: dict[str, object] = {
        "p_DATA_WIDTH_A": width,
        "p_DATA_WIDTH_B": width,
        "p_RESETMODE": "SYNC",
        "p_ASYNC_RESET_RELEASE": "SYNC",
        "p_GSR": "AUTO",
        "i_CEA": write_en,
        "i_WEA": C(1, 1),
        "i_CEB": C(1, 1),
        "i_WEB": C(0, 1),
        **{f"i_ADA{bit}": writing[bit] for bit in range(14)},
        **{f"i_ADB{bit}": reading[bit] for bit in range(14)},
        **{f"i_DI{'AB'[bit // 18]}{bit % 18}": data[bit] for bit in range(width)},
        **{
            f"o_DO{port}{bit}": result[number * half + bit]
            for number, port in enumerate(outputs)
            for bit in range(half)
        },
    }
    for port in "AB":
        pins |= {
            f"p_REGMODE_{port}": "OUTREG",
            f"p_CSDECODE_{port}": "0b000",
            f"p_WRITEMODE_{port}": "NORMAL",
            f"p_CLK{port}MUX": f"CLK{port}",
            f"i_CLK{port}": ClockSignal(),
            f"i_OCE{port}": C(1, 1),
            f"i_RST{port}": C(0, 1),
            **{f"i_CS{port}{bit}": C(0, 1) for bit in range(3)},
        }
    m.submodules += Instance("DP16KD", **pins)
    return result
