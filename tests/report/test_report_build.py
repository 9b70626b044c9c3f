"""From a real build to the page: every layer is on the map, the slowest path in terms of layers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pagereader import Page

from hwgen.report.page import page

MODEL = Path(__file__).resolve().parents[2] / "examples" / "digits" / "digits_small.tflite"


@pytest.mark.slow
@pytest.mark.pnr
def test_built(hwgen_command: Callable, tmp_path: Path) -> None:
    code, _, complaint = hwgen_command("build", MODEL, "--board", "ulx3s-85f", "--fps", 1000, "-o", tmp_path)
    assert code == 0, complaint
    report = json.loads((tmp_path / "report.json").read_text())
    placed = json.loads((tmp_path / "pnr" / "placement.json").read_text())
    totals = {
        kind: sum(tile[2 + place] for tiles in placed["parts"].values() for tile in tiles)
        for place, kind in enumerate(placed["kinds"])
    }
    for kind in ("lut4", "ff", "dsp", "bram"):
        assert totals[kind] == report["resources"][kind]["used"]
    for layer in report["layers"]:
        tiles = placed["parts"].get(f"core.{layer['unit']}", [])
        for kind in ("ff", "dsp", "bram"):  # ends of carry chains are LUTs that synthesis does not count
            place = 2 + placed["kinds"].index(kind)
            assert sum(tile[place] for tile in tiles) == layer["resources"][kind], (layer["unit"], kind)
    steps = report["critical_steps"]
    assert sum(step["ns"] for step in steps) == pytest.approx(1000 / report["fmax_mhz"], abs=0.1)
    units = {layer["unit"] for layer in report["layers"]}
    assert {step["place"] for step in steps} <= units | {"core", "link", "pll", "top", "reset"}
    seen = Page(page(tmp_path))
    assert [has["id"] for name, has in seen.tags if name == "section"] == [
        "graph", "layers", "time", "roofline", "timing", "device", "certificate",
    ]  # fmt: skip
    owners = seen.count("div", class_="who")
    assert owners >= len(units)
