"""SystolicArray: every sum in every clock, with stalls, both modes, weights loaded as late as they may be."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

import verilated
from memories import yosys_model
from verilated import Case, first_mismatches

from hwgen.hw.systolic.array import SystolicArray
from hwgen.program.array import UP5K
from hwgen.targets import ECP5, GENERIC, ICE40, ICE40UP

ENDS = (-128, 127)


class Run:
    """A random sequence of clocks for an array and the sums that must be there in each.

    Each pass has words and weights of its own. A row's next weights are written as soon as they may be, or
    some clocks later; a step waits for the weights that it takes over, and else for chance (`busy`).
    """

    def __init__(self, dut: SystolicArray, *, busy: float, seed: int, passes: int = 12) -> None:
        self.dut, self.busy, self.rng = dut, busy, np.random.default_rng(seed)
        self.inputs: dict[str, list[int]] = {
            name: [] for name in ("step", "x", "depthwise", "swap", "load", "load_row", "w")
        }
        self.sums: list[int | None] = []
        for depthwise in (0, 1, 0):
            self._run(depthwise, passes)

    def bytes(self, *shape: int) -> np.ndarray:
        """Random, or only from the ends of the range, or all at one end."""
        kind = self.rng.integers(4)
        if kind == 0:
            return np.full(shape, self.rng.choice(ENDS))
        return self.rng.choice(ENDS, shape) if kind == 1 else self.rng.integers(-128, 128, shape)

    def _run(self, depthwise: int, passes: int) -> None:
        """Passes of one mode, then steps until all sums are out."""
        rows, columns, rng = self.dut.rows, self.dut.columns, self.rng
        lengths = rng.choice([1, 2, 3, rows, 3 * rows], passes)
        owner = np.repeat(np.arange(passes), lengths)
        words = np.concatenate([self.bytes(length, rows) for length in lengths])
        words = np.concatenate([words, self.bytes(rows, rows)])  # what depthwise sums see past the end
        weights = np.stack([self.bytes(rows, columns) for _ in range(passes)])
        first = np.flatnonzero(np.diff(owner, prepend=-1))
        code = self.dut.geometry.code
        if depthwise:
            lanes = np.stack([words[row : row + len(owner), :columns] for row in range(rows)], axis=1)
        else:
            lanes = words[: len(owner), :, None]
        expected = meant(code, weights[owner], lanes).sum(axis=1)
        starts = enumerate(first + self.dut.spread)
        takes = {(int(at) + row, row): number for number, at in starts for row in range(rows)}
        if self.dut.geometry.steady:
            for _ in range(rows):
                self._clock(step=0, x=0, depthwise=depthwise, swap=0, load=0, load_row=0, w=0)
                self.sums.append(None)
        loaded, taken, step = [-1] * rows, [-1] * rows, 0
        while step < len(owner) + self.dut.latency:
            ready = all(loaded[row] >= takes.get((step, row), -1) for row in range(rows))
            go = bool(ready and rng.random() < self.busy)
            now = [takes.get((step, row), taken[row]) if go else taken[row] for row in range(rows)]
            free = [row for row in range(rows) if loaded[row] == now[row] and now[row] + 1 < passes]
            free = sorted(free, key=lambda row: (loaded[row], row))  # the one that is needed first
            load = bool(free and rng.random() < 0.7)
            row = free[0] if load else int(rng.integers(rows))
            if load:
                loaded[row] += 1
            w = weights[loaded[row], row] if load else self.bytes(columns)
            x = words[step] if step < len(words) else self.bytes(rows)
            self._clock(
                step=go, x=_word(x if go else self.bytes(rows)), depthwise=depthwise,
                swap=step in first if go else int(rng.integers(2)), load=load, load_row=row, w=_word(w),
            )  # fmt: skip
            out = step - self.dut.latency
            self.sums.append(_word(expected[out], self.dut.total.width) if 0 <= out < len(owner) else None)
            taken, step = now, step + go

    def _clock(self, **ports: int) -> None:
        for name, value in ports.items():
            self.inputs[name].append(int(value))

    def case(self) -> Case:
        return Case(self.dut, self.inputs, {"sums": self.sums})


def meant(code: str, w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """What an element makes of a weight and an activation."""
    if code == "int8":
        return w * x
    agree = ~(w ^ x)
    return sum(((agree >> bit) & 1) * 2 - 1 for bit in range(8))


def _word(values: np.ndarray, width: int = 8) -> int:
    return sum((int(value) & ((1 << width) - 1)) << at * width for at, value in enumerate(values))


def cases() -> dict[str, Case]:
    wide = replace(UP5K, rows=8)
    square = replace(UP5K, rows=8, columns=8)
    arrays = {
        "ice40up": SystolicArray(geometry=UP5K, target=ICE40UP),
        "ice40up 8x4": SystolicArray(geometry=wide, target=ICE40UP, multipliers=14),
        "ice40": SystolicArray(geometry=UP5K, target=ICE40),
        "xnor": SystolicArray(geometry=replace(UP5K, code="xnor"), target=ICE40UP),
        "xnor 8x8": SystolicArray(geometry=replace(square, code="xnor"), target=ECP5),
        "generic 8x8": SystolicArray(geometry=square, target=GENERIC),
        "ecp5": SystolicArray(geometry=UP5K, target=ECP5, multipliers=8),
        "ecp5 8x4": SystolicArray(geometry=wide, target=ECP5),
        "ecp5 steady": SystolicArray(geometry=replace(wide, shared_activations=False), target=ECP5),
    }
    return {
        f"{name}, busy {busy}": Run(dut, busy=busy, seed=seed).case()
        for seed, (name, dut) in enumerate(arrays.items())
        for busy in (0.6, 1.0)
    }


@pytest.mark.sim
@pytest.mark.parametrize("model", ["fast", "hwgen", "yosys"])
def test_every_sum(model: str, tmp_path: Path, monkeypatch: Any) -> None:
    """With leaves' models, and with the cells as hwgen and (SB_MAC16) as Yosys know them."""
    chosen = cases()
    if model == "yosys":
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "SB_MAC16.v").write_text(yosys_model("SB_MAC16"))
        monkeypatch.setattr(verilated, "MODELS", tmp_path / "models")
        chosen = {name: case for name, case in chosen.items() if "ice40up" in name}
    defines = [] if model == "fast" else ["HWGEN_PRIMITIVES"]
    assert first_mismatches(chosen, tmp_path, *defines) == {}


def test_latency() -> None:
    assert SystolicArray(geometry=UP5K, target=ICE40UP).latency == 5
    assert SystolicArray(geometry=UP5K, target=ICE40UP).hard_rows == 4
    large = SystolicArray(geometry=replace(UP5K, rows=16, columns=16), target=ECP5)
    assert (large.latency, large.hard_rows) == (20, 8)
