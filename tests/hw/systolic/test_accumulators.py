"""Accumulators: every word read; updates as close as they may be, stalls, reads of the other bank."""

from __future__ import annotations

import re
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

from hwgen.hw.systolic.accumulators import Accumulators
from hwgen.hw.systolic.array import SystolicArray
from hwgen.program.array import ECP5_85F, UP5K, Array
from hwgen.targets import ECP5, GENERIC, ICE40UP

PORTS = (
    "step", "valid", "bank", "index", "first", "widen", "sums", "maximum",
    "read_bank", "read_index", "read_enable",
)  # fmt: skip


def packed(values: np.ndarray, width: int) -> int:
    return sum((int(value) & ((1 << width) - 1)) << at * width for at, value in enumerate(values))


class Scene:
    """Rounds that fill one bank and read the other one, which was filled in the round before.

    Between updates of an index lie `distance` steps or clocks at least; a round's reads begin `settled`
    clocks after the last update of the one before.
    """

    def __init__(self, dut: Accumulators, geometry: Array, *, busy: float, seed: int) -> None:
        self.dut, self.geometry, self.rng = dut, geometry, np.random.default_rng(seed)
        self.bits = geometry.accumulator
        self.busy = busy
        self.total = SystolicArray(geometry=geometry, target=GENERIC).total
        self.words: dict[tuple[int, int], np.ndarray] = {}
        ports = [name for name in PORTS if geometry.maximum or name != "maximum"]
        self.inputs: dict[str, list[int]] = {name: [] for name in ports}
        self.data: list[int | None] = [None] * dut.read_latency
        for number in range(5):
            self._round(number % 2, maximum=bool(geometry.maximum and number >= 3))
            for _ in range(dut.settled - 1):
                self._clock(number % 2, None, False)

    def _round(self, bank: int, *, maximum: bool) -> None:
        """Every index in turns, the first time as `first`, as many turns as there are steps."""
        count = int(self.rng.choice([self.dut.distance, 7, self.geometry.depth]))
        order = self.rng.permutation(self.geometry.depth)[:count]
        for turn in range(4):
            for at, index in enumerate(order):
                go = False
                while not go:
                    go = self.rng.random() < self.busy
                    widen = not maximum and turn == 2
                    self._clock(bank, int(index), go, first=not turn, widen=widen, maximum=maximum)
                if at % 5 == 4:
                    self._clock(bank, None, True)  # a step without anything

    def _clock(
        self, bank: int, index: int | None, go: bool, *, first: bool = False, widen: bool = False,
        maximum: bool = False,
    ) -> None:  # fmt: skip
        rng, bits, lowest, highest = self.rng, self.bits, self.total.lo, self.total.hi
        columns = self.geometry.columns
        sums = rng.integers(lowest, highest + 1, columns)
        if rng.random() < 0.3:
            sums = rng.choice([lowest, highest], columns)
        readable = [each for b, each in self.words if b != bank]
        read = bool(readable and rng.random() < 0.5)
        asked = int(rng.choice(readable)) if read else int(rng.integers(self.geometry.depth))
        at = int(rng.integers(self.geometry.depth)) if index is None else index
        ports = {
            "step": go, "valid": index is not None, "bank": bank, "index": at, "first": first, "widen": widen,
            "maximum": maximum, "sums": packed(sums, self.total.width),
            "read_bank": 1 - bank if read else int(rng.integers(2)), "read_index": asked, "read_enable": read,
        }  # fmt: skip
        for name in self.inputs:
            self.inputs[name].append(int(ports[name]))
        held = self.data[-1]
        self.data.append(packed(self.words[1 - bank, asked], bits) if read else held)
        if go and index is not None:
            old = self.words.get((bank, at), np.zeros(columns, dtype=np.int64))
            base = old << 7 if widen else old
            new = np.maximum(old, sums) if maximum else base + sums
            new = sums if first else new
            self.words[bank, at] = ((new + (1 << bits - 1)) & ((1 << bits) - 1)) - (1 << bits - 1)

    def case(self) -> Case:
        clocks = len(self.inputs["step"])
        return Case(self.dut, self.inputs, {"data": self._known()[:clocks]})

    def _known(self) -> list[int | None]:
        """What was read is held until its bank is filled."""
        known, start = list(self.data), 0
        banks = self.inputs["bank"]
        for clock in range(1, len(banks)):
            if banks[clock] != banks[clock - 1]:
                start = clock
            last = next((c for c in range(clock, start - 1, -1) if self.inputs["read_enable"][c]), None)
            if last is None and clock + self.dut.read_latency < len(known):
                known[clock + self.dut.read_latency] = None
        return known


@pytest.mark.sim
@pytest.mark.parametrize("model", ["fast", "hwgen", "yosys"])
def test_every_word(model: str, tmp_path: Path, monkeypatch: Any) -> None:
    """With leaves' models, and with the cells as hwgen and (SB_RAM40_4K) as Yosys know them."""
    small = replace(UP5K, depth=20)
    large = replace(ECP5_85F, rows=8, columns=8, depth=33)
    both = [(large, ECP5, latency) for latency in (1, 2, 4)]
    cases = {}
    for seed, (geometry, target, latency) in enumerate([(small, ICE40UP, 1), (small, GENERIC, 2), *both]):
        for busy in (1.0, 0.6):
            dut = Accumulators(geometry=geometry, target=target, read_latency=latency)
            scene = Scene(dut, geometry, busy=busy, seed=seed)
            cases[f"{target.name} {geometry.columns} {latency} {busy}"] = scene.case()
    if model == "yosys":
        (tmp_path / "models").mkdir()
        text = re.sub(r" `ICE40_DEFAULT_ASSIGNMENT\w+(\(.*?\))?", "", yosys_model("SB_RAM40_4K"))
        (tmp_path / "models" / "SB_RAM40_4K.v").write_text(text)
        monkeypatch.setattr(verilated, "MODELS", tmp_path / "models")
    if model != "fast":
        cases = {name: case for name, case in cases.items() if "ice40up" in name}
    assert first_mismatches(cases, tmp_path, *([] if model == "fast" else ["HWGEN_PRIMITIVES"])) == {}
