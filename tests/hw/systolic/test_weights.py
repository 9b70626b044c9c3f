"""WeightMemory on every kind of memory, and what the memories of UltraPlus take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from memories import accesses
from test_ice40 import synthesised
from verilated import Case, first_mismatches

from hwgen.hw.systolic.activations import ActivationMemory
from hwgen.hw.systolic.weights import WeightMemory
from hwgen.program.array import ECP5_85F, UP5K, Array
from hwgen.targets import ECP5, GENERIC, ICE40UP, Target


def case(geometry: Array, target: Target, seed: int, *, hold: bool = True) -> Case:
    memory = WeightMemory(geometry=geometry, target=target, hold=hold)
    shared, word = geometry.shared_weights, geometry.columns
    size = geometry.weight_words * word
    lost = shared and not hold
    a = accesses(memory, size=size, unit=word, shared=shared, lost=lost, seed=seed)
    return Case(memory, a.columns(), a.outputs())


@pytest.mark.sim
def test_memories(tmp_path: Path) -> None:
    cases = {
        f"up5k {target.name} hold={hold}": case(UP5K, target, 1, hold=hold)
        for target in (ICE40UP, GENERIC)
        for hold in (True, False)
    }
    for target in (ECP5, GENERIC):
        cases[f"ecp5 {target.name}"] = case(ECP5_85F, target, 2)
        cases[f"few words {target.name}"] = case(replace(ECP5_85F, weight_words=500), target, 3)
    assert first_mismatches(cases, tmp_path) == {}


@pytest.mark.synth
def test_cells_on_ultraplus(tmp_path: Path) -> None:
    """All four hard RAMs; an adder and two multiplexers, and where data are held a register and another."""
    found = {}
    for hold in (False, True):
        for name, kind in (("activations", ActivationMemory), ("weights", WeightMemory)):
            folder = tmp_path / f"{name}{hold}"
            folder.mkdir()
            cost, cells = synthesised(kind(geometry=UP5K, target=ICE40UP, hold=hold), folder)
            assert cells["SB_SPRAM256KA"] == 2
            found[name, hold] = cost.lut4
    assert found["activations", False] <= 66 and found["weights", False] <= 16, found
    assert found["activations", True] <= 66 + 68 and found["weights", True] <= 16 + 68, found


@pytest.mark.parametrize(
    ("geometry", "target"),
    [(replace(UP5K, weight_words=32_768), ICE40UP), (replace(UP5K, weight_words=1), ECP5)],
)
def test_sizes_that_cannot_be(geometry: Array, target: Target) -> None:
    with pytest.raises(ValueError, match="words"):
        WeightMemory(geometry=geometry, target=target)
