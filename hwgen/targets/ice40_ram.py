"""Lattice iCE40: SB_RAM40_4K with one write port, one read port with an enable, 256 words of 16 bits.

Yosys maps memories to this block, too, but one whose register has an enable starts with 0 for it, as every
register in Amaranth does; the block does not, and the difference costs a LUT a bit. Sources: Lattice iCE40
memory usage guide (FPGA-TN-02002) and Yosys' model of the cell.
"""

from __future__ import annotations

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Signal, Value

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


def _extended(value: Value, width: int) -> Value:
    return Cat(value, C(0, width - len(value))) if len(value) < width else value
