"""Random RUNs in the core: bytes and counts as in the engine model, clocks as `program.timing` says."""

from __future__ import annotations

import dataclasses
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from counted import simulated

sys.path.append(str(Path(__file__).parents[2] / "program"))
from engine_cases import SMALL, WIDE, Random, give, image, stream, take

from hwgen.engines.systolic import latencies
from hwgen.program.array import GRANULE, Array
from hwgen.program.image import Image
from hwgen.program.instructions import Run, deltas
from hwgen.program.model import Engine
from hwgen.program.timing import clocks
from hwgen.targets import target

INPUT = 640  # bytes that RUNs may read, at the beginning of the memory
OUTPUT = 384  # bytes that they may store, behind
STEPS = 3000  # of a program, at most
ARRAYS = {
    "shared": dataclasses.replace(SMALL, maximum=True),
    "apart": dataclasses.replace(WIDE, shared_activations=False, shared_weights=False),
    "square": dataclasses.replace(WIDE, columns=8),
    "output": dataclasses.replace(SMALL, dataflow="output"),
}


def random_run(rand: Random, array: Array, w: int, o: int) -> tuple[Run, bytes]:
    """A RUN that reads the input and stores from byte `o` on, and its weights, which begin at word `w`."""
    integer = rand.rng.integers
    plain = array.dataflow == "output"
    depthwise = not plain and bool(integer(2))
    most = array.rows if plain else 40
    n0, n1 = int(integer(1, 9)), int(integer(1, 6))
    while n0 * n1 > most or (depthwise and n0 * n1 < array.rows):
        n0, n1 = int(integer(1, 9)), int(integer(1, 6))
    p0, p1, b, t = (int(integer(1, top)) for top in (4, 3, 4, 3))
    stored = n0 * n1 - (array.rows - 1 if depthwise else 0)
    d0 = int(integer(1, min(stored, 9) + 1))
    d1 = int(integer(1, stored // d0 + 1))
    strides = [int(each) for each in integer(0, 9, 6)]
    moves = deltas((n0, n1, p0, p1, b, t), strides)
    word = array.columns // GRANULE
    goes = deltas((d0, d1, b, t), (word, d0 * word, d0 * d1 * word, b * d0 * d1 * word))
    hold = not plain and bool(integer(3) == 0)
    maximum = array.maximum and bool(integer(3) == 0)
    run = Run(
        x=int(integer(0, 100)), w=w, o=o // GRANULE, depthwise=depthwise, hold=hold, maximum=maximum,
        widen=not maximum and not plain and bool(integer(3) == 0),
        twice=bool(integer(2)), away=bool(integer(2)), zero=int(integer(256)), lo=int(integer(128, 168)),
        n0_count=n0, n1_count=n1, p0_count=p0, p1_count=p1, b_count=b, t_count=t, d0_count=d0, d1_count=d1,
        **dict(zip(("n0_delta", "n1_delta", "p0_delta", "p1_delta", "b_delta", "t_delta"), moves)),
        **dict(zip(("d0_delta", "d1_delta", "ob_delta", "ot_delta"), goes)), d1_index=1,
    )  # fmt: skip
    passes = 1 if hold else p0 * p1
    scale = 8 if run.widen else 1  # so that the digits' sums fit the accumulators
    weights = [rand.bytes(passes, array.rows, array.columns) // scale for _ in range(b)]
    blocks = [(rand.parameters(array.columns), each) for each in weights]
    return run, stream(array, blocks)


def program(array: Array, seed: int) -> tuple[Image, int]:
    """RUNs as they fit what one inference may give, and how many bytes they store."""
    rand, weights, stored = Random(seed), b"", 0
    runs: list[Run] = []
    left = STEPS
    while True:
        run, more = random_run(rand, array, len(weights) // array.columns, INPUT + stored)
        size = run.d0_count * run.d1_count * run.b_count * run.t_count * array.columns
        left -= run.n0_count * run.n1_count * run.p0_count * run.p1_count * run.b_count * run.t_count
        if left < 0:
            break
        if stored + size <= OUTPUT and len(weights + more) <= array.weight_words * array.columns:
            runs.append(run)
            weights, stored = weights + more, stored + size
    steps = [take(array, INPUT), *runs, give(array, OUTPUT, INPUT // GRANULE)]
    return image(array, steps, weights, INPUT, OUTPUT), stored


SLOW = pytest.mark.slow
CASES = [
    pytest.param(name, seed, marks=[SLOW] if seed or name == "square" else [])
    for name in ARRAYS
    for seed in range(10)
]


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_random_runs(name, seed):
    array = ARRAYS[name]
    case, stored = program(array, 100 * seed + len(name))
    runs = [op for op in case.program if isinstance(op, Run)]
    assert len(runs) > 1
    x = Random(seed).bytes(INPUT)
    engine = Engine(case, seed)
    wanted = engine.run(x)
    outputs, counts, begun = simulated(case, target("generic"), x.tobytes())
    assert outputs[:stored] == wanted[:stored].tobytes()
    assert counts == list(engine.counts.values())
    spent = clocks(runs, array, latencies(array, target("generic")))
    assert [after - before for before, after in pairwise(begun)] == [each.clocks for each in spent[:-1]]
