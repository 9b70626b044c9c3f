"""Weights: those that stay in the weight memory, and those that come from flash while others are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hwgen.plan.systolic.job import Job
from hwgen.program.array import Array
from hwgen.program.instructions import Instruction, Load


@dataclass(eq=False)
class Stream:
    """resident, later: bytes of the image. first: instructions that begin the program. runs: of each layer,
    its Runs with weight addresses, and Loads (offsets in `later`) and Waits among them."""

    resident: bytes
    later: bytes = b""
    first: list[Instruction] = field(default_factory=list)
    runs: dict[str, list[Instruction]] = field(default_factory=dict)

    def addressed(self, program: Sequence[Instruction], offset: int) -> list[Instruction]:
        """The program with Loads from the image, in which `later` begins at byte `offset`."""
        result = []
        for each in program:
            if isinstance(each, Load):
                at = (each.high << 16 | each.low) + offset
                each = replace(each, high=at >> 16, low=at & 0xFFFF)
            result.append(each)
        return result


def stream(jobs: dict[str, Job], array: Array) -> Stream:
    """Weights in the order of use."""
    resident = b""
    runs: dict[str, list[Instruction]] = {}
    for name, job in jobs.items():
        first = len(resident) // array.columns
        runs[name] = [replace(run, w=first) for run in job.runs]
        resident += b"".join(job.weights)
    return Stream(resident, runs=runs)
