"""What a Run did, counted while it is executed; the dataflow report and hardware counters compare with it."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Counts:
    """steps: activation words that entered the array. macs: products that it offered for them.

    activation_reads: activation words of `rows` bytes. weight_reads: weight words of `columns` bytes, with
    those of parameters. accumulator_reads, accumulator_writes: words of one accumulator a column; storing
    reads them too. stored: bytes written to activations.
    """

    steps: int = 0
    macs: int = 0
    activation_reads: int = 0
    weight_reads: int = 0
    accumulator_reads: int = 0
    accumulator_writes: int = 0
    stored: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))
