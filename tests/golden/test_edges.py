"""The model's edge: types, shapes, rounding, clear refusals."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.golden.edges import enter, leave
from hwgen.ir.tensor import Affine, Edge, Tensor
from hwgen.numeric.ranges import Range
from hwgen.support.errors import UsageError

T = Tensor("x", (2, 3, 4), Range(-128, 127))


def test_channel_first_models_are_turned_and_turned_back() -> None:
    edge = Edge("x", "x", (4, 2, 3), "int8", spread=(4, 2, 3), axes=(1, 2, 0))
    x = np.arange(48, dtype=np.int8).reshape(2, 4, 2, 3)
    inside = enter(edge, T, x)
    assert inside.shape == (2, 2, 3, 4)
    assert inside[1, 1, 2, 3] == x[1, 3, 1, 2]
    assert np.array_equal(leave(edge, T, inside), x)


@pytest.mark.parametrize(("rounding", "want"), [("away", [1, 2, 3, -1, -2]), ("even", [0, 2, 2, 0, -2])])
def test_halves(rounding: str, want: list[int]) -> None:
    edge = Edge("x", "x", (5,), "float32", affine=Affine(0.5, 0, rounding))
    x = np.array([[0.25, 0.75, 1.25, -0.25, -0.75]], np.float32)
    assert enter(edge, Tensor("x", (1, 1, 5), Range(-128, 127)), x).ravel().tolist() == want


def test_quantising_saturates_and_dequantising_returns() -> None:
    edge = Edge("x", "x", (3,), "float32", affine=Affine(0.1, -5))
    tensor = Tensor("x", (1, 1, 3), Range(-128, 127))
    q = enter(edge, tensor, np.array([[1e9, -1e9, 0.0]], np.float32))
    assert q.ravel().tolist() == [127, -128, -5]
    assert leave(edge, tensor, q).dtype == np.float32
    assert leave(edge, tensor, q)[0, 2] == 0.0


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.zeros((2, 3, 4), np.int8), "shape"),
        (np.zeros((1, 2, 3, 5), np.int8), "shape"),
        (np.zeros((1, 2, 3, 4), np.float32), "must be int8"),
        (np.full((1, 2, 3, 4), 300), "leave"),
    ],
)
def test_wrong_arrays_are_refused(x: np.ndarray, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        enter(Edge("x", "x", (2, 3, 4), "int8"), T, x)


def test_floats_must_be_finite_floats() -> None:
    edge = Edge("x", "x", (2, 3, 4), "float32", affine=Affine(0.5, 0))
    with pytest.raises(UsageError, match="finite"):
        enter(edge, T, np.full((1, 2, 3, 4), np.nan, np.float32))
    with pytest.raises(UsageError, match="floating"):
        enter(edge, T, np.zeros((1, 2, 3, 4), np.int8))
