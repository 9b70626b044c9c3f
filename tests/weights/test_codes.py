"""Every code, on every set of levels that it holds: exact, invertible, and one file is all it takes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from levels import POOL

from hwgen.hw.product.form import bits_of
from hwgen.ir.tensor import Tensor
from hwgen.layers.conv import estimate
from hwgen.layers.conv.op import Conv
from hwgen.layers.folding import Folding
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5
from hwgen.weights.code import CODES, FORMS, codes_in

HELD = [(code, name) for code in CODES for name, levels in POOL.items() if CODES[code].holds(levels)]
X = np.arange(-130, 260)


def test_every_code_is_tried() -> None:
    assert {code for code, _ in HELD} == set(CODES)
    assert set(FORMS) == {form.name for code in CODES.values() for form in code.forms}


@pytest.mark.parametrize(("code", "name"), HELD)
def test_a_code_is_exact(code: str, name: str) -> None:
    levels = np.array(POOL[name])
    it = CODES[code](POOL[name])
    codes = it.encode(levels)
    assert codes.min() >= 0 and codes.max() < 1 << it.bits and len(set(codes.tolist())) == len(levels)
    assert np.array_equal(it.decode(codes), levels)
    assert np.array_equal(it.multiply(X[:, None], codes), X[:, None] * levels)
    both = np.stack([levels, levels[::-1]])
    packed = it.pack(both)
    assert packed.shape == (2, len(levels) * it.bits)
    fields = packed.reshape(2, len(levels), it.bits)
    assert np.array_equal(fields, bits_of(it.encode(both), it.bits))


@pytest.mark.parametrize(("code", "name"), HELD)
def test_weights_outside_the_levels_are_refused(code: str, name: str) -> None:
    """A code never turns a weight into another one in silence."""
    with pytest.raises(ValueError, match=code):
        CODES[code](POOL[name]).encode(np.array([POOL[name][-1] + 100_000]))


@pytest.mark.parametrize(
    ("code", "levels", "message"),
    [
        ("bipolar", (-1, 0, 1), "bipolar: weights .* -1 .* 1, not 0"),
        ("ternary", (-2, 0, 2), "ternary: weights are -1, 0 and 1, not -2"),
        ("pow2", (-1, 0, 3), "pow2: weights are 0 or .* not 3"),
        ("intk", (0, 1 << 17), "intk: weights of .* more than 16 bits"),
    ],
)
def test_what_a_code_cannot_hold_is_said(code: str, levels: tuple[int, ...], message: str) -> None:
    assert not CODES[code].holds(levels)
    with pytest.raises(ValueError, match=message):
        CODES[code](levels)


_TOY = '''
import numpy as np
from hwgen.hw.product import RowsForm
from hwgen.weights.base import Code

class ToyForm(RowsForm):
    """Weights 0 and 7."""
    name = "toy"

    @classmethod
    def suits(cls, levels, value, simd, pe, target):
        return set(levels) <= {0, 7}

class Toy(Code):
    name, forms, bits = "toy", (ToyForm,), 1

    def encode(self, weights):
        return np.asarray(weights) // 7

    def decode(self, codes):
        return 7 * np.asarray(codes)

    def multiply(self, x, codes):
        return np.where(codes, 7 * x, 0)
'''


def test_a_code_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the folder is found, and layers offer its forms for the weights that they suit."""
    (tmp_path / "toycodes").mkdir()
    (tmp_path / "toycodes" / "__init__.py").write_text("")
    (tmp_path / "toycodes" / "toy.py").write_text(_TOY)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = codes_in("toycodes")
    assert list(found) == ["toy"]
    for form in found["toy"].forms:
        monkeypatch.setitem(FORMS, form.name, form)

    def offered(weights: np.ndarray) -> list[str]:
        node = Conv(
            name="conv",
            inputs=("x",),
            output="y",
            weights=weights.reshape(2, 1, 1, -1),
            bias=np.zeros(2, int),
        )
        x = Tensor("x", (1, 1, weights.shape[1]), Range(0, 255))
        return estimate.products(node, [x], Folding(1, 1, 1), ECP5)

    assert "toy" in offered(np.array([[0, 7], [7, 0]]))
    assert "toy" not in offered(np.array([[0, 7], [7, 1]]))
    assert "bipolar" in offered(np.array([[1, -1], [1, 1]]))
    assert "ternary" in offered(np.array([[1, -1], [0, 1]]))
    sys.modules.pop("toycodes.toy")
