"""How long the tool itself takes: model file to Verilog, and where the time goes; one verified inference."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.models import BUNDLED, mlperf_tiny

_STAGES = """
import sys, time, json
start = time.perf_counter()
import hwgen
from hwgen import pipeline
marks = [("import hwgen", time.perf_counter() - start)]
def step(name, call):
    begin = time.perf_counter()
    value = call()
    marks.append((name, time.perf_counter() - begin))
    return value
net = step("front end", lambda: pipeline.load(sys.argv[1]))
design = step("plan", lambda: pipeline.compile(net, fps=float(sys.argv[3]), out=sys.argv[2]))
step("Verilog", lambda: design.generate())
step("golden, one inference", lambda: net.graph and __import__("hwgen.golden.run").golden.run.execute(
    design.graph, net.random_inputs(1)))
if sys.argv[4] == "verify":
    step("simulator built, first inferences", lambda: design.verify(samples=1))
    step("one inference under six patterns", lambda: design.verify(samples=1, seed=1))
print(json.dumps(marks))
"""
_FPS = {
    "keyword spotting": 5000,
    "image classification": 300,
    "anomaly detection": 4000,
    "visual wake words": 500,
}


def main() -> None:
    """A table: seconds by stage and model, each in a process of its own."""
    import json

    models = {"digits (bundled)": BUNDLED, **mlperf_tiny()}
    for task, path in models.items():
        with tempfile.TemporaryDirectory() as out:
            begin = time.perf_counter()
            argv = [sys.executable, "-c", _STAGES, str(path), out, str(_FPS.get(task, 1000)), "verify"]
            done = subprocess.run(argv, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
            if done.returncode:
                print(f"{task}: {done.stderr.strip().splitlines()[-1]}")
                continue
            marks = json.loads(done.stdout.splitlines()[-1])
            total = sum(
                seconds for name, seconds in marks if name in ("import hwgen", "front end", "plan", "Verilog")
            )
            print(f"{task}: model file to Verilog {total:.1f} s (all {time.perf_counter() - begin:.1f} s)")
            for name, seconds in marks:
                print(f"    {seconds:7.2f} s  {name}")
