"""Layers as the page shows them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hwgen.report.folder import gather
from hwgen.report.layers import INPUT, colour, layers_of


@pytest.mark.parametrize("engine", ["stream", "systolic"])
def test_who_reads_whom(build_folder: Callable, engine: str) -> None:
    """Through a reshape, which is no layer; what the host computes comes last."""
    layers = layers_of(gather(build_folder(engine=engine)))
    assert [(each.number, each.name, each.inputs) for each in layers] == [
        (1, "a", (INPUT,)), (2, "b", (1,)), (3, "c", (1, 2)), (4, "e", (3,)), (5, "f", (4,)),
    ]  # fmt: skip
    assert [each.hardware for each in layers] == [True] * 4 + [engine == "stream"]


def test_without_a_manifest_a_chain(build_folder: Callable) -> None:
    layers = layers_of(gather(build_folder(without=("manifest.json",))))
    assert [each.inputs for each in layers] == [(0,), (1,), (2,), (3,), (4,)]


def test_figures(build_folder: Callable) -> None:
    first, second, third, *_ = layers_of(gather(build_folder()))
    assert first.traffic == 144 + 64 + 256  # weights, input, output
    assert third.traffic == 3 * 256 and third.code == "" and third.macs_clock == 0
    assert second.share == pytest.approx(2000 / 6000) and second.macs_clock == pytest.approx(4.608)
    assert (second.stalls.busy, second.stalls.input, second.stalls.output) == (0.5, 0.3, 0.2)
    assert first.stalls.busy == pytest.approx(1 / 6)  # under its unit's name
    assert third.stalls is None and third.expected is None
    assert first.size == "8×8×4"


def test_profiles_that_are_none(build_folder: Callable) -> None:
    folder = build_folder()
    for text in ("", "[]", "{}", '{"clocks": 0, "units": {"a": {"busy": 1}}}', '{"clocks": 9, "units": [1]}',
                 '{"clocks": 9, "units": {"a": 3}, "predicted": 4}'):  # fmt: skip
        (folder / "profile.json").write_text(text)
        assert all(each.stalls is None and each.expected is None for each in layers_of(gather(folder)))


def test_colours_differ() -> None:
    assert len({colour(number) for number in range(1, 100)}) == 99
