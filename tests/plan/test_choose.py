"""Plans that only a mixed choice makes possible."""

from __future__ import annotations

from pathlib import Path

import hwgen


def test_each_layer_has_its_own_price_of_block_ram(models: Path) -> None:
    """TFC_2W2A's weights fill an iCEBreaker's block RAMs: three in five bits, and nothing else large."""
    design = hwgen.compile(models / "qonnx" / "TFC_2W2A.onnx", board="icebreaker")
    plan, budget = design.plan, design.board.budget
    assert plan.schedule.interval <= 1792
    assert (
        plan.cost.bram <= budget.bram and plan.cost.dsp <= budget.dsp and plan.cost.lut4 < 0.9 * budget.lut4
    )
    assert "ternary_packed" in {unit.folding.product for unit in plan.units.values()}
