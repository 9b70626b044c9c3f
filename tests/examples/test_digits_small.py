"""The small digits network on an iCEBreaker: trained as committed, exact in simulation, routed and packed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hwgen

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "digits"
MODEL = FOLDER / "digits_small.tflite"


def test_plan_fits_and_is_fast() -> None:
    """Two products of a hard multiplier and what LUTs can add: over ten thousand digits a second."""
    design = hwgen.compile(MODEL, board="icebreaker")
    plan, budget = design.plan, design.board.budget
    assert plan.cost.dsp <= budget.dsp == 8 and plan.cost.bram <= 12 and plan.cost.lut4 < 4212
    assert design.clock_mhz == 36 and plan.schedule.interval <= 3456
    assert any(unit.folding.product.startswith("dsp8") for unit in plan.units.values())


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "accuracy"), [("small", "97.8%"), ("mobile", "92.2%")])
def test_training_writes_the_committed_model(kind: str, accuracy: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn: pip install scikit-learn")
    output = tmp_path / "trained.tflite"
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"train_{kind}.py"), "--output", str(output)],
        env={"PYTHONPATH": str(FOLDER.parents[1])},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == (FOLDER / f"digits_{kind}.tflite").read_bytes()
    assert f"int8 {accuracy}" in done.stdout


@pytest.mark.slow
@pytest.mark.pnr
@pytest.mark.sim
def test_exact_and_routed_for_icebreaker(tmp_path: Path) -> None:
    design = hwgen.compile(MODEL, board="icebreaker", out=tmp_path)
    report = design.verify(samples=2)
    assert report["exact"]["mismatches"] == 0 and report["exact"]["samples"] == 2
    report = design.build()
    assert 36 <= report["fmax_mhz"] <= 50, "SB_MAC16 is not specified beyond 50 MHz"
    used = {name: entry["used"] for name, entry in report["resources"].items()}
    assert used["dsp"] <= 8 and used["lut4"] < 4700 and used["bram"] <= 12 and used["spram"] == 0
    assert report["bitstream"] == "digits_small.bin"
    assert report["inferences_per_second"] > 10_000
    assert len((tmp_path / "digits_small.bin").read_bytes()) > 100_000
    assert report["clock_mhz"] == 36
