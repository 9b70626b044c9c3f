"""Storages in use at the same time do not overlap; halos are written again only where they were spoilt."""

from __future__ import annotations

import numpy as np
from systolic_nets import Builder, compare, random_inputs

from hwgen.layers.window import Window
from hwgen.plan.systolic.layout import Storage
from hwgen.plan.systolic.lower import lower
from hwgen.plan.systolic.memory import allocate
from hwgen.program.array import Array
from hwgen.program.instructions import Fill

ARRAY = Array()


def storages(seed: int) -> list[Storage]:
    rng = np.random.default_rng(seed)
    result = []
    for number in range(12):
        shape = (int(rng.integers(1, 12)), int(rng.integers(1, 12)), 4 * int(rng.integers(1, 9)))
        storage = Storage(
            f"s{number}", shape, shape[2], 4, first=number - 1, last=number + int(rng.integers(0, 4))
        )
        storage.widen(*(int(n) for n in rng.integers(0, 3, 4)))
        result.append(storage)
    return result


def test_allocations_do_not_overlap() -> None:
    for seed in range(50):
        placed = storages(seed)
        assert allocate(placed, ARRAY) is None
        for a in placed:
            assert a.address >= 0 and a.address + a.size <= ARRAY.activation_bytes - ARRAY.rows
            for b in placed:
                together = a is not b and a.first <= b.last and b.first <= a.last
                assert not together or a.address + a.size <= b.address or b.address + b.size <= a.address


def test_too_little_memory_is_told_with_what_is_needed() -> None:
    placed = storages(3)
    small = Array(activation_bytes=1024)
    wanted = allocate(placed, small)
    assert wanted is not None and wanted > 1024 - small.rows
    assert allocate(placed, Array(activation_bytes=wanted + small.rows)) is None


def test_halos_are_where_windows_look() -> None:
    storage = Storage("s", (5, 6, 8), 8, 4)
    storage.widen(2, 1, 1, 3)
    assert storage.row == (6 + 3) * 8
    assert storage.before == 2 * storage.row + 8
    assert storage.size == storage.before + 5 * storage.row + (6 + 3) * 8


def chain(second: int) -> Builder:
    """Two depthwise layers with borders of 5 and `second`, whose inputs lie in the same place."""
    builder = Builder(11, (7, 7, 8))
    window = Window((3, 3), (1, 1), (1, 1, 1, 1))
    for border in (5, second):
        builder.conv(8, Window())
        builder.depthwise(window, border)
    return builder


def test_a_halo_that_is_still_there_is_not_written_again() -> None:
    fills = {}
    for second in (5, 6):
        graph = chain(second).done()
        lowered = lower(graph, ARRAY)
        compare(lowered, random_inputs(graph, 2))
        fills[second] = sum(isinstance(each, Fill) for each in lowered.image.program)
    assert fills == {5: 2, 6: 4}
