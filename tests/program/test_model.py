"""The engine's model against convolutions written down directly; what a program may not do is named."""

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
from hwgen.program.instructions import BadProgram, Fill, Load, Run, Take, Wait, deltas
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


def loaded(*changes):
    """The convolution with its weights loaded while nothing is computed; `changes` edit the program."""
    case, x, *_ = conv_case(SMALL, 10)
    size = len(case.resident) // 4
    bare = dataclasses.replace(case, resident=b"", later=case.resident)
    program = [Load(low=0, high=0, w=0, words=size), Wait(), *case.program]
    for change in changes:
        change(program)
    bare = dataclasses.replace(bare, program=tuple(program))
    program[0] = dataclasses.replace(program[0], low=program[0].low + bare.later_offset)
    return dataclasses.replace(bare, program=tuple(program)), x, outputs(case, x)


def test_load_then_wait_then_run():
    case, x, wanted = loaded()
    assert np.array_equal(outputs(case, x), wanted)
    case, x, _ = loaded(lambda program: program.pop(1))
    with pytest.raises(BadProgram, match=r"instruction 2 \(run\): .*being loaded; Wait is missing"):
        outputs(case, x)


def test_loads_outside_the_image_or_the_memory():
    def with_load(**fields):
        return lambda program: program.__setitem__(0, dataclasses.replace(program[0], **fields))

    for fields, message in (
        ({"low": 5}, "loads bytes"),
        ({"words": 0}, "loads nothing"),
        ({"w": 1900}, "loads weight words 1900 to 20"),
    ):
        case, x, _ = loaded(with_load(**fields))
        with pytest.raises(BadProgram, match=rf"instruction 0 \(load\): {message}"):
            outputs(case, x)


def changed(**fields):
    """What the convolution says with another Run."""
    case, x, _, _, run = conv_case(SMALL, 11)
    program = (case.program[0], dataclasses.replace(run, **fields), *case.program[2:])
    with pytest.raises(BadProgram) as caught:
        outputs(dataclasses.replace(case, program=program), x)
    return str(caught.value)


def test_runs_that_leave_something_are_named():
    assert "instruction 1 (run): reads byte" in changed(x=2000)
    assert "instruction 1 (run): writes byte" in changed(o=2030)
    assert "reads weight words 1990 to 2149, there are 2048" in changed(w=1990)
    assert "accumulators hold 64" in changed(n1_count=17)
    assert "stores accumulator 6 of 4" in changed(d0_index=2)
    assert "block 1 reads granule" in changed(o=0)


def test_output_stationary_arrays_do_less():
    """The same sums, for dense tiles that fit the rows."""
    stays = dataclasses.replace(SMALL, dataflow="output")
    case, x, *_ = conv_case(SMALL, 17)
    assert np.array_equal(outputs(dataclasses.replace(case, array=stays), x), outputs(case, x))
    run = case.program[1]
    for fields, what in (
        ({"n1_count": 2}, "8 outputs"), ({"depthwise": True}, "`depthwise`"), ({"hold": True}, "`hold`"),
        ({"widen": True}, "`widen`"), ({"maximum": True}, "`maximum`"),
    ):  # fmt: skip
        program = (case.program[0], dataclasses.replace(run, **fields), *case.program[2:])
        with pytest.raises(BadProgram, match=rf"1 \(run\): {what}: an output-stationary array"):
            outputs(dataclasses.replace(case, array=stays, program=program), x)


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


def overflow(value: int, passes: int, accumulator: int) -> Engine:
    array = dataclasses.replace(SMALL, accumulator=accumulator)
    run = Run(
        x=0, w=0, o=8, lo=128, hi=127, **loops("n0 n1 p0", (1, 0), (1, 0), (passes, 0)), **drain((1, 0))
    )
    w = np.full((passes, 4, 4), value, dtype=np.int8)
    program = [take(array, 4), run, give(array, 4, 8)]
    return Engine(image(array, program, stream(array, [(([1] * 4, [0] * 4, [0] * 4), w)]), 4, 4))


def test_accumulators_that_overflow_are_named():
    low = np.full(4, -128, dtype=np.int8)
    assert overflow(127, 2, 18).run(low) is not None  # -130,048
    with pytest.raises(BadProgram, match=r"run\): block 0, pass 2: accumulator 0 of column 0 is -195072"):
        overflow(127, 3, 18).run(low)
    overflow(-128, 1, 18).run(low)
    with pytest.raises(BadProgram, match="pass 1: accumulator 0 of column 0 is 131072, beyond 18 bits"):
        overflow(-128, 2, 18).run(low)


def test_overflow_of_what_is_not_stored_is_nobodys_business():
    engine = overflow(-128, 2, 18)
    run = engine.image.program[1]
    more = dataclasses.replace(run, n0_count=2, n0_delta=2, p0_delta=65534)
    x = np.array([0] * 4 + [-128] * 4, dtype=np.int8)
    program = [take(engine.array, 8), more, give(engine.array, 4, 8)]
    Engine(image(engine.array, program, engine.image.resident, 8, 4)).run(x)
    both = dataclasses.replace(more, d0_count=2, d0_delta=2)
    with pytest.raises(BadProgram, match="accumulator 1 of"):
        Engine(image(engine.array, [program[0], both, program[2]], engine.image.resident, 8, 4)).run(x)


def test_parameters_that_registers_do_not_hold():
    for fields, message in (({"multiplier": 26}, "multiplier"), ({"bias": 11}, "bias")):
        case, x, *_ = conv_case(dataclasses.replace(SMALL, **fields), 14)
        with pytest.raises(BadProgram, match=f"a {message} of more than"):
            outputs(case, x)


def test_streams_that_do_not_come_out_even():
    x = np.zeros(8, dtype=np.int8)
    for program, inputs, given, message in (
        ([take(SMALL, 12), give(SMALL, 4, 0)], 8, 4, r"0 \(take\): takes 12 bytes of the 8"),
        ([take(SMALL, 4), give(SMALL, 4, 0)], 8, 4, r"2 \(end\): 4 bytes of the input"),
        ([take(SMALL, 8), give(SMALL, 4, 0)], 8, 8, r"2 \(end\): 4 bytes were given"),
        ([dataclasses.replace(take(SMALL, 8), take=0)], 8, 8, "pattern of no bytes"),
        ([take(SMALL, 8), dataclasses.replace(give(SMALL, 4, 0), take=5)], 8, 5, "gives 5 bytes of 4"),
        ([take(SMALL, 8), give(SMALL, 8, 2047)], 8, 8, "reads byte"),
        ([take(SMALL, 8, o=2046)], 8, 8, "writes byte"),
    ):
        with pytest.raises(BadProgram, match=message):
            outputs(image(SMALL, program, b"", inputs, given), x)
    case = image(SMALL, [take(SMALL, 8), give(SMALL, 8, 0)], b"", 8, 8)
    for bad in (x[:4], x.astype(np.int16), b"\0" * 9):
        with pytest.raises(ValueError, match="8 bytes"):
            outputs(case, bad)
    with pytest.raises(BadProgram, match="code 'xnor'"):
        Engine(dataclasses.replace(case, array=dataclasses.replace(SMALL, code="xnor")))


def test_what_nobody_wrote_differs_with_the_seed():
    case = image(SMALL, [take(SMALL, 8), give(SMALL, 64, 0)], b"", 8, 64)
    x = Random(15).bytes(8)
    one, same, other = outputs(case, x, 0), outputs(case, x, 0), outputs(case, x, 1)
    assert np.array_equal(one, same) and not np.array_equal(one[8:], other[8:])
    assert np.array_equal(one[:8], x) and np.array_equal(other[:8], x)
    case, x, *_ = conv_case(SMALL, 16)
    short = dataclasses.replace(case, resident=case.resident[:-4])
    assert not np.array_equal(outputs(short, x, 0), outputs(short, x, 1))
