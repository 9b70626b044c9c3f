"""ActivationMemory: words from any granule, on every kind of memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import verilated
from memories import accesses, yosys_model
from verilated import Case, first_mismatches

from hwgen.hw.systolic.activations import ActivationMemory
from hwgen.program.array import ECP5_85F, UP5K, Array
from hwgen.targets import ECP5, GENERIC, ICE40UP, Target

SMALL = replace(UP5K, activation_bytes=512)
WIDE = Array(rows=16, columns=4, activation_bytes=1024)


def case(geometry: Array, target: Target, seed: int, *, hold: bool = True) -> Case:
    memory = ActivationMemory(geometry=geometry, target=target, hold=hold)
    shared = geometry.shared_activations
    lost = shared and not hold
    size = geometry.activation_bytes
    a = accesses(memory, size=size, unit=2, shared=shared, lost=lost, seed=seed)
    return Case(memory, a.columns(), a.outputs())


@pytest.mark.sim
@pytest.mark.parametrize("model", ["hwgen", "yosys"])
def test_single_port(model: str, tmp_path: Path, monkeypatch: Any) -> None:
    """UltraPlus with hwgen's and Yosys' model of the hard RAM, and inferred memories."""
    if model == "yosys":
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "SB_SPRAM256KA.v").write_text(yosys_model("SB_SPRAM256KA"))
        monkeypatch.setattr(verilated, "MODELS", tmp_path / "models")
    cases = {
        f"{name} {target.name} hold={hold}": case(geometry, target, seed, hold=hold)
        for seed, (name, geometry) in enumerate({"up5k": UP5K, "small": SMALL, "16x4": WIDE}.items())
        for target in (ICE40UP, GENERIC)
        for hold in (True, False)
    }
    assert first_mismatches(cases, tmp_path) == {}


@pytest.mark.sim
def test_dual_port(tmp_path: Path) -> None:
    geometries = {
        "ecp5": replace(ECP5_85F, activation_bytes=16_384),
        "8x4": Array(rows=8, columns=4, activation_bytes=4096, shared_activations=False),
        "4x4": Array(activation_bytes=512, shared_activations=False),
    }
    cases = {
        f"{name} {target.name}": case(geometry, target, seed)
        for seed, (name, geometry) in enumerate(geometries.items())
        for target in (ECP5, GENERIC)
    }
    assert first_mismatches(cases, tmp_path) == {}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(activation_bytes=96), "no power of two"),
        (dict(activation_bytes=262_144), "65536"),
        (dict(activation_bytes=131_072, shared_activations=True, rows=4), "single port RAM holds 16384"),
        (dict(activation_bytes=131_072, shared_activations=False, rows=4), "too many for one block RAM"),
    ],
)
def test_sizes_that_cannot_be(fields: dict[str, Any], message: str) -> None:
    geometry = replace(UP5K, **fields)
    target = ICE40UP if geometry.shared_activations else ECP5
    with pytest.raises(ValueError, match=message):
        ActivationMemory(geometry=geometry, target=target)
