"""Simulated boards, built once for all test processes."""

from __future__ import annotations

import fcntl
from pathlib import Path

import numpy as np
import pytest
from designs import NAMES, compiled

from hwgen.design import Design
from hwgen.simulation import SimulatedBoard


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """One for all workers of pytest-xdist, which have a folder each in it."""
    base = factory.getbasetemp()
    return (base.parent if base.name.startswith("popen-") else base) / "boards"


@pytest.fixture(scope="session", params=NAMES)
def design(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Design:
    """Generated, so that its folder has a manifest; the first who needs the simulator builds it there."""
    made = compiled(request.param, shared_folder(tmp_path_factory) / request.param)
    with open(made.folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker at a time
        if not (made.folder / "report.json").exists():
            made.generate()
    return made


@pytest.fixture(scope="session")
def board(design: Design) -> SimulatedBoard:
    """To be entered by whoever needs it."""
    return SimulatedBoard(design)


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """Real handwritten digits as both models take them, int8 (N, 8, 8, 1)."""
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn: pip install scikit-learn")
    from sklearn.datasets import load_digits

    return (15 * load_digits().images[:200, ..., None] - 128).astype(np.int8)  # as examples/digits/data.py
