"""The whole engine, clock by clock: programs give what the model gives, in the clocks that are predicted."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from amaranth.sim import Simulator

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "program"))

import test_model
import test_model_refusals
from engine_cases import SMALL, WIDE
from preloaded import CLOCKS_A_WORD, Preloaded

from hwgen.engines.systolic import latencies
from hwgen.hw.systolic.core import SystolicCore
from hwgen.program import model
from hwgen.program.image import Image
from hwgen.program.timing import clocks
from hwgen.targets import GENERIC

LIMIT = 40_000


def simulate(
    image: Image, x: np.ndarray, *, frames: int, busy: float, seed: int = 0
) -> tuple[list[int], list[int]]:
    """Output bytes and the clocks in which they came; busy: how often the streams' other ends are ready."""
    core = SystolicCore(geometry=image.array, target=GENERIC, loader=Preloaded(image))
    simulator = Simulator(core)
    simulator.add_clock(1e-8)
    got: list[int] = []
    times: list[int] = []
    rng = random.Random(seed)

    async def bench(ctx):
        left = list(x.view(np.uint8).ravel()) * frames
        offered = False
        for clock in range(LIMIT):
            offered = bool(left) and (offered or rng.random() < busy)
            ready = rng.random() < busy
            ctx.set(core.i.valid, offered)
            ctx.set(core.i.payload, int(left[0]) if offered else rng.randrange(256))
            ctx.set(core.o.ready, ready)
            taken = offered and ctx.get(core.i.ready)
            if ready and ctx.get(core.o.valid):
                got.append(ctx.get(core.o.payload))
                times.append(clock)
                if len(got) == frames * image.outputs:
                    return
            await ctx.tick()
            if taken:
                left.pop(0)
                offered = False

    simulator.add_testbench(bench)
    simulator.run()
    return got, times


def recorded(monkeypatch, test, *arguments) -> list[tuple[Image, np.ndarray]]:
    """Images that a test of the model runs without complaint, each with its first input."""
    seen: dict[bytes, tuple[Image, np.ndarray]] = {}
    run = model.Engine.run

    def recording(self, x, trace=None):
        result = run(self, x, trace)
        flat = np.frombuffer(x, np.uint8) if isinstance(x, bytes) else np.ascontiguousarray(x).ravel()
        seen.setdefault(self.image.to_bytes(), (self.image, flat.view(np.uint8)))
        return result

    with monkeypatch.context() as patch:
        patch.setattr(model.Engine, "run", recording)
        test(*arguments)
    return list(seen.values())


DUAL = replace(WIDE, shared_activations=False, shared_weights=False)
CASES = {
    "convolution": (test_model.test_convolution, SMALL, True, True),
    "convolution, 8x4": (test_model.test_convolution, WIDE, False, True),
    "convolution, two ports": (test_model.test_convolution, DUAL, True, False),
    "convolution, 8x8": (test_model.test_convolution, replace(WIDE, columns=8), True, True),
    "outputs stay": (test_model.test_convolution, replace(SMALL, dataflow="output"), True, True),
    "outputs stay, 8x4": (test_model.test_convolution, replace(WIDE, dataflow="output"), True, True),
    "depthwise": (test_model.test_depthwise, SMALL),
    "depthwise, 8x4": (test_model.test_depthwise, WIDE),
    "hold": (test_model.test_average_pool_holds_its_weights,),
    "maximum": (test_model.test_maximum_pool,),
    "widen": (test_model.test_addition_by_two_digits_of_weights,),
    "take": (test_model.test_take_makes_halos_and_rows_of_words,),
    "give": (test_model.test_give_takes_the_first_bytes_of_each_run,),
    "load": (test_model_refusals.test_load_then_wait_then_run,),
    "output over input": (test_model.test_output_over_input_that_no_later_block_reads,),
}


@pytest.mark.parametrize("name", CASES)
def test_programs(name, monkeypatch):
    test, *arguments = CASES[name]
    cases = recorded(monkeypatch, test, *arguments)
    assert cases
    for image, x in cases[:2]:
        wanted = list(model.Engine(image).run(x).view(np.uint8))
        steady, times = simulate(image, x, frames=2, busy=1.0)
        assert steady == 2 * wanted
        assert simulate(image, x, frames=1, busy=0.6)[0] == wanted
        if name != "load":  # the stand-in for the loader has its own clocks
            known = replace(latencies(image.array, GENERIC), load=CLOCKS_A_WORD, word=CLOCKS_A_WORD, loaded=1)
            spent = sum(each.clocks for each in clocks(image.program, image.array, known))
            assert times[image.outputs] - times[0] == spent
