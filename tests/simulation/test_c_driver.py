"""The C driver at a simulated board: a microcontroller's program gets the model's outputs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tty
from pathlib import Path

import numpy as np
import pytest

from hwgen.emit.verilog import identifier
from hwgen.golden.run import execute
from hwgen.simulation import SimulatedBoard

MAIN = Path(__file__).parents[1] / "emit" / "driver_main.c"
MILLISECONDS, TRIES = 4000, 5

pytestmark = [
    pytest.mark.sim,
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc)"),
]


def test_digits(board: SimulatedBoard, digits: np.ndarray, tmp_path: Path) -> None:
    design = board.design
    name = f"hwgen_{identifier(design.net.name)}"
    driver, program = design.folder / "driver", tmp_path / "program"
    flags = [f"-DNAME={name}", f"-DUPPER={name.upper()}", "-include", str(driver / f"{name}.h")]
    sources = [str(driver / f"{name}.c"), str(MAIN)]
    subprocess.run(["cc", "-O1", *flags, *sources, "-o", str(program)], check=True)
    x = digits[:20]
    with board:
        board.settle()  # a systolic engine has its program now
        line = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
        try:
            tty.setraw(line)
            said = subprocess.run(
                [program, "run", str(MILLISECONDS), str(TRIES), str(line)], input=x.tobytes(),
                pass_fds=[line], capture_output=True, timeout=300, check=True,
            ).stdout  # fmt: skip
        finally:
            os.close(line)
    graph = design.net.graph
    kept = execute(graph, {graph.inputs[0].tensor: x.astype(np.int64)}, keep=True)
    lowered = getattr(design, "lowered", None)
    sink = lowered.outputs[0] if lowered else graph.outputs[0].tensor
    wanted = kept[sink].reshape(len(x), -1)
    assert said[0] == 0
    runs = np.frombuffer(said[1 : 1 + len(x) * 11], np.int8).reshape(len(x), 11)
    assert not runs[:, 0].any()
    np.testing.assert_array_equal(runs[:, 1:], wanted)
    rest = said[1 + len(x) * 11 :]
    words = np.frombuffer(rest[1:25], np.uint32)
    # a machine that is busy elsewhere may pause in a request, which the board then finds cut off: a retry
    assert rest[0] == 0 and words[0] == 1 and words[1] >= len(x) and words[2] < 5 and words[3] > 0
    assert rest[25] == 0 and int.from_bytes(rest[26:30], "little") < 5  # reset; retries
