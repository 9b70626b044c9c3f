"""The engine's model against convolutions written down directly."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from engine_cases import (
    SMALL,
    WIDE,
    Random,
    addition_case,
    conv_case,
    depthwise_case,
    direct_conv,
    drain,
    expected,
    give,
    image,
    loops,
    pool_case,
    stream,
    take,
)

from hwgen.program.array import PARAMETER_WORDS
from hwgen.program.counts import Counts
from hwgen.program.instructions import BadProgram, Fill, Run, Take, deltas
from hwgen.program.model import Engine


def outputs(case, x, seed=0):
    return Engine(case, seed).run(x)


@pytest.mark.parametrize("array", [SMALL, WIDE, dataclasses.replace(WIDE, columns=8)])
@pytest.mark.parametrize(("twice", "away"), [(True, True), (False, True), (True, False)])
def test_convolution(array, twice, away):
    case, x, w, parameters, run = conv_case(array, 1, {"twice": twice, "away": away})
    acc = direct_conv(x, w)
    wanted = np.stack([expected(acc[:, :, b], *parameters[b], run, array) for b in range(2)], axis=2)
    assert len(np.unique(wanted)) > 30
    for seed in (0, 1):
        assert np.array_equal(outputs(case, x, seed), wanted.ravel())
    assert np.array_equal(outputs(case, x.tobytes()), outputs(case, x.view(np.uint8)))


def test_counts_and_trace():
    case, x, _, _, run = conv_case(SMALL, 2)
    engine, seen = Engine(case), []
    y = engine.run(x, trace=lambda number, op, memory: seen.append((number, op, memory.copy())))
    steps = 4 * 18 * 2 * 4
    assert engine.counts == {
        1: Counts(
            steps=steps,
            macs=steps * 16,
            activation_reads=steps,
            weight_reads=4 * 2 * (8 + 18 * 4),
            accumulator_reads=steps - 4 * 2 * 4 + 4 * 2 * 4,
            accumulator_writes=steps,
            stored=4 * 4 * 8,
        )
    }
    assert [(number, op) for number, op, _ in seen] == [(0, case.program[0]), (1, run)]
    assert np.array_equal(seen[0][2][: x.size], x.ravel())
    assert np.array_equal(seen[1][2][2 * run.o : 2 * run.o + y.size], y)
    assert np.array_equal(engine.run(x), y)  # memories are kept, outputs are the same
    assert engine.counts[1] + Counts() == engine.counts[1]


@pytest.mark.parametrize("array", [SMALL, WIDE, dataclasses.replace(WIDE, columns=8)])
def test_depthwise(array):
    case, x, w, parameters, run = depthwise_case(array, 3)
    acc = np.zeros((4, 5, array.columns), dtype=np.int64)
    for i in range(3):
        for j in range(3):
            acc += x[i : i + 4, j : j + 5].astype(np.int64) * w[i, j]
    wanted = expected(acc, *parameters, run, array)
    for seed in (0, 1):
        assert np.array_equal(outputs(case, x, seed), wanted.ravel())


def test_depthwise_sums_beyond_a_pass_are_those_of_the_next_one():
    """Hardware's wave of weights: x comes from the next pass, weights are still those of this pass."""
    rand = Random(4)
    run = Run(
        x=0, w=0, o=64, depthwise=True, lo=128, hi=127,
        **loops("n0 n1 p0 p1 b", (6, 2), (1, 0), (2, 12), (1, 0), (2, 0)),
        **drain((6, 2), (1, 0), (2, 12)),
    )  # fmt: skip
    x, w = rand.bytes(16, 4), rand.bytes(2, 2, 4, 4)
    parameters = rand.parameters(4)
    weights = stream(SMALL, [(parameters, w[0]), (parameters, w[1])])
    case = image(SMALL, [take(SMALL, 64), run, give(SMALL, 48, 64)], weights, 64, 48)
    entered = np.concatenate([x[:12], x[:12]]).astype(np.int64)  # both blocks, both passes, 6 words each
    acc = np.zeros((2, 6, 4), dtype=np.int64)
    for block in range(2):
        for p in range(2):
            for n in range(6):
                for row in range(4):
                    step = 12 * block + 6 * p + n + row
                    if step < 24:
                        acc[block, n] += entered[step] * w[block, p, row]
    wanted = expected(acc, *parameters, run, SMALL).ravel()
    one, other = outputs(case, x, 0), outputs(case, x, 1)
    assert np.array_equal(one[:36], wanted[:36]) and np.array_equal(other[:36], wanted[:36])
    assert not np.array_equal(one[36:], other[36:])  # the Run's last: whatever comes


def test_average_pool_holds_its_weights():
    case, x, run = pool_case(SMALL, 5)
    engine = Engine(case)
    acc = x.reshape(2, 2, 2, 2, 8).astype(np.int64).sum(axis=(1, 3))
    assert np.array_equal(engine.run(x), expected(acc, [1 << 27] * 8, [1] * 8, [0] * 8, run, SMALL).ravel())
    assert engine.counts[1].weight_reads == 2 * (PARAMETER_WORDS + 4)


def test_maximum_pool():
    case, x, run = pool_case(dataclasses.replace(SMALL, maximum=True), 6, maximum=True)
    assert np.array_equal(outputs(case, x), x.reshape(2, 2, 2, 2, 8).max(axis=(1, 3)).ravel())
    with pytest.raises(BadProgram, match=r"instruction 1 \(run\): the array takes no maximum"):
        outputs(dataclasses.replace(case, array=SMALL), x)
    program = (case.program[0], dataclasses.replace(run, widen=True), *case.program[2:])
    with pytest.raises(BadProgram, match="widen"):
        outputs(dataclasses.replace(case, program=program), x)


def test_addition_by_two_digits_of_weights():
    case, x, sums, parameters, run = addition_case(SMALL, 7)
    assert np.array_equal(outputs(case, x), expected(sums, *parameters, run, SMALL).ravel())


def test_take_makes_halos_and_rows_of_words():
    """Three bytes a pixel to four, a border of -5 around 4x3 pixels kept by Fill."""
    x = Random(8).bytes(4, 3, 3)
    program = [
        Fill(o=0, value=251, **drain((30, 2))),
        Take(o=12, lead=0, take=3, trail=1, fill=9, **drain((3, 2), (4, 10))),
        give(SMALL, 120, 0),
    ]
    y = outputs(image(SMALL, program, b"", 36, 120), x).reshape(6, 5, 4)
    assert np.array_equal(y[1:5, 1:4, :3], x) and (y[1:5, 1:4, 3] == 9).all()
    y[1:5, 1:4] = -5
    assert (y == -5).all()
    program[1] = dataclasses.replace(program[1], lead=1, trail=0)
    y = outputs(image(SMALL, program, b"", 36, 120), x).reshape(6, 5, 4)
    assert np.array_equal(y[1:5, 1:4, 1:], x) and (y[1:5, 1:4, 0] == 9).all()


def test_give_takes_the_first_bytes_of_each_run():
    x = Random(9).bytes(48)
    program = [take(SMALL, 48), dataclasses.replace(give(SMALL, 8, 2), take=7, n1_count=3, n1_delta=6)]
    y = outputs(image(SMALL, program, b"", 48, 21), x)
    assert np.array_equal(y, np.concatenate([x[4:11], x[20:27], x[36:43]]))


def test_output_over_input_that_no_later_block_reads():
    """In place, pixel by pixel: what a block stores is not what the next one reads."""
    rand = Random(12)
    run = Run(
        x=0, w=0, o=0, **loops("n0 n1 p0 p1 b t", (4, 2), (1, 0), (1, 0), (1, 0), (1, 0), (4, 8)),
        **drain((4, 2), (1, 0), (1, 0), (4, 8)),
    )  # fmt: skip
    x, w, parameters = rand.bytes(16, 4), rand.bytes(1, 4, 4), rand.parameters(4)
    case = image(SMALL, [take(SMALL, 64), run, give(SMALL, 64, 0)], stream(SMALL, [(parameters, w)]), 64, 64)
    acc = x.astype(np.int64) @ w[0]
    assert np.array_equal(outputs(case, x), expected(acc, *parameters, run, SMALL).ravel())
    shifted = dataclasses.replace(
        case, program=(case.program[0], dataclasses.replace(run, o=2), *case.program[2:])
    )
    with pytest.raises(BadProgram, match="block 1 reads granule 8"):
        outputs(shifted, x)
    w[0, :, :] = 0  # nothing depends on what is read
    shifted = dataclasses.replace(shifted, resident=stream(SMALL, [(parameters, w)]))
    outputs(shifted, x)


def test_depthwise_output_over_input():
    """Only words that a stored sum weighs count; the rest of a pass may read anything."""
    case, x, w, parameters, run = depthwise_case(SMALL, 13)
    two = dataclasses.replace(
        run,
        b_count=2,
        b_delta=deltas((7, 4, 3, 2), (2, 14, 14, 0))[3],
        ob_delta=deltas((5, 4, 2), (2, 10, 0))[2],
    )
    clash = dataclasses.replace(two, o=20)
    weights = stream(SMALL, [(parameters, w), (parameters, w)])
    for op, message in ((two, ""), (clash, "block 1 reads granule")):
        program = (case.program[0], op, *case.program[2:])
        again = dataclasses.replace(case, program=program, resident=weights)
        if message:
            with pytest.raises(BadProgram, match=message):
                outputs(again, x)
        else:
            assert np.array_equal(outputs(again, x), outputs(case, x))


def test_depthwise_lanes_beyond_the_columns_may_read_anything():
    """Words of 8 bytes for 4 columns: a block's output may begin where the other lanes read."""
    rand = Random(18)
    run = Run(
        x=0, w=0, o=10, depthwise=True,
        **loops("n0 n1 p0 p1 b", (1, 2), (1, 0), (1, 0), (1, 0), (2, 8)), **drain((1, 2), (1, 0), (2, 2)),
    )  # fmt: skip
    w, parameters = np.zeros((1, 8, 4)), rand.parameters(4)
    w[0, 0] = rand.bytes(4)
    weights = stream(WIDE, [(parameters, w), (parameters, w)])
    x = rand.bytes(24)
    case = image(WIDE, [take(WIDE, 24), run, give(WIDE, 8, 10)], weights, 24, 8)
    acc = np.stack([x[:4], x[16:20]]).astype(np.int64) * w[0, 0].astype(np.int64)
    assert np.array_equal(outputs(case, x), expected(acc, *parameters, run, WIDE).ravel())
    program = (case.program[0], dataclasses.replace(run, o=8), *case.program[2:])
    with pytest.raises(BadProgram, match="block 1 reads granule 8"):
        outputs(dataclasses.replace(case, program=program), x)


def test_what_nobody_wrote_differs_with_the_seed():
    case = image(SMALL, [take(SMALL, 8), give(SMALL, 64, 0)], b"", 8, 64)
    x = Random(15).bytes(8)
    one, same, other = outputs(case, x, 0), outputs(case, x, 0), outputs(case, x, 1)
    assert np.array_equal(one, same) and not np.array_equal(one[8:], other[8:])
    assert np.array_equal(one[:8], x) and np.array_equal(other[:8], x)
    case, x, *_ = conv_case(SMALL, 16)
    short = dataclasses.replace(case, resident=case.resident[:-4])
    assert not np.array_equal(outputs(short, x, 0), outputs(short, x, 1))
