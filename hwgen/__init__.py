"""hwgen: compressed neural networks to exact FPGA hardware, with open tools that pip installs.

net = hwgen.load("kws.tflite")            # the golden model: net.run(x)
design = hwgen.compile(net, board="ulx3s-85f", out="build/kws")
design.verify(x)                          # RTL equals the golden model, or MismatchError
design.build()                            # bitstream and report
device = hwgen.Device("/dev/ttyUSB0", "build/kws")   # the board: device.run(x)
with hwgen.SimulatedBoard(design) as board: ...      # or without one: hwgen.Device(board.port, "build/kws")
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["Device", "SimulatedBoard", "__version__", "compile", "load"]


def __getattr__(name: str) -> Any:
    # Lazy: `import hwgen` must not cost the time of Amaranth and the front ends.
    if name in ("load", "compile"):
        return getattr(import_module("hwgen.pipeline"), name)
    if name == "Device":
        return import_module("hwgen.device").Device
    if name == "SimulatedBoard":
        return import_module("hwgen.simulation").SimulatedBoard
    raise AttributeError(f"module 'hwgen' has no attribute {name!r}")
