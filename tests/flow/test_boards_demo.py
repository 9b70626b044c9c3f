"""Demos of boards: the iCEstick's model made again, exact in simulation, and routed as a whole in CI."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import hwgen
from hwgen.design import Design
from hwgen.flow import board as boards
from hwgen.flow import routed
from hwgen.flow.board import Board

ROOT = Path(__file__).resolve().parents[2]
STICK = boards.load("icestick")


def _script(name: str) -> object:
    folder = str(ROOT / "examples" / "lowbit")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(folder)
        sys.modules.pop("digits", None)


def _demo(board: Board, out: Path) -> Design:
    return hwgen.compile(ROOT / board.demo.model, board.name, out=out, **board.demo.options)


@pytest.mark.parametrize("name", boards.names())
def test_the_record_is_of_the_present_demo(name: str) -> None:
    """A changed demo or chip must be routed again: `python -m bench boards`."""
    record = routed.read().get(name)
    assert record is None or record.current(boards.load(name))


def test_linear_is_what_its_script_makes() -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    script = _script("train_linear")
    training, test = _script("digits").load()  # type: ignore[attr-defined]
    weights = script.train(script.pixels(training), training.labels)  # type: ignore[attr-defined]
    net = hwgen.load(ROOT / STICK.demo.model)
    logits = net.run(test.images)
    assert np.abs(weights).max() <= 7
    assert np.array_equal(np.asarray(logits) * 16, script.pixels(test) @ weights)  # type: ignore[attr-defined]
    assert (np.asarray(logits).argmax(1) == test.labels).mean() == 0.964


@pytest.mark.sim
def test_the_sticks_demo_is_exact(tmp_path: Path) -> None:
    result = _demo(STICK, tmp_path).verify(samples=6)
    assert result["exact"]["mismatches"] == 0 and result["exact"]["samples"] == 6


@pytest.mark.pnr
@pytest.mark.parametrize("name", ["icestick", "ulx3s-12f"])
def test_demo_routed(name: str, tmp_path: Path) -> None:
    """At the family's clock, in one routing."""
    board = boards.load(name)
    options = {**board.demo.options, "clock": None}
    result = hwgen.compile(ROOT / board.demo.model, name, out=tmp_path, **options).build()
    assert result["fmax_mhz"] > result["clock_mhz"] == pytest.approx(board.toolchain.clock_mhz)
    assert result["inferences_per_second"] >= board.demo.fps
    assert (tmp_path / result["bitstream"]).stat().st_size > 30_000
    record = routed.read()[name]
    for key, count in record.used.items():  # what the record says is still about so
        assert abs(result["resources"][key]["used"] - count) <= 0.1 * count + 20
