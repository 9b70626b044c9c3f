"""Random accesses to the engine's memories, and what must be read: bytes in a list."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from amaranth.lib import wiring

Clock = dict[str, int]


@dataclass
class Accesses:
    """Builds inputs and expected read_data clock by clock.

    unit: bytes that addresses count; size: bytes in all; latency and lost (a write makes read_data undefined)
    as the memory has them.
    """

    size: int
    unit: int
    read_bytes: int
    write_bytes: int
    latency: int
    lost: bool
    inputs: list[Clock] = field(default_factory=list)
    expected: list[int | None] = field(default_factory=list)
    cells: dict[int, int] = field(default_factory=dict)

    def clock(self, read: int | None, write: int | None, data: int = 0) -> None:
        """One clock: unit addresses to read from and to write to, or None."""
        while len(self.expected) < len(self.inputs) + self.latency:
            self.expected.append(None)
        self.inputs.append(
            {
                "read": int(read is not None),
                "read_address": random.getrandbits(16) if read is None else read,
                "write": int(write is not None),
                "write_address": random.getrandbits(16) if write is None else write,
                "write_data": data if write is not None else random.getrandbits(8 * self.write_bytes),
            }
        )
        if read is None:
            self.expected.append(None if write is not None and self.lost else self.expected[-1])
        else:
            got = [self.cells.get((read * self.unit + k) % self.size) for k in range(self.read_bytes)]
            known = [byte for byte in got if byte is not None]
            self.expected.append(int.from_bytes(known, "little") if len(known) == len(got) else None)
        if write is not None:
            for k, byte in enumerate(data.to_bytes(self.write_bytes, "little")):
                self.cells[write * self.unit + k] = byte

    def columns(self) -> dict[str, list[int]]:
        """Inputs by port."""
        return {name: [clock[name] for clock in self.inputs] for name in self.inputs[0]}

    def outputs(self) -> dict[str, list[int | None]]:
        """Expected read_data for the clocks that there are inputs for."""
        return {"read_data": self.expected[: len(self.inputs)]}


def accesses(
    memory: wiring.Component, *, size: int, unit: int, shared: bool, lost: bool, seed: int, clocks: int = 700
) -> Accesses:
    """Fills both ends and the middle of the memory, then reads and writes there at random.

    Reads begin at any unit, wrap around the end, follow writes and one another at once; a dual port memory
    is never asked for a byte that is being written.
    """
    random.seed(seed)
    read_bytes, write_bytes = (len(getattr(memory, name)) // 8 for name in ("read_data", "write_data"))
    a = Accesses(size, unit, read_bytes, write_bytes, memory.latency, lost)  # type: ignore[attr-defined]
    step, total = write_bytes // unit, size // unit
    words = total // step
    used = sorted(
        {w for centre in (0, words // 2, words) for w in range(centre - 12, centre + 12) if w in range(words)}
    )
    for word in used:
        a.clock(None, word * step, random.getrandbits(8 * write_bytes))
    while len(a.inputs) < clocks:
        write = random.choice(used) * step if random.random() < 0.5 else None
        read = (
            (random.choice(used) * step + random.randrange(step)) % total if random.random() < 0.7 else None
        )
        if write is not None and read is not None:
            touched = {(read + k) % total for k in range(read_bytes // unit)}
            if shared or touched & set(range(write, write + step)):
                read, write = (read, None) if random.random() < 0.5 else (None, write)
        a.clock(read, write, random.getrandbits(8 * write_bytes))
    assert sum(word is not None for word in a.outputs()["read_data"]) > clocks // 4
    return a


def yosys_model(cell: str) -> str:
    """Yosys' own Verilog model of an iCE40 cell, without its timing; skips where there is no pyosys."""
    import importlib.util
    import re
    from pathlib import Path

    import pytest

    spec = importlib.util.find_spec("pyosys")
    if spec is None or spec.origin is None:
        pytest.skip("Yosys' models come with pyosys")
    text = (Path(spec.origin).parent / "share" / "ice40" / "cells_sim.v").read_text()
    found = re.search(rf"^module {cell} \(.*?^endmodule", text, flags=re.MULTILINE | re.DOTALL)
    assert found, cell
    return re.sub(r"^`ifdef ICE40_U\n.*?^`endif\n", "", found[0], flags=re.MULTILINE | re.DOTALL) + "\n"
