"""The model's edges in manifest.json: all that a host has to do to the model's arrays, in any language.

In: the model's array in the stream's order, then as integers. Out: the stream as floats, then in the model's
order, then the softmax. Arrays are one sample.

- ``port``, ``tensor``; ``name``, ``shape`` (batch excluded), ``dtype`` of the model's own array;
- ``spread`` and ``axes``: the array, viewed as ``spread`` [3] (null: as the port's ``shape``), transposed by
  ``axes`` [3] (as in numpy.transpose), flattened, is the stream;
- ``scale``, ``zero_point``, ``rounding``: a float edge of integers, else null. In: q = round(x / scale) +
  zero_point in float32, clamped to the port's range, halves "away" from zero or to "even", or "none": x is
  such an integer already. Out: x = (q - zero_point) * scale in float32;
- ``steps``: a float input that is more than scaled integers, else null: q = base[r] + sign[r] * (how many of
  the float32 thresholds[r], ascending, are <= x); row r is a channel of the port, or one row serves them all;
- ``chain``: a float output that is more than scaled integers, else null: x = float32((q + shift) * scale),
  shift and scale in float64, then ``steps``, each an operation ("add", "sub", "rsub": c - x, "mul", "div",
  "rdiv": c / x, "max", "min") with its c, in float32. Constants are one number or one a channel of the port;
- ``softmax``: the float softmax that the model ends in, else null: ``axis`` of ``shape``; ``quantised``: the
  ``scale``, ``zero_point``, ``rounding`` by which probabilities are rounded, clamped to ``lo``..``hi`` and
  made floats again, or null; ``from_integers``: in onnxruntime's way (golden/edges.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hwgen.ir.tensor import Affine, Edge, HostChain, HostSoftmax, HostSteps, Shape


@dataclass(frozen=True)
class EdgeEntry:
    """An input or output of the model, and the core's port that carries it (None: it has none)."""

    port: str | None
    edge: Edge

    def to_dict(self) -> dict[str, Any]:
        """As above."""
        edge = asdict(self.edge)
        return {"port": self.port, **(edge.pop("affine") or dict.fromkeys(_AFFINE)), **edge}

    @classmethod
    def from_dict(cls, item: Mapping[str, Any]) -> EdgeEntry:
        """Back from plain data, as JSON gives it."""
        rest = {key: item[key] for key in ("name", "tensor", "dtype")}
        return cls(
            item["port"],
            Edge(
                **rest,
                shape=tuple(item["shape"]),
                affine=_affine(item),
                spread=None if item["spread"] is None else _three(item["spread"]),
                axes=_three(item["axes"]),
                softmax=_softmax(item["softmax"]),
                steps=_steps(item["steps"]),
                chain=_chain(item["chain"]),
            ),
        )


_AFFINE = ("scale", "zero_point", "rounding")


def _affine(item: Mapping[str, Any]) -> Affine | None:
    return None if item["scale"] is None else Affine(*(item[key] for key in _AFFINE))


def _softmax(item: Mapping[str, Any] | None) -> HostSoftmax | None:
    if item is None:
        return None
    quantised = item["quantised"]
    return HostSoftmax(**{**item, "quantised": None if quantised is None else _affine(quantised)})


def _steps(item: Mapping[str, Any] | None) -> HostSteps | None:
    if item is None:
        return None
    return HostSteps(tuple(map(tuple, item["thresholds"])), tuple(item["base"]), tuple(item["sign"]))


def _chain(item: Mapping[str, Any] | None) -> HostChain | None:
    if item is None:
        return None
    steps = tuple((name, tuple(constant)) for name, constant in item["steps"])
    return HostChain(tuple(item["shift"]), tuple(item["scale"]), steps)


def _three(values: list[int]) -> Shape:
    first, second, third = values
    return first, second, third
