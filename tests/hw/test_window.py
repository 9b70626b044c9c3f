"""WindowBuffer against NumPy: order, padding, groups, permits, pace."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from streambench import Bench, beats

from hwgen.hw.window import WindowBuffer
from hwgen.hw.window_math import WindowGeometry, window_depth
from hwgen.numeric.ranges import Range

INT8 = Range(-128, 127)


def expected(images, geometry: WindowGeometry, pad_value: int) -> list[tuple[list[int], int, int]]:
    """The words by the definition, image by image."""
    g = geometry
    top, bottom, left, right = g.pad
    (oh, ow), (kh, kw), (sh, sw) = g.out_size, g.kernel, g.stride
    words = []
    for image in images:
        padded = np.pad(image, ((top, bottom), (left, right), (0, 0)), constant_values=pad_value)
        for oy in range(oh):
            for ox in range(ow):
                window = padded[oy * sh : oy * sh + kh, ox * sw : ox * sw + kw]
                if g.order == "dense":
                    groups = [window.reshape(-1, g.lanes)] * g.repeat
                else:
                    groups = [
                        window[:, :, c : c + g.lanes].reshape(-1, g.lanes)
                        for c in range(0, g.shape[2], g.lanes)
                    ]
                for group in groups:
                    last = len(group) - 1
                    words += [(w.tolist(), int(k == 0), int(k == last)) for k, w in enumerate(group)]
    return words


def check(geometry: WindowGeometry, *, pad_value=-7, images=3, gaps=0.5, permits=None, seed=1, **options):
    rng = np.random.default_rng(seed)
    frames = rng.integers(INT8.lo, INT8.hi + 1, (images, *geometry.shape))
    dut = WindowBuffer(
        shape=geometry.shape, value=INT8, kernel=geometry.kernel, stride=geometry.stride, pad=geometry.pad,
        pad_value=pad_value, lanes=geometry.lanes, order=geometry.order, repeat=geometry.repeat, **options,
    )  # fmt: skip
    want = expected(frames, geometry, pad_value)
    bench = Bench(dut, seed=seed, gaps=gaps)
    bench.send(dut.i, beats(frames, geometry.lanes))
    starts = bench.permit(dut, gaps if permits is None else permits)
    got = bench.watch(dut.o, len(want))
    bench.run()
    for place, (g, w) in enumerate(zip(got, want)):
        assert g == w, f"word {place} of {geometry}"
    assert len(got) == len(want)
    begun = bench.clocks["o"][:: geometry.group_words]
    assert len(starts) >= len(begun) and all(start <= word for start, word in zip(starts, begun))
    return bench


G = WindowGeometry
CASES = {
    "3x3 same": G((4, 4, 2), (3, 3), (1, 1), (1, 1, 1, 1), 1),
    "3x3 depthwise": G((4, 3, 4), (3, 3), (1, 1), (1, 1, 1, 1), 2, "depthwise"),
    "3x3 stride 2, asymmetric": G((6, 6, 2), (3, 3), (2, 2), (0, 1, 0, 1), 2, repeat=2),
    "10x4 stride 2 (keyword spotting)": G((13, 4, 1), (10, 4), (2, 2), (4, 5, 1, 1), 1),
    "10x7 valid": G((11, 8, 1), (10, 7)),
    "pointwise, repeat": G((2, 3, 4), (1, 1), lanes=2, repeat=3),
    "pointwise, one word, repeat": G((2, 3, 2), (1, 1), lanes=2, repeat=3),
    "pointwise, once": G((2, 3, 4), (1, 1), lanes=2),
    "pointwise depthwise": G((2, 3, 4), (1, 1), lanes=2, order="depthwise"),
    "pointwise stride 2": G((5, 5, 2), (1, 1), (2, 2)),
    "stride 4 over 1 row": G((7, 7, 1), (1, 1), (4, 4)),
    "skipped rows": G((9, 3, 1), (2, 2), (4, 2), (0, 0, 0, 0)),
    "dense layer": G((1, 1, 12), (1, 1), lanes=3, repeat=4),
    "dense layer, one word": G((1, 1, 4), (1, 1), lanes=4, repeat=4),
    "whole image": G((3, 3, 2), (3, 3), lanes=2, repeat=2),
    "1-D": G((1, 9, 2), (1, 3), (1, 2), (0, 0, 1, 1), 2),
    "2x2 pool": G((4, 6, 2), (2, 2), (2, 2), lanes=1, order="depthwise"),
    "column": G((6, 1, 1), (1, 1), (2, 1), (1, 1, 0, 0)),
    "rows of padding": G((2, 3, 1), (2, 2), (1, 1), (3, 4, 0, 2)),
    "columns of padding": G((3, 2, 1), (1, 2), (1, 1), (0, 0, 3, 3)),
    "nothing but padding in between": G((1, 1, 1), (1, 1), (3, 3), (2, 2, 1, 1)),
}


@pytest.mark.parametrize("name", CASES)
def test_words(name):
    check(CASES[name])


@pytest.mark.parametrize("ram", ["block", "distributed"])
@pytest.mark.parametrize("pad", [0, 1])
def test_memories(ram, pad):
    check(WindowGeometry((4, 4, 2), (3, 3), (1, 1), (pad,) * 4, 1), ram=ram)


@pytest.mark.parametrize("name", CASES)
def test_full_pace(name):
    """Neither bubbles nor waiting: an image every `cycles` clocks, from a source that is always ready."""
    geometry = CASES[name]
    images = 5
    bench = check(geometry, gaps=0, images=images)
    per_image = geometry.words_out
    clocks = bench.clocks["o"]
    taken = clocks[per_image * images - 1] - clocks[per_image * (images - 2) - 1]
    assert taken <= 2 * geometry.cycles, f"{taken / 2} clocks an image, {geometry.cycles} promised"
    if geometry.words_out >= geometry.words_in:
        assert taken == 2 * geometry.cycles


@pytest.mark.parametrize("gaps, permits", [(0.9, 0), (0, 0.9), (0.2, 0.8)])
def test_back_pressure(gaps, permits):
    check(CASES["3x3 stride 2, asymmetric"], gaps=gaps, permits=permits)
    check(CASES["pointwise, once"], gaps=gaps, permits=permits)


def test_groups_have_no_gaps():
    geometry = CASES["10x4 stride 2 (keyword spotting)"]
    bench = check(geometry, images=2, gaps=0.6, permits=0.9)
    clocks = bench.clocks["o"]
    size = geometry.group_words
    for start in range(0, len(clocks), size):
        assert clocks[start + size - 1] - clocks[start] == size - 1


def test_rows_enter_before_they_are_needed():
    """The buffer takes the next image while the last one waits for permits, and stops when full."""
    dut = WindowBuffer(shape=(3, 2, 1), value=INT8, kernel=(3, 2), ram="distributed")
    bench = Bench(dut, gaps=0)
    taken = []

    async def source(ctx):
        ctx.set(dut.i.valid, 1)
        for _ in range(60):
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            taken.append(ready)

    bench.add(source)
    bench.run()
    rows = dut.depth // 2
    assert sum(taken) == rows * 2 and rows >= 3
    assert not any(taken[-10:])


geometries = st.builds(
    dict,
    shape=st.tuples(st.integers(1, 6), st.integers(1, 5), st.sampled_from([1, 2, 4])),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    pad=st.tuples(*[st.integers(0, 3)] * 4),
    lanes=st.sampled_from([1, 2, 4]),
    order=st.sampled_from(["dense", "depthwise"]),
    repeat=st.integers(1, 3),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(geometries, st.sampled_from([0, 0.3, 0.7]), st.sampled_from([0, 0.5]), st.integers(0, 99))
def test_any_geometry(fields, gaps, permits, seed):
    try:
        geometry = WindowGeometry(**fields)
    except ValueError:
        assume(False)
    assume(geometry.words_out <= 400)
    check(geometry, images=3, gaps=gaps, permits=permits, seed=seed, pad_value=200)


@settings(max_examples=200, deadline=None)
@given(geometries)
def test_tokens_cover_every_read(fields):
    """What `needed` and `freed` promise, against the windows themselves."""
    try:
        g = WindowGeometry(**fields)
    except ValueError:
        assume(False)
    for oy in range(g.out_size[0]):
        rows = [
            oy * g.stride[0] - g.pad[0] + k
            for k in range(g.kernel[0])
            if 0 <= oy * g.stride[0] - g.pad[0] + k < g.shape[0]
        ]
        assert all(row < g.needed[oy] for row in rows)
        assert all(row >= free for row in rows for free in g.freed[: oy + 1])
        pixels = [p for ox in range(g.out_size[1]) if (p := g.needed_pixel(oy, ox))]
        assert all(p[0] == max(rows) for p in pixels)
    assert sum(g.grants) == g.out_size[0] and g.freed[-1] == g.shape[0]
    assert g.interval(max(g.rows, g.least_rows)) <= g.cycles or not g.rows


def test_depth():
    assert window_depth((25, 5, 64), (3, 3), pad=(1, 1, 1, 1), lanes=8, order="depthwise") == 256
    assert window_depth((25, 5, 64), (1, 1), lanes=8, repeat=8) == 16
    assert window_depth((25, 5, 64), (1, 1), lanes=8) == 0


@pytest.mark.parametrize(
    "fields, message",
    [
        (dict(lanes=3), "lanes must divide"),
        (dict(kernel=(5, 1)), "larger than the padded image"),
        (dict(pad=(-1, 0, 0, 0)), "pad must be"),
        (dict(order="depthwise", repeat=2), "repeat"),
        (dict(order="columns"), "order"),
        (dict(stride=0), "stride"),
        (dict(ram="flash"), "ram"),
    ],
)
def test_errors(fields, message):
    with pytest.raises(ValueError, match=message):
        WindowBuffer(**dict(shape=(4, 4, 4), value=INT8) | fields)
