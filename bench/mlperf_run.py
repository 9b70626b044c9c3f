"""MLPerf Tiny's accuracy and performance run of keyword spotting, the way EEMBC's runner does it.

Runner, serial commands, device under test, host code, link protocol, and the whole board top in Verilator:
`python -m bench.mlperf_run` (all 500 inputs), or --samples N. With --port, on a board instead.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

import hwgen
from bench.models import folder
from hwgen.device import Device
from hwgen.emit.payloads import Payloads
from hwgen.mlperf.clocks import BoardClock, Clock, WallClock
from hwgen.mlperf.dut import Dut
from hwgen.mlperf.runner import Runner, median
from hwgen.mlperf.task import Model
from hwgen.mlperf.terminal import Terminal, serve, speaker
from hwgen.runtime.serialport import SerialPort
from hwgen.simulation import SimulatedBoard
from hwgen.support.progress import Console

FPS = 10_000.0
_SIMULATED_SECONDS = 0.002  # of the board's time for a window of a simulated performance run


@contextmanager
def runner_at(device: Device, model: Model, clock: Clock) -> Iterator[Runner]:
    """A runner at a pseudo-terminal behind which `device` is the device under test."""
    over = threading.Event()
    with Terminal() as terminal:
        dut = Dut(f"hwgen-{device.identity.board}", model, device, clock, speaker(terminal))
        thread = threading.Thread(target=serve, args=(dut, terminal, over.is_set), daemon=True)
        port = SerialPort(terminal.path, 115_200)
        thread.start()
        try:
            yield Runner(port, timeout=120.0)
        finally:
            over.set()
            thread.join(10)
            port.close()


def run(
    samples: int, *, board: str, out: Path, engine: str = "stream", fps: float | None = None,
    port: str | None = None,
) -> dict[str, float]:  # fmt: skip
    """Prints and returns: inputs, accuracy, differing (from the model's own runtime), rate."""
    models = folder() / "mlperf_tiny"
    file = np.load(models / "kws01_first500.npz")
    x, labels = file["x"][:samples], file["y"][:samples]
    path = models / "kws_ref_model.tflite"
    design = hwgen.compile(path, board=board, engine=engine, fps=fps, out=out, progress=Console())
    design.generate()
    model = Model.read(design.net.path)
    wanted = np.array([model.leave(b"", y) for y in design.net.run(x)])
    with ExitStack() as stack:
        if port is None:
            simulated = stack.enter_context(SimulatedBoard(design))
            simulated.settle()  # a systolic engine has its program now
            pace = simulated.pace(Payloads.of(out).clocks)
            device = stack.enter_context(Device(simulated.port, out, baud=pace.baud, timeout=pace.timeout))
            clocked, seconds = True, _SIMULATED_SECONDS
        else:
            device = stack.enter_context(Device(port, out))
            clocked, seconds = False, 10.0
        clock: Clock = BoardClock(device) if clocked else WallClock()
        runner = stack.enter_context(runner_at(device, model, clock))
        who = runner.identify()
        print(f"{who['name']}, {who['model']}, {device.identity.clock / 1e6:g} MHz")
        began = time.monotonic()
        inputs = [each.tobytes() for each in x]
        accuracy = runner.accuracy(inputs, labels.tolist(), progress=Console())
        differ = int(np.sum(np.abs(np.array(accuracy.results) - wanted) > 0.0005 + 1e-6))
        print(
            f"accuracy: {accuracy.right} of {accuracy.total} ({100 * accuracy.share:.1f}%), {differ} results "
            f"differ from the model's own runtime's; {time.monotonic() - began:.0f} s"
        )
        rates = runner.performance(inputs, seconds=seconds)
        by = "the board's clocks" if clocked else "this computer's clock, serial line included"
        print(f"performance: {median(rates):,.0f} inferences/s, the median of {len(rates)}, by {by}")
    return {
        "inputs": accuracy.total,
        "accuracy": accuracy.share,
        "differing": differ,
        "rate": median(rates),
    }


def main(words: list[str] | None = None) -> None:
    """Command line as above."""
    parser = argparse.ArgumentParser(description="MLPerf Tiny, keyword spotting: accuracy and performance")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--board", default="ulx3s-85f")
    parser.add_argument("--engine", choices=("stream", "systolic"), default="stream")
    parser.add_argument("--fps", type=float, default=FPS, help="that a stream design is made for")
    parser.add_argument("--port", default=None, help="of a board; simulated if not given")
    parser.add_argument("--out", type=Path, default=None, help="build folder to keep")
    options = parser.parse_args([] if words is None else words)
    with tempfile.TemporaryDirectory() as temporary:
        out = options.out or Path(temporary)
        fps = options.fps if options.engine == "stream" else None
        run(options.samples, board=options.board, out=out, engine=options.engine, fps=fps, port=options.port)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
