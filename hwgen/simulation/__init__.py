"""The board without the board: its whole top in Verilator, its serial line behind a pseudo-terminal."""

from __future__ import annotations

from hwgen.simulation.board import SimulatedBoard

__all__ = ["SimulatedBoard"]
