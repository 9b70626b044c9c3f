"""The unit that puts channels together, under random gaps and back-pressure; a network with a fork and it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streambench import Bench, beats

import hwgen
from hwgen.compress.tflite_writer import Quantization, TfliteWriter
from hwgen.ir.node import IllegalNode
from hwgen.ir.tensor import Tensor
from hwgen.layers.concat import golden, hw
from hwgen.layers.concat.op import Concat
from hwgen.layers.folding import Folding
from hwgen.numeric.ranges import Range
from hwgen.targets import GENERIC

NODE = Concat(name="join", inputs=("a", "b"), output="y")


@pytest.mark.parametrize(
    ("channels", "lanes"), [((4, 6), 1), ((4, 6), 2), ((3, 3), 3), ((8, 2), 2), ((1, 1), 1)]
)
def test_unit(channels: tuple[int, int], lanes: int) -> None:
    rng = np.random.default_rng(lanes)
    ranges = Range(0, 200), Range(-128, 127)
    x, y = (rng.integers(r.lo, r.hi, (5, 4, c), endpoint=True) for r, c in zip(ranges, channels))
    for value, each in zip(ranges, (x, y)):
        each[0, 0], each[-1, -1] = value.lo, value.hi
    expected = golden.run(NODE, x[None], y[None])[0]
    tensors = [Tensor("a", x.shape, ranges[0]), Tensor("b", y.shape, ranges[1])]
    assert NODE.infer(tensors) == Tensor("y", expected.shape, Range(-128, 200))
    unit = hw.build(NODE, tensors, Folding(lanes, lanes, lanes), GENERIC)
    bench = Bench(unit)
    bench.send(unit.a, beats(x, lanes))
    bench.send(unit.b, beats(y, lanes))
    taken = bench.receive(unit.o, expected.size // lanes)
    bench.run()
    assert taken == beats(expected, lanes)


def test_what_does_not_fit_together() -> None:
    with pytest.raises(IllegalNode, match="puts pixels"):
        NODE.infer([Tensor("a", (2, 2, 1), Range(0, 1)), Tensor("b", (2, 3, 1), Range(0, 1))])
    with pytest.raises(ValueError, match="must divide"):
        hw.build(NODE, [Tensor("a", (2, 2, 3), Range(0, 1)), Tensor("b", (2, 2, 2), Range(0, 1))],
                 Folding(2, 2, 2), GENERIC)  # fmt: skip


def u_net() -> bytes:
    """A branch of three layers beside one of none and one of a pointwise layer."""
    rng = np.random.default_rng(4)
    net, q = TfliteWriter(), Quantization(0.1, -3)

    def conv(x, outputs: int, size: int = 3):  # type: ignore[no-untyped-def]
        weights = rng.integers(-127, 128, (outputs, size, size, x.shape[3]))
        return net.conv(x, weights, [0.006], rng.integers(-300, 300, outputs), q, padding="SAME")

    first = conv(net.input((1, 9, 8, 2), q), 4)
    deep = conv(conv(conv(first, 4), 6), 4)
    joined = net.concat([first, deep, conv(first, 2, 1)])
    net.output(conv(joined, 5, 1))
    return net.finish()


@pytest.mark.sim
@pytest.mark.parametrize("fps", [2_000, 100_000])
def test_network(fps: float, tmp_path: Path) -> None:
    """The shallow branches wait in FIFOs of the depth that the schedule found."""
    model = tmp_path / "u.tflite"
    model.write_bytes(u_net())
    design = hwgen.compile(hwgen.load(model), fps=fps, out=tmp_path / "out")
    result = design.verify(samples=3, stages=True)
    assert result["exact"]["mismatches"] == 0
    predicted = result["predicted"]["initiation_interval"]
    assert predicted * 0.95 <= result["initiation_interval"] <= predicted * 1.1
