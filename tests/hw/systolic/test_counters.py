"""The core in simulation: outputs as in the engine model, and the same counts of what was moved."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
from counted import simulated

sys.path.append(str(Path(__file__).parents[2] / "program"))
from engine_cases import SMALL, WIDE, addition_case, conv_case, depthwise_case, pool_case

from hwgen.plan.systolic.energy.mapping import Mapping
from hwgen.program.counts import Counts
from hwgen.program.image import Image
from hwgen.program.instructions import Run
from hwgen.program.model import Engine
from hwgen.targets import target

MOST = dataclasses.replace(SMALL, maximum=True)
APART = dataclasses.replace(WIDE, shared_activations=False, shared_weights=False)
STAYS = dataclasses.replace(SMALL, dataflow="output")


@pytest.mark.parametrize(
    ("make", "array"),
    [
        (conv_case, SMALL),
        (conv_case, APART),
        (conv_case, STAYS),
        (depthwise_case, SMALL),
        (depthwise_case, APART),
        (pool_case, SMALL),
        (lambda array, seed: pool_case(array, seed, maximum=True), MOST),
        (addition_case, SMALL),
    ],
)
def test_counters(make, array):
    case, x, *_ = make(array, 21)
    engine = Engine(case)
    wanted = engine.run(x)
    outputs, counts, _ = simulated(case, target("generic"), x.tobytes())
    assert outputs == wanted.tobytes()
    assert counts == list(engine.counts.values())
    runs = [op for op in case.program if isinstance(op, Run)]
    assert counts == [Mapping.of([run]).counts(array) for run in runs]


def test_each_run_apart():
    """Two RUNs one after the other, the second one's counts are its own."""
    case, x, *_ = conv_case(SMALL, 22)
    run = case.program[1]
    less = dataclasses.replace(run, t_count=1)
    twice = Image(
        case.array,
        (case.program[0], less, run, *case.program[2:]),
        case.resident,
        b"",
        case.inputs,
        case.outputs,
    )
    outputs, counts, _ = simulated(twice, target("generic"), x.tobytes())
    engine = Engine(twice)
    assert outputs == engine.run(x).tobytes()
    assert counts == list(engine.counts.values())
    assert counts[1] == counts[0] + counts[0] + counts[0] + counts[0] != Counts()
