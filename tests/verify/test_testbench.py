"""The folder testbench/ works with `make` alone, passes a sound core and fails a wrong one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from faulty import SHAPE, Faulty, manifest

from hwgen.emit.testbench import write_testbench
from hwgen.emit.verilog import to_verilog
from hwgen.flow.tools import simulator_env


@pytest.mark.sim
@pytest.mark.slow
def test_make_runs_the_test_bench(tmp_path: Path) -> None:
    (tmp_path / "faulty.v").write_text(to_verilog(Faulty(), "faulty"))
    x = np.random.default_rng(2).integers(-128, 101, (3, *SHAPE))
    bench = tmp_path / "testbench"
    write_testbench(bench, manifest(), "../faulty.v", {"i": x, "o": 3 * x + 1})

    def make() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", f"PYTHON={sys.executable}"], cwd=bench, env=simulator_env(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=600,
        )  # fmt: skip

    done = make()
    assert done.returncode == 0, done.stdout[-2000:]
    assert f"2 runs, {4 * x.size} integers compared: all equal" in done.stdout
    wrong = 3 * x + 1
    wrong[1, 2, 1, 3] += 1
    write_testbench(bench, manifest(), "../faulty.v", {"i": x, "o": wrong})
    done = make()
    assert done.returncode != 0
    assert "steady, o: {'sample': 1, 'y': 2, 'x': 1, 'channel': 3" in done.stdout
