"""Lattice iCE40: SB_RAM40_4K with one write port, one read port with an enable, 256 words of 16 bits.

Yosys maps memories to this block, too, but one whose register has an enable starts with 0 for it, as every
register in Amaranth does; the block does not, and the difference costs a LUT a bit. Sources: Lattice iCE40
memory usage guide (FPGA-TN-02002) and Yosys' model of the cell.
"""

from __future__ import annotations

import numpy as np
from amaranth.hdl import C, Cat, ClockSignal, Const, Instance, Module, Signal, Value

WIDTH, DEPTH = 16, 256
_ADDRESS_PINS = 11


def ram_block(
    m: Module,
    *,
    write_en: Value,
    write_addr: Value,
    write_data: Value,
    read_en: Value,
    read_addr: Value,
) -> Value:
    """One block; what is read comes a clock later and stays until the next clock with `read_en`.

    write_data has 16 bits or fewer. Reading a word in the clock in which it is written gives the old one.
    """
    result = Signal(WIDTH, name="ram_data")
    m.submodules += Instance(
        "SB_RAM40_4K",
        p_READ_MODE=C(0, 32),
        p_WRITE_MODE=C(0, 32),
        o_RDATA=result,
        i_RCLK=ClockSignal(),
        i_RCLKE=read_en,
        i_RE=C(1, 1),
        i_RADDR=_extended(read_addr, _ADDRESS_PINS),
        i_WCLK=ClockSignal(),
        i_WCLKE=write_en,
        i_WE=C(1, 1),
        i_WADDR=_extended(write_addr, _ADDRESS_PINS),
        i_MASK=C(0, WIDTH),
        i_WDATA=_extended(write_data, WIDTH),
    )
    return result


def initial_values(words: np.ndarray) -> dict[str, Const]:
    """INIT_0..F of a block that holds `words`, 256 or fewer of 16 bits: 16 words each, the first lowest."""
    padded = np.zeros(DEPTH, dtype="<u2")
    padded[: len(words)] = words
    rows = padded.reshape(16, 16)
    return {
        f"INIT_{at:X}": Const(int.from_bytes(row.tobytes(), "little"), 256) for at, row in enumerate(rows)
    }


def rom_block(m: Module, addr: Value, words: np.ndarray, *, name: str | None = None) -> Value:
    """One block as a ROM of words of 16 bits: latency 1. name: of the instance."""
    result = Signal(WIDTH, name="rom_data")
    m.submodules[name] = Instance(
        "SB_RAM40_4K",
        p_READ_MODE=C(0, 32),
        p_WRITE_MODE=C(0, 32),
        **{f"p_{key}": value for key, value in initial_values(words).items()},
        o_RDATA=result,
        i_RCLK=ClockSignal(),
        i_RCLKE=C(1, 1),
        i_RE=C(1, 1),
        i_RADDR=_extended(addr, _ADDRESS_PINS),
        i_WCLK=C(0, 1),
        i_WCLKE=C(0, 1),
        i_WE=C(0, 1),
        i_WADDR=C(0, _ADDRESS_PINS),
        i_MASK=C(0, WIDTH),
        i_WDATA=C(0, WIDTH),
    )
    return result


def _extended(value: Value, width: int) -> Value:
    return Cat(value, C(0, width - len(value))) if len(value) < width else value
