"""What a program may not do is named by the engine's model: loads, runs, sums, parameters and streams."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from engine_cases import (
    SMALL,
    conv_case,
    drain,
    give,
    image,
    loops,
    stream,
    take,
)

from hwgen.program.instructions import BadProgram, Load, Run, Wait
from hwgen.program.model import Engine


def outputs(case, x, seed=0):
    return Engine(case, seed).run(x)


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
