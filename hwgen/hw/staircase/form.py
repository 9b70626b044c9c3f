"""What a staircase form is: exact hardware for one lane, given its row's parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from amaranth.hdl import Module, Value

from hwgen.hw.staircase.rows import Field
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import Staircase
from hwgen.targets import Target
from hwgen.targets.resources import Resources


class NoForm(ValueError):
    """This form cannot compute this staircase, or not at a sensible cost; the message says why."""


class StaircaseForm(ABC):
    """One way to compute y = stair(x), a word a clock.

    fields: parameters a row has, with the stage at which `build` wants them. latency: clocks from x to y.
    """

    name: ClassVar[str]

    def __init__(self, stair: Staircase, value: Range, target: Target) -> None:
        self.stair, self.value, self.target = stair, value, target

    @property
    @abstractmethod
    def fields(self) -> list[Field]:
        """Per-row parameters."""

    @property
    @abstractmethod
    def latency(self) -> int:
        """Clocks from x to y."""

    @abstractmethod
    def build(self, m: Module, x: Value, row: dict[str, Value], lane: int = 0) -> Value:
        """Adds lane number `lane`; row[name] is the field at its stage, a Const where it never varies."""

    @abstractmethod
    def cost(self) -> Resources:
        """One lane, without the table of parameters."""
