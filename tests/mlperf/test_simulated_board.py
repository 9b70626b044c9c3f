"""Keyword spotting through runner, serial commands, host code, link and the whole board top in Verilator."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import mlperf_run

pytestmark = [pytest.mark.sim, pytest.mark.slow]


def test_keyword_spotting(models: Path, tmp_path: Path) -> None:
    """Ten of what `python -m bench mlperf_run` does with all 500."""
    result = mlperf_run.run(10, board="ulx3s-85f", fps=2000, port=None, out=tmp_path)
    assert result["inputs"] == 10 and result["differing"] == 0
    assert result["rate"] > 0.3 * 2000  # one at a time: latency, not interval
