"""Channels put together on the systolic engine: parts written side by side, copied where they have to be."""

from __future__ import annotations

import numpy as np
import pytest
from systolic_nets import Builder, compare, random_inputs

from hwgen.ir.graph import Graph
from hwgen.layers.concat.op import Concat
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.plan.systolic.lower import lower
from hwgen.program.array import Array
from hwgen.program.instructions import Run
from hwgen.support.errors import UnsupportedError

ARRAYS = {
    "4x4": Array(rows=4, columns=4, maximum=True),
    "8x4": Array(rows=8, columns=4, depth=64, maximum=True),
    "16x16": Array(rows=16, columns=16, maximum=True, shared_activations=False),
}
AROUND = ("conv", "depthwise", "sumpool", "maxpool", "step", "residual", "concat")


def network(seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 9)), int(rng.integers(1, 9)), int(rng.choice([2, 3, 4, 8, 13])))
    builder = Builder(seed, shape, Range(-128, 127))
    kinds = [
        *rng.choice(AROUND, int(rng.integers(0, 3))),
        "concat",
        *rng.choice(AROUND, int(rng.integers(0, 3))),
    ]
    for kind in kinds:
        if kind == "conv":
            builder.conv(int(rng.integers(1, 20)))
        else:
            getattr(builder, kind)()
    return builder.done()


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("name", ARRAYS)
def test_random_networks_are_exact(name: str, part: int) -> None:
    done = 0
    for seed in range(20 * part, 20 * part + 20):
        graph = network(seed)
        try:
            lowered = lower(graph, ARRAYS[name])
        except UnsupportedError as error:
            assert all("no bytes" in item for item in error.items), error
            continue
        assert compare(lowered, random_inputs(graph, 1, seed)) > 0
        done += 1
    assert done > 10


def two_branches(widths: tuple[int, int], swapped: bool) -> Graph:
    builder = Builder(1, (4, 4, 4))
    builder.values = lambda: Range(-128, 127)  # type: ignore[method-assign]
    start = builder.name
    names = []
    for width in widths:
        builder.name = start
        builder.conv(width, Window())
        names.append(builder.name)
    parts = (names[1], names[0]) if swapped else (names[0], names[1])
    builder.add(Concat(name="join", inputs=parts, output="joined"))
    builder.conv(4, Window())
    return builder.done()


@pytest.mark.parametrize(
    ("widths", "swapped", "runs"),
    [((4, 8), False, 3), ((6, 8), False, 3), ((6, 8), True, 3), ((8, 6), True, 4), ((6, 3), False, 3)],
)
def test_copies_only_where_a_store_would_spoil(widths: tuple[int, int], swapped: bool, runs: int) -> None:
    """A part of 6 channels spoils two bytes of the next, which has to be written later."""
    graph = two_branches(widths, swapped)
    lowered = lower(graph, ARRAYS["4x4"])
    assert sum(isinstance(each, Run) for each in lowered.image.program) == runs
    assert compare(lowered, random_inputs(graph, 2, 3)) > 0


def test_odd_channels_before_others_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="join: puts channels behind 3 others"):
        lower(two_branches((3, 4), False), ARRAYS["4x4"])
