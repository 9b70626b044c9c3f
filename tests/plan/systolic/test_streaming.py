"""Weights beyond the memory come from the image while others are used; results stay exact."""

from __future__ import annotations

from dataclasses import replace

import pytest
from systolic_nets import Builder, compare, random_inputs

from hwgen.layers.window import Window
from hwgen.plan.systolic.job import part
from hwgen.plan.systolic.lower import lower
from hwgen.program.array import Array
from hwgen.program.instructions import BadProgram, Load, Run, Wait
from hwgen.support.errors import UnsupportedError

LARGE = Array(weight_words=8192, depth=64)


def network(seed: int = 0) -> Builder:
    builder = Builder(seed, (9, 9, 8))
    for outputs in (32, 16, 48, 24):
        builder.conv(outputs, Window())
        builder.depthwise(Window((3, 3), (1, 1), (1, 1, 1, 1)))
    return builder


@pytest.mark.parametrize("words", [1400, 900, 500, 250])
def test_smaller_memories_load_more_and_stay_exact(words: int) -> None:
    graph = network().done()
    whole = lower(graph, LARGE).image
    assert not whole.later
    array = replace(LARGE, weight_words=words)
    lowered = lower(graph, array)
    image = lowered.image
    assert len(image.resident) <= words * array.columns < len(whole.resident)
    assert len(image.resident) + len(image.later) >= len(whole.resident)
    loaded = sum(each.words for each in image.program if isinstance(each, Load))
    assert loaded * array.columns == len(image.later)
    compare(lowered, random_inputs(graph, 2))


def test_a_missing_wait_is_seen_by_the_model() -> None:
    graph = network().done()
    lowered = lower(graph, replace(LARGE, weight_words=500))
    program = tuple(each for each in lowered.image.program if not isinstance(each, Wait))
    broken = replace(lowered, image=replace(lowered.image, program=program))
    with pytest.raises((BadProgram, AssertionError)):
        compare(broken, random_inputs(graph, 1))


def test_a_block_larger_than_the_memory_is_named() -> None:
    with pytest.raises(UnsupportedError, match="program: "):
        lower(network().done(), replace(LARGE, weight_words=40))


def test_parts_of_a_run_are_the_run() -> None:
    graph = network(3).done()
    lowered = lower(graph, LARGE)
    runs = [each for each in lowered.image.program if isinstance(each, Run)]
    program = []
    for each in lowered.image.program:
        if isinstance(each, Run) and each.b_count > 2 and not each.hold:
            block = 8 + 4 * each.p0_count * each.p1_count
            first, rest = (part(each, *span, each.b_count) for span in ((0, 2), (2, each.b_count - 2)))
            program += [first, replace(rest, w=each.w + 2 * block)]
        else:
            program.append(each)
    assert len(program) > len(lowered.image.program) and runs
    end = len(program)
    where = {name: replace(place, after=end - 2) for name, place in lowered.where.items()}
    last = {"x": lowered.where["x"]} | {name: where[name] for name in lowered.outputs}
    cut = replace(lowered, image=replace(lowered.image, program=tuple(program)), where=last)
    compare(cut, random_inputs(graph, 1))
