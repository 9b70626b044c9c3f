"""Words and instructions are each other's inverse; what is none is refused with its place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.program.instructions import (
    INSTRUCTIONS,
    WORD,
    BadProgram,
    End,
    Fill,
    Load,
    Run,
    Wait,
    assemble,
    deltas,
    disassemble,
    listing,
)
from hwgen.program.loops import addresses, offsets


def random_instruction(kind):
    def field(name):
        bits = kind.limits.get(name, 8 if name.endswith("_count") else WORD)
        first = int(name.endswith("_count"))
        return st.integers(first, (1 << bits) - 1 + first)

    names = {name: field(name) for name in kind.operands()} | {name: st.booleans() for name in kind.flags}
    return st.builds(kind, **names)


PROGRAMS = st.lists(st.one_of([random_instruction(kind) for kind in INSTRUCTIONS]), max_size=6)


@given(PROGRAMS)
@settings(max_examples=100, deadline=None)
def test_round_trip(program):
    program.append(End())
    words = assemble(program)
    assert all(0 <= word < 1 << 16 for word in words)
    assert disassemble(words) == program


@given(PROGRAMS, st.data())
@settings(max_examples=100, deadline=None)
def test_words_with_a_changed_bit_are_refused_or_another_program(program, data):
    words = assemble([*program, End()])
    place, bit = data.draw(st.integers(0, len(words) - 1)), data.draw(st.integers(0, 15))
    words[place] ^= 1 << bit
    try:
        other = disassemble(words)
    except BadProgram as error:
        assert "word" in str(error) or "End" in str(error)
    else:
        assert assemble(other) == words and other != [*program, End()]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"d0_count": 0}, "d0_count"),
        ({"d0_count": 257}, "d0_count"),
        ({"d0_delta": -1}, "d0_delta"),
        ({"o": 1 << 16}, "Fill.o"),
        ({"value": 256}, "value"),
    ],
)
def test_fields_out_of_range_are_named(change, name):
    with pytest.raises(BadProgram, match=name):
        Fill(**{"o": 0, "d0_count": 1, "d0_delta": 2, "value": 0} | change).encode()


def test_what_is_no_program():
    with pytest.raises(BadProgram, match="End"):
        assemble([])
    with pytest.raises(BadProgram, match="End"):
        assemble([Wait()])
    with pytest.raises(BadProgram, match="End"):
        disassemble(Wait().encode())
    with pytest.raises(BadProgram, match=r"word 1: 0x000f is no"):
        disassemble([*Wait().encode(), 15])
    with pytest.raises(BadProgram, match="word 0: a broken Load"):
        disassemble(Load(low=1, high=2, w=3, words=4).encode()[:-1])
    with pytest.raises(BadProgram, match="word 0: a broken Wait"):
        disassemble([Wait.opcode | 1 << 4])
    words = Load(low=1, high=2, w=3, words=4).encode()
    words[2] = 256
    with pytest.raises(BadProgram):
        disassemble([*words, End.opcode])


def test_listing_shows_what_differs_from_the_default():
    text = listing([Run(x=1, n0_count=2, n0_delta=3, w=4, o=5, d0_count=6, d0_delta=7, widen=True), End()])
    assert text.splitlines()[0].startswith("   0  run")
    assert "widen=True" in text and "x=1" in text and "d1_count" not in text
    assert text.splitlines()[1] == "   1  end"


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(-(1 << 15), 1 << 16)), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_deltas_walk_through_the_strides(loops):
    """A register that adds deltas, as hardware has it, and `offsets`, and the strides themselves."""
    counts, strides = zip(*loops)
    moves = deltas(counts, strides)
    walked, at = [], 77
    for place in np.ndindex(*counts[::-1]):
        if any(place):
            loop = next(k for k, index in enumerate(place[::-1]) if index)  # all inside it began again
            at = (at + moves[loop]) % (1 << 16)
        walked.append(at)
    meant = [
        (77 + sum(index * stride for index, stride in zip(place[::-1], strides))) % (1 << 16)
        for place in np.ndindex(*counts[::-1])
    ]
    assert walked == meant
    assert list(addresses(77, counts, moves)) == meant
    assert offsets(counts, moves).shape == counts[::-1]
