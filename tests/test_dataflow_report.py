"""`hwgen dataflow`: tables, JSON, a picture that is XML, and refusals of one line."""

from __future__ import annotations

import dataclasses
import itertools
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwgen import dataflow
from hwgen.flow import board as boards
from hwgen.ir.graph import Graph
from hwgen.ir.tensor import Edge, Tensor
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.program.array import UP5K
from hwgen.support.errors import UnsupportedError, UsageError

DIGITS = Path(__file__).resolve().parent.parent / "examples" / "digits" / "digits.tflite"
SVG = "{http://www.w3.org/2000/svg}"


def graph(*names: str) -> Graph:
    """A convolution of each name, one after the other."""
    result = Graph("example", "tflite")
    result.add_input(Edge("x", "t0", (6, 6, 4), "int8"), Tensor("t0", (6, 6, 4), Range(-128, 127)))
    for number, name in enumerate(names):
        weights = np.ones((4, 1, 1, 4), dtype=np.int64)
        result.add(
            Conv(
                name=name, inputs=(f"t{number}",), output=f"t{number + 1}", weights=weights,
                bias=np.zeros(4, np.int64), window=Window(),
            )
        )  # fmt: skip
    return result


def test_table_and_picture(hwgen_command: Callable, tmp_path: Path) -> None:
    code, text, _ = hwgen_command("dataflow", DIGITS, "-o", tmp_path)
    assert code == 0 and (tmp_path / "dataflow.txt").read_text() == text
    facts = json.loads((tmp_path / "dataflow.json").read_text())
    assert facts["board"] == "icebreaker" and facts["array"]["rows"] == 4
    assert facts["macs"] == sum(layer["macs"] for layer in facts["layers"])
    lines = text.splitlines()
    for layer in facts["layers"]:
        assert sum(line.startswith(layer["name"]) for line in lines) == 2
        assert any(line.startswith(layer["name"]) and layer["why"] in line for line in lines)
    marked = [line for line in lines if "%" in line and line.startswith(facts["layers"][1]["name"])]
    assert "*" in marked[0] and "+" in marked[0]
    code, out, _ = hwgen_command("dataflow", DIGITS, "--board", "ulx3s-85f", "--json")
    other = json.loads(out)
    assert code == 0 and other["array"]["rows"] == 16
    assert other["totals"]["engine"]["cycles"] < facts["totals"]["engine"]["cycles"]


def test_bars_are_as_high_as_the_energy() -> None:
    result = dataflow.report(graph("one", "two"), boards.load("icebreaker"))
    root = ElementTree.fromstring(dataflow.picture(result))
    bars = [each for each in root.iter(f"{SVG}g") if each.find(f"{SVG}title") is not None]
    assert len(bars) == 3 * len(dataflow.DATAFLOWS)
    assert len(list(root.iter(f"{SVG}circle"))) == 2
    heights = []
    for bar in bars:
        parts = [(float(each.get("y")), float(each.get("height"))) for each in bar.findall(f"{SVG}rect")]
        assert parts[0][0] + parts[0][1] == pytest.approx(dataflow.HEIGHT, abs=0.05)
        for (y, _), (below, height) in itertools.pairwise(parts):
            assert below + height == pytest.approx(y, abs=0.05)
        heights.append(sum(height for _, height in parts))
    uses = [use for layer in result["layers"] for use in layer["uses"].values()]
    uses += [result["totals"][name] for name in dataflow.DATAFLOWS]
    macs = [layer["macs"] for layer in result["layers"] for _ in layer["uses"]] + [result["macs"]] * 4
    scale = [use["energy_pj"]["total"] / count / height for use, count, height in zip(uses, macs, heights)]
    assert scale == pytest.approx([scale[0]] * len(scale), rel=2e-3)
    assert max(heights) <= dataflow.HEIGHT


def test_hostile_names_stay_text() -> None:
    bad = '<script>alert("1")</script>&'
    result = dataflow.report(graph(bad), boards.load("icebreaker"))
    root = ElementTree.fromstring(dataflow.picture(result))
    assert not list(root.iter(f"{SVG}script"))
    assert any(bad in (each.text or "") for each in root.iter(f"{SVG}title"))
    long = dataflow.picture(dataflow.report(graph("x" * 500), boards.load("icebreaker")))
    assert "x" * 37 not in "".join(
        each.text or "" for each in ElementTree.fromstring(long).iter(f"{SVG}text")
    )


def test_refusals(hwgen_command: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, error = hwgen_command("dataflow", DIGITS, "--board", "icestick")
    assert code == 2 and error.count("\n") == 1 and "needs 8 DSPs" in error
    code, _, error = hwgen_command("dataflow", DIGITS, "--board", "nowhere")
    assert code == 5 and "known boards" in error
    with pytest.raises(UsageError, match="no convolution"):
        dataflow.report(graph(), boards.load("icebreaker"))
    wide = Graph("wide", "tflite")
    wide.add_input(Edge("x", "t0", (1, 600, 4), "int8"), Tensor("t0", (1, 600, 4), Range(-128, 127)))
    weights = np.ones((1, 300, 4), dtype=np.int64)
    wide.add(
        Depthwise(
            name="long", inputs=("t0",), output="t1", weights=weights, bias=np.zeros(4, np.int64),
            window=Window(kernel=(1, 300)),
        )
    )  # fmt: skip
    dataflow.report(wide, boards.load("icebreaker"))  # folded, it fits
    tall = dataclasses.replace(UP5K, rows=64, depth=16)
    monkeypatch.setattr(dataflow.systolic, "geometry", lambda budget, where: tall)
    with pytest.raises(UnsupportedError, match="long: the accumulators' 16 words are too few"):
        dataflow.report(wide, boards.load("icebreaker"))
