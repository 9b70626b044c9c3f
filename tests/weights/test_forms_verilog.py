"""Every code's forms on ECP5 primitives: emitted Verilog, one build, clock by clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from levels import CODED, POOL, weights_of
from reducerbench import case, mvu_groups
from test_forms import TRIED, suits
from test_mvu import mixed
from verilated import Case, first_mismatches

from hwgen.hw.mvu import MVU
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5
from hwgen.weights.code import FORMS

VALUES = (Range(0, 15), Range(-4, 3), Range(0, 3), Range(0, 1), *CODED[:2])


def cases(rng: np.random.Generator) -> dict[str, Case]:
    """Each form on the first two sets of levels and activations that it suits, with 3 lanes or 4."""
    result: dict[str, Case] = {}
    for form in sorted(set(FORMS) - TRIED):
        options = [
            (name, value, simd)
            for name in POOL
            for value, simd in zip(VALUES, (3, 4, 2, 4, 4, 3))
            if suits(FORMS[form], name, value, simd)
        ]
        for name, value, simd in (options[0], options[-1]):
            weights = weights_of(POOL[name], (4, 2 * simd), rng)
            dut = MVU(weights, simd=simd, pe=2, value=value, form=FORMS[form], rom="lut", target=ECP5)
            x = mixed(rng, value, (12, 2 * simd))
            result[f"{form} {name} {value} {simd}"] = case(dut, mvu_groups(dut, x), rng)
    return result


@pytest.mark.sim
def test_sums_are_exact_with_primitives_simulated(tmp_path: Path) -> None:
    found = first_mismatches(cases(np.random.default_rng(9)), tmp_path, "HWGEN_PRIMITIVES")
    assert found == {}
