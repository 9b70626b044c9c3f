"""Every product form of every code on the generic target: exact for each set of levels that it suits."""

from __future__ import annotations

import numpy as np
import pytest
from levels import CODED, POOL, weights_of
from reducerbench import mvu_groups
from test_mvu import check, mixed

from hwgen.hw.mvu import MVU
from hwgen.hw.product.form import ProductForm
from hwgen.numeric.codes import Coded
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, GENERIC
from hwgen.weights.code import CODES, FORMS

VALUES = (Range(0, 255), Range(-8, 7), Range(0, 3), Range(-1, 1), Range(0, 1), Range(0, 5), *CODED)
TRIED = {"dsp", "dsp2", "dsp8", "dsp8_lanes", "pair", "lut", "pair_lut", "generic"}  # by tests/hw/test_mvu.py
SIMDS = (1, 4), (2, 5), (3, 8)


def suits(form: type[ProductForm], name: str, value: Range, simd: int) -> bool:
    return form.coded == isinstance(value, Coded) and form.suits(POOL[name], value, simd, 2, ECP5)


#: forms with the levels that they suit, for some activations
PAIRS = [
    (form, name)
    for form in FORMS
    if form not in TRIED
    for name in POOL
    if any(suits(FORMS[form], name, value, 4) for value in VALUES)
]


def test_every_form_is_tried() -> None:
    assert {form for form, _ in PAIRS} == set(FORMS) - TRIED


@pytest.mark.parametrize(("form", "name"), PAIRS)
def test_a_form_is_exact(form: str, name: str) -> None:
    """With three ranges of the activations, each at two numbers of lanes."""
    rng = np.random.default_rng(1)
    values = [value for value in VALUES if suits(FORMS[form], name, value, 4)]
    for value, simds in zip(values[:: -(-len(values) // 3)], SIMDS):
        for simd in simds:
            weights = weights_of(POOL[name], (4, 2 * simd), rng)
            dut = MVU(weights, simd=simd, pe=2, value=value, form=FORMS[form], target=GENERIC)
            check(dut, mvu_groups(dut, mixed(rng, value, (3, 2 * simd))), rng)


@pytest.mark.parametrize(("form", "name"), PAIRS)
def test_rom_bits_are_as_estimated(form: str, name: str) -> None:
    value = next(value for value in VALUES if suits(FORMS[form], name, value, 4))
    count = len(POOL[name])
    every = np.resize(POOL[name], (FORMS[form].outputs, count, 4))
    every[:, :, 0] = np.array(POOL[name])
    made = FORMS[form](every, value=value, target=GENERIC)
    assert made.word_bits == FORMS[form].code_bits(4, POOL[name], value)
    assert made.encode(every).shape == (count, made.word_bits)


@pytest.mark.parametrize("code", CODES)
def test_a_code_packs_as_its_first_form_reads(code: str) -> None:
    """Where a form's ROM word is lanes of codes, it is the code's own packing."""
    if code == "intk":
        return
    held = [levels for levels in POOL.values() if CODES[code].holds(levels)]
    form = CODES[code].forms[0]
    for levels in held:
        if not form.suits(levels, VALUES[0], 4, 1, ECP5):
            continue
        words = np.resize(levels, (1, len(levels), 4))
        words[0, :, 0] = levels
        packed = CODES[code](tuple(np.unique(words).tolist())).pack(words[0])
        assert np.array_equal(form(words, value=VALUES[0], target=GENERIC).encode(words), packed)
