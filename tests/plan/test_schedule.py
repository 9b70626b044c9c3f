"""The token schedule: timing of chains, back-pressure of finite buffers, FIFO depth at joins."""

from __future__ import annotations

import pytest

from hwgen.plan.schedule import Stage, schedule


def source(pixels: int, interval: int = 1) -> Stage:
    return Stage("in", (), range(pixels), range(pixels), interval, 0, None)


def pointwise(name: str, before: str, pixels: int, interval: int, capacity: int | None = 2) -> Stage:
    return Stage(name, (before,), range(pixels), range(pixels), interval, 0, capacity)


def window3(name: str, before: str, size: int, interval: int, capacity: int) -> Stage:
    """3x3 window, padding 1, counted in whole rows."""
    needed = [min(y + 2, size) * size - 1 for y in range(size) for _ in range(size)]
    first = [max(y - 1, 0) * size for y in range(size) for _ in range(size)]
    return Stage(name, (before,), needed, first, interval, 0, capacity)


def test_chain_runs_at_the_pace_of_its_slowest_stage() -> None:
    result = schedule([source(100), pointwise("a", "in", 100, 3), pointwise("b", "a", 100, 7)])
    assert result.interval == 700
    assert result.busy == {"in": 100, "a": 300, "b": 700}
    assert result.cycles == 1 + 3 + 700


def test_join_fifo_holds_what_the_long_branch_delays() -> None:
    size = 8
    stages = [
        source(size * size, 5),
        window3("a", "in", size, 5, 4 * size),
        window3("b", "a", size, 5, 4 * size),
        pointwise("add", "in", size * size, 1, None),
    ]
    stages[-1] = Stage("add", ("b", "in"), range(64), range(64), 1, 0, None)
    depth = schedule(stages).depth
    assert depth["add", "b"] <= 2
    assert 2 * size < depth["add", "in"] <= 4 * size + 2  # two windows each delay by up to two rows


def test_depth_found_is_enough_and_one_less_is_not() -> None:
    """With the branch's buffer as deep as found the pace is kept; half of it dead-locks or slows down."""
    size = 8

    def pace(capacity: int) -> int | None:
        stages = [
            source(size * size, 5),
            window3("a", "in", size, 5, 4 * size),
            window3("b", "a", size, 5, 4 * size),
            pointwise("fifo", "in", size * size, 0, capacity),
            Stage("add", ("b", "fifo"), range(64), range(64), 1, 0, None),
        ]
        # a pass-through stage of that capacity, whose own join queue is not counted
        stages[3] = Stage("fifo", ("in",), range(64), range(64), 0, 0, capacity)
        return schedule(stages).interval

    assert pace(1000) == pace(64)


def test_buffer_too_small_for_its_window_is_named() -> None:
    with pytest.raises(ValueError, match="a: its input buffer is too small"):
        schedule([source(64), window3("a", "in", 8, 5, 8)])


def test_full_buffers_hold_the_producer_back() -> None:
    result = schedule([source(16), pointwise("slow", "in", 16, 10, 1), pointwise("end", "slow", 16, 1)])
    assert result.finish["in"][-1] > 100  # the source cannot run ahead of a one-pixel buffer
