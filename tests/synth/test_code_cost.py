"""Cost estimates of the codes' product forms against synthesis, and pins on what they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_mvu_cost import assert_near, synthesised

from hwgen.hw.mvu import MVU, reducer_cost
from hwgen.hw.product.form import Levels
from hwgen.numeric.codes import Coded
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5
from hwgen.weights.code import FORMS

INT8, UINT8, UINT2 = Range(-128, 127), Range(0, 255), Range(0, 3)
CODED = (
    Coded(0, 7, (0, 1, 2, 4, 8, 16, 32, 64)),
    Coded(0, 6, (-4, -2, -1, 0, 1, 2, 4)),
)
BIPOLAR, TERNARY, UP_TO_4 = (-1, 1), (-1, 0, 1), (-4, -2, -1, 0, 1, 2, 4)

# form, levels, activations, simd, pe, most LUT4 sites: weights' ROM, accumulators and control included
MVUS: list[tuple[str, Levels, Range, int, int, int]] = [
    ("bipolar", BIPOLAR, UINT8, 8, 4, 380),
    ("bipolar", BIPOLAR, INT8, 1, 4, 105),
    ("bipolar", BIPOLAR, UINT2, 8, 4, 185),
    ("planes", BIPOLAR, UINT2, 16, 4, 295),
    ("ternary", TERNARY, UINT8, 8, 4, 505),
    ("ternary", TERNARY, UINT2, 3, 4, 100),
    ("ternary_packed", TERNARY, UINT8, 8, 4, 610),
    ("pow2", (-2, -1, 0, 1, 2), UINT8, 8, 2, 380),
    ("pow2", UP_TO_4, INT8, 4, 2, 280),
    ("ttq", (-3, 0, 5), UINT8, 8, 2, 460),
    ("odd", (-3, -1, 1, 3), UINT2, 8, 4, 365),
    ("lookup", (-3, -1, 1, 3), UINT2, 8, 2, 230),
    ("lookup", tuple(range(-4, 4)), UINT2, 8, 2, 305),
    ("lut_x", tuple(range(-8, 8)), UINT2, 8, 4, 490),
    ("bits", tuple(range(-2, 2)), UINT2, 16, 2, 295),
    ("planes2", (-3, -1, 1, 3), UINT2, 16, 2, 300),
    ("shift", (-128, -77, -9, 0, 5, 127), CODED[0], 8, 2, 800),  # 8 bits by shifts of 0 to 6: 48 a product
    ("shift", tuple(range(-8, 8)), CODED[0], 8, 4, 1000),
    ("shift", tuple(range(-8, 8, 2)), CODED[1], 8, 2, 340),
    ("bipolar_coded", BIPOLAR, CODED[0], 8, 4, 420),
    ("ternary_coded", TERNARY, CODED[1], 8, 4, 345),
    ("shiftsum", (-3, -2, -1, 0, 1, 2, 3), INT8, 8, 2, 510),
]


@pytest.mark.synth
@pytest.mark.parametrize(("form", "levels", "value", "simd", "pe", "most"), MVUS)
def test_form_estimate(
    form: str, levels: Levels, value: Range, simd: int, pe: int, most: int, tmp_path: Path
) -> None:
    weights = np.random.default_rng(1).choice(levels, (4 * pe, 4 * simd))
    weights[: len(levels), :] = np.array(levels)[:, None]
    options: dict[str, Any] = {
        "simd": simd,
        "pe": pe,
        "value": value,
        "form": FORMS[form],
        "rom": "bram",
        "target": ECP5,
    }
    dut = MVU(weights, **options)
    real, _ = synthesised(dut, tmp_path)
    assert real.dsp == 0
    depth = weights.size // (simd * pe)
    estimate = reducer_cost(**options, lanes=simd, depth=depth, levels=levels, accumulator=dut.accumulator)
    assert_near(estimate, real)
    assert real.lut4 <= most
