"""The model's edges in manifest.json: every field of every kind, back as it was."""

from __future__ import annotations

import json

import pytest

from hwgen.emit.edges import EdgeEntry
from hwgen.ir.tensor import Affine, Edge, HostChain, HostSoftmax, HostSteps

THIRD = 0.3333333432674408  # of float32: all its digits have to come back
EDGES = [
    Edge("image", "x", (3, 8, 8), "int8", spread=(3, 8, 8), axes=(1, 2, 0)),
    Edge("audio", "x", (12,), "float32", Affine(THIRD, -3, "even")),
    Edge("p", "y", (4,), "float32", Affine(0.5, 0), softmax=HostSoftmax(0)),
    Edge("p", "y", (2, 4), "float32", Affine(0.5, 0),
         softmax=HostSoftmax(1, Affine(1 / 256, -128), -128, 127, from_integers=True)),
    Edge("x", "x", (2,), "float32", steps=HostSteps(((-THIRD, 0.0, 3e38), (THIRD,)), (-2, 1), (1, -1))),
    Edge("y", "y", (2,), "float32", softmax=HostSoftmax(0),
         chain=HostChain((1.0,), (1 / 3, 1e-30), (("add", (0.5, THIRD)), ("rdiv", (1.0,))))),
]  # fmt: skip


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("port", ["i", None])
def test_every_field_comes_back(edge: Edge, port: str | None) -> None:
    entry = EdgeEntry(port, edge)
    item = json.loads(json.dumps(entry.to_dict(), allow_nan=False))
    assert EdgeEntry.from_dict(item) == entry


def test_keys_are_always_there() -> None:
    keys = {
        *("port", "tensor", "name", "shape", "dtype", "spread", "axes", "scale", "zero_point", "rounding"),
        *("steps", "chain", "softmax"),
    }
    assert all(set(EdgeEntry("i", edge).to_dict()) == keys for edge in EDGES)
