"""A whole network behind the link, from the host's bytes to the host's bytes, in Amaranth's simulator."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from hwgen.compress.tflite_file import Quantization
from hwgen.compress.tflite_writer import TfliteWriter
from hwgen.emit.board_top import BoardTop
from hwgen.engines.stream import StreamCore
from hwgen.flow import board as boards
from hwgen.frontend import tflite
from hwgen.golden.run import execute
from hwgen.passes.run import run_passes
from hwgen.plan.choose import Planner
from hwgen.runtime import link as host
from hwgen.targets import GENERIC

sys.path.insert(0, str(Path(__file__).parents[1] / "hw"))
from link_host import Host

BOARD = boards.load("ulx3s-85f")


def network() -> bytes:
    """Convolution, pooling, dense, softmax on a 4x4 image."""
    rng = np.random.default_rng(3)
    writer = TfliteWriter()
    x = writer.input((1, 4, 4, 1), Quantization(0.05, -3))
    y = writer.conv(
        x, rng.integers(-127, 128, (4, 3, 3, 1)), [0.01, 0.02, 0.005, 0.01], rng.integers(-500, 500, 4),
        Quantization(0.1, -128), activation="RELU",
    )  # fmt: skip
    y = writer.pool("MAX", y, (2, 2), (2, 2), padding="VALID")
    y = writer.reshape(y, (1, 16))
    weights, bias = rng.integers(-127, 128, (3, 16)), rng.integers(-99, 99, 3)
    y = writer.dense(y, weights, [0.002], bias, Quantization(0.02, 5))
    writer.output(writer.softmax(y))
    return writer.finish()


def test_answers_are_the_golden_models() -> None:
    graph = run_passes(tflite.load(network(), "small"))
    plan = Planner(graph, GENERIC, BOARD.budget).at_most(800)
    core = StreamCore(graph, plan)
    name = graph.inputs[0].tensor
    x = np.random.default_rng(4).integers(-128, 128, (3, *graph.tensors[name].shape))
    want = execute(graph, {name: x})[graph.outputs[0].tensor].reshape(3, -1)
    assert len({tuple(row) for row in want.tolist()}) == 3

    top = BoardTop(core, BOARD, 8e6, inputs=16, outputs=3, design_id=1, pll=False, idle_seconds=1e-3)
    bench = Host(top, top.uart_rx, top.uart_tx, 8)

    async def script(ctx: object) -> None:
        for sample, wanted in zip(x, want, strict=True):
            frame = bytearray(host.run_request(sample.ravel(), 8))
            frame[-3] ^= 0x10  # spoilt on the way: refused, and nothing runs
            await bench.send(ctx, bytes(frame))
            assert (await bench.answer(ctx)).status == host.Status.BAD_CRC
            await bench.send(ctx, host.run_request(sample.ravel(), 8))
            payload = (await bench.answer(ctx)).checked()
            assert host.unpack_tensor(payload, 8, True).tolist() == wanted.tolist()

    bench.run(script)
