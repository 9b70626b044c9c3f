"""Keyword spotting through runner, serial commands, host code, link and the whole board top in Verilator."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import mlperf_run

pytestmark = [pytest.mark.sim, pytest.mark.slow]


def test_keyword_spotting(models: Path, tmp_path: Path) -> None:
    """Ten of what `python -m bench mlperf_run` does with all 500."""
    result = mlperf_run.run(10, board="icebreaker", engine="systolic", out=tmp_path)
    assert result["inputs"] == 10 and result["differing"] == 0
    assert result["accuracy"] >= 0.8
    assert 120 < result["rate"] < 200  # at 30 MHz, 16 multipliers
