"""MVU and VVU for any weights of a code: right for the worst of them, and the same hardware for all."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.back import rtlil
from reducerbench import mvu_groups, vvu_groups
from test_mvu import INT8, UINT8, check, mixed

from hwgen.hw.mvu import MVU
from hwgen.hw.vvu import VVU
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, GENERIC, ICE40, Target
from hwgen.weights.code import FORMS

CODE = tuple(range(-127, 128))
INT4 = tuple(range(-8, 8))
TERNARY, BINARY = (-1, 0, 1), (-1, 1)


def mvu(weights: np.ndarray, form: str, value: Range, code: tuple[int, ...], target: Target) -> MVU:
    return MVU(weights, simd=4, pe=2, value=value, form=FORMS[form], rom="exchange", code=code, target=target)


@pytest.mark.parametrize("form", ["generic", "dsp", "dsp2", "dsp8", "pair", "lut", "pair_lut"])
@pytest.mark.parametrize("value", [INT8, UINT8], ids=str)
def test_the_worst_weights_fit(form: str, value: Range) -> None:
    rng = np.random.default_rng(3)
    for weights in (
        mixed(rng, Range(-127, 127), (4, 8)),
        np.full((4, 8), -127),
        np.where(np.arange(8) % 2, 127, -127) * np.array([[1], [-1], [1], [-1]]),
        rng.integers(-2, 3, (4, 8)),
    ):
        dut = mvu(weights, form, value, CODE, GENERIC)
        x = np.concatenate([mixed(rng, value, (3, 8)), np.full((1, 8), value.lo), np.full((1, 8), value.hi)])
        check(dut, mvu_groups(dut, x), rng)


@pytest.mark.parametrize(
    ("code", "value", "form"), [(TERNARY, Range(0, 3), "ternary"), (BINARY, Range(0, 1), "xnor")]
)
def test_the_worst_weights_of_few_bits_fit(code: tuple[int, ...], value: Range, form: str) -> None:
    rng = np.random.default_rng(4)
    if form not in FORMS:
        form = next(name for name, each in FORMS.items() if each.suits(code, value, 4, 2, GENERIC))
    for weights in (rng.choice(code, (4, 8)), np.full((4, 8), code[-1]), np.full((4, 8), code[0])):
        dut = mvu(weights, form, value, code, GENERIC)
        check(dut, mvu_groups(dut, mixed(rng, value, (4, 8))), rng)


def test_depthwise() -> None:
    rng = np.random.default_rng(5)
    for weights in (rng.integers(-3, 3, (9, 4)), np.full((9, 4), -127), np.full((9, 4), 127)):
        dut = VVU(weights, pe=2, value=INT8, form=FORMS["dsp"], rom="exchange", code=CODE, target=GENERIC)
        check(dut, vvu_groups(dut, mixed(rng, INT8, (3, 36)).reshape(3, 9, 4)), rng)


@pytest.mark.parametrize("target", [ECP5, ICE40], ids=lambda t: t.name)
@pytest.mark.parametrize("code", [CODE, INT4, TERNARY, BINARY], ids=len)
def test_all_weights_are_the_same_hardware(target: Target, code: tuple[int, ...]) -> None:
    rng = np.random.default_rng(6)
    value = Range(0, 1) if code == BINARY else UINT8
    forms = [name for name, form in FORMS.items() if not form.coded and form.suits(code, value, 4, 2, target)]
    assert forms
    several = [rng.choice(code, (4, 8)), np.full((4, 8), code[0]), np.full((4, 8), code[-1])]
    for form in forms:
        texts = []
        for weights in several:
            text = rtlil.convert(mvu(weights, form, value, code, target), emit_src=False)
            texts.append([line for line in text.splitlines() if "\\INIT" not in line])
        assert texts[0] == texts[1] == texts[2], form
