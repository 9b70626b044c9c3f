"""Registers one after the other."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value


def later(m: Module, value: Value, clocks: int, *, reset: bool = True) -> Value:
    """`value` some clocks later; 0 after a reset, if with one."""
    for _ in range(clocks):
        held = Signal(len(value), name="later", reset_less=not reset)
        m.d.sync += held.eq(value)
        value = held
    return value
