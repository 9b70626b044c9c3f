"""Facts that designs put into report.json for the page, and the pictures of time made of them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from hwgen.flow.pnr import PathStep
from hwgen.program.array import UP5K
from hwgen.program.instructions import End, Load, Wait
from hwgen.program.timing import Latencies, clocks
from hwgen.report import path_steps, timeline, weight_facts
from hwgen.report.charts import WIDTH, pipeline, slow_path, ticks, turns
from hwgen.report.folder import gather
from hwgen.report.layers import layers_of


@pytest.mark.parametrize(
    ("values", "product", "code", "bits"),
    [([-1, 1], "", "bipolar", 1), ([-1, 0, 1], "ternary", "ternary", 2), ([-127, 3, 127], "dsp", "intk", 8),
     ([-8, 2, 1], "pow2", "pow2", None), (list(range(-7, 8)), "lookup", "lookup", 4)],
)  # fmt: skip
def test_weight_codes(values: list[int], product: str, code: str, bits: int | None) -> None:
    node = SimpleNamespace(weights=np.array([values]))
    facts = weight_facts(node, product)
    assert facts["weight_code"] == code and facts["weight_levels"] == len(values)
    assert bits is None or facts["weight_bits"] == bits


def test_weights_of_an_array() -> None:
    """It keeps every weight in a byte."""
    facts = weight_facts(SimpleNamespace(weights=np.array([[-3, 1]])), "dsp", stored=8)
    assert (facts["weight_code"], facts["weight_bits"]) == ("intk", 8)


@pytest.mark.parametrize(
    ("end", "texts"),
    [(9000, ["0", "2,000", "4,000", "6,000", "8,000 clocks"]),
     (1_300_000, ["0", "500,000", "1,000,000 clocks"]),
     (0.7, ["0", "0.2", "0.4", "0.6 clocks"]), (1, ["0", "0.2", "0.4", "0.6", "0.8", "1 clocks"])],
)  # fmt: skip
def test_ticks(end: float, texts: list[str]) -> None:
    found = ticks(end, "clocks")
    assert [text for text, _ in found] == texts
    assert found[0][1] == 0 and all(0 <= x <= WIDTH for _, x in found)


def test_no_weights() -> None:
    assert weight_facts(SimpleNamespace()) == {}


def test_path_by_parts() -> None:
    """Cells without a name of their own belong to where the path comes from; like steps are one."""
    path = [
        PathStep(0.5, "clk-to-q", "core.l00_conv.a", "Q", ""),
        PathStep(1.0, "routing", "$nextpnr_CCU2C_1$CCU2_COMB0", "A", "n"),
        PathStep(0.25, "logic", "$nextpnr_CCU2C_1$CCU2_COMB0", "F", ""),
        PathStep(0.25, "logic", "core.l00_conv.b", "F", ""),
        PathStep(2.0, "routing", "core.l01_add.c", "D", "n"),
        PathStep(0.1, "setup", "core.l01_add.c", "D", ""),
    ]
    steps = path_steps(path, lambda cell: cell[1] if len(cell) > 1 else cell[0])
    assert [(each["place"], each["kind"], each["ns"]) for each in steps] == [
        ("l00_conv", "logic", 0.5), ("l00_conv", "routing", 1.0), ("l00_conv", "logic", 0.5),
        ("l01_add", "routing", 2.0), ("l01_add", "logic", 0.1),
    ]  # fmt: skip
    assert path_steps([], lambda cell: "") == []


def test_a_load_ends_when_its_wait_does() -> None:
    latencies = Latencies(
        activations=2, weights=2, settled=3, sums=2, quantiser=5, array=7, spread=1, spacing=9,
        load=30, word=8, loaded=6,
    )  # fmt: skip
    program = [Load(low=0, high=0, w=0, words=10), Load(low=0, high=0, w=10, words=4), Wait(), End()]
    spent = clocks(program, UP5K, latencies)
    first, second, wait, _ = spent
    assert first.ends - first.begins == 30 + 9 * 8 + 6
    assert second.begins == first.ends + 1
    assert first.clocks + second.clocks + wait.clocks == second.ends + 1
    rows = timeline(spent, {0: "a", 1: "b"})
    assert rows == [["load", "a", first.begins, 108], ["load", "b", second.begins, 30 + 3 * 8 + 6]]


def test_turns(build_folder: Callable) -> None:
    facts = gather(build_folder(engine="systolic"))
    chart = turns(layers_of(facts), facts.report)
    array, flash, io = chart.lanes
    assert chart.clocks == 6000 and len(array.bars) == 2 and len(flash.bars) == 1 and len(io.bars) == 3
    assert array.bars[1].x == pytest.approx(2010 * WIDTH / 6000, abs=0.01)
    assert flash.bars[0].layer == 2 and "LOAD for b" in flash.bars[0].text
    assert turns([], {}) is None


def test_many_short_turns_stay_few() -> None:
    rows = [["run", "a", 10 * k, 10] for k in range(10_000)] + [["run", "b", 100_000, 5]]
    chart = turns([], {"timeline": rows})
    assert len(chart.lanes[0].bars) == 1


def test_pipeline_and_path(build_folder: Callable) -> None:
    facts = gather(build_folder())
    layers = layers_of(facts)
    chart = pipeline(layers, facts.report)
    assert [lane.number for lane in chart.lanes] == [1, 2, 3, 4, 5] and chart.clocks == 1400
    for lane, layer in zip(chart.lanes, layers):
        (bar,) = lane.bars
        assert bar.x == pytest.approx(layer.begins * WIDTH / 1400, abs=0.1)
        assert bar.width == pytest.approx((layer.ends - layer.begins) * WIDTH / 1400, abs=0.1)
    path = slow_path(layers, facts.report, lambda place: (place, "grey"))
    assert path.places == [(1, "a"), (2, "b")] and path.total == 7.5
    assert (path.logic, path.routing) == (5.5, 2.0)
    assert sum(bar.width for bar in path.bars) == pytest.approx(WIDTH, abs=0.3)
