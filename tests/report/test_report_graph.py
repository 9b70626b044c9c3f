"""The drawing: no box over another, every edge from its source to its target."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.report.graph import HEIGHT, PAGE, WIDTH, draw
from hwgen.report.layers import Layer

ALL = 5  # columns that it tries


def layer(number: int, inputs: tuple[int, ...]) -> Layer:
    return Layer(
        number, f"n{number}", "", "conv", "", inputs, (1, 1, 1), None, 0, "", 0, 0, "", 1, 0.0, 0, 0.0, {},
        None, None, None, None,
    )  # fmt: skip


@st.composite
def networks(pick: st.DrawFn) -> list[Layer]:
    """Chains with branches, joins and shortcuts."""
    made = []
    for number in range(1, pick(st.integers(1, 40)) + 1):
        first = max(0, number - pick(st.sampled_from([1, 1, 1, 2, 5])))
        inputs = {first} | ({pick(st.integers(0, number - 1))} if pick(st.integers(0, 3)) == 0 else set())
        made.append(layer(number, tuple(sorted(inputs))))
    return made


@given(networks())
@settings(max_examples=60, deadline=None)
def test_drawn_once_without_overlap(layers: list[Layer]) -> None:
    drawing = draw(layers)
    places = {box.number: box for box in drawing.boxes}
    assert sorted(places) == list(range(len(layers) + 1))
    for box in drawing.boxes:
        assert 0 <= box.x <= drawing.width - WIDTH and 0 <= box.y <= drawing.height - HEIGHT
    for a, b in combinations(drawing.boxes, 2):
        assert abs(a.x - b.x) >= WIDTH or abs(a.y - b.y) >= HEIGHT
    wanted = {(source, each.number) for each in layers for source in each.inputs}
    assert {(line.source, line.target) for line in drawing.lines} == wanted
    for line in drawing.lines:
        source, target = places[line.source], places[line.target]
        x, y = map(float, re.match(r"M([\d.]+) ([\d.]+)", line.path).groups())
        assert source.x <= x <= source.x + WIDTH and source.y <= y <= source.y + HEIGHT
        numbers = [float(each) for each in re.findall(r"-?[\d.]+", line.path)]
        assert all(0 <= each <= max(drawing.width, drawing.height) for each in numbers)
        if line.skips:  # ends at the target's right side
            assert numbers[-1] == pytest.approx(target.x + WIDTH + 2)
        else:
            assert numbers[-1] == pytest.approx(target.y - 2)


def test_lanes_of_nested_shortcuts_differ() -> None:
    layers = [layer(k, (k - 1,)) for k in range(1, 5)]
    layers.append(layer(5, (4, 0, 2)))
    drawing = draw(layers)
    lanes = {re.search(r"V", line.path) and re.findall(r"Q([\d.]+)", line.path)[0]
             for line in drawing.lines if line.skips}  # fmt: skip
    assert len(lanes) == 2


@pytest.mark.parametrize("length", [1, 4, 9, 30, 200])
def test_chains_fill_the_page(length: int) -> None:
    drawing = draw([layer(k, (k - 1,)) for k in range(1, length + 1)])
    columns = len({box.x for box in drawing.boxes})
    assert drawing.width <= PAGE and columns == min(ALL, -(-(length + 1) // 5))
    assert not any(line.skips for line in drawing.lines)
