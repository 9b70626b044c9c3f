"""The bench shell of a core, and the folder `testbench/` that simulates a core without hwgen."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwgen.emit.manifest import Manifest
from hwgen.flow.templates import render
from hwgen.support import resources
from hwgen.support.errors import UsageError
from hwgen.support.files import write_atomic

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PATH = re.compile(r"[A-Za-z0-9_./-]+")
# Verilator: what cocotb may see from outside.
ACCESS = '`verilator_config\npublic_flat_rw -module "bench" -var "*"\n'
_ALWAYS = 1 << 16  # probabilities of sim/gate.v
_SOURCES = ("bench_core.py", "records.py", "run.py")


def bench_verilog(manifest: Manifest) -> str:
    """Verilog of the module `bench` around the core that `manifest` describes.

    Every stream gets a recorder, every input a player, every output a gate; sim/bench_core.py
    drives it. UsageError if a name of the manifest cannot stand in Verilog.
    """
    names = [manifest.core, manifest.clock, manifest.reset]
    names += [port.name for port in (*manifest.ports, *manifest.taps)]
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise UsageError(f"{name!r} cannot stand in Verilog", where="manifest")
    return render(
        "testbench.v.j2",
        core=manifest.core,
        clock=manifest.clock,
        reset=manifest.reset,
        inputs=manifest.inputs,
        outputs=manifest.outputs,
        taps=list(manifest.taps),
    )


def write_testbench(folder: Path, manifest: Manifest, rtl: str, vectors: Mapping[str, NDArray]) -> None:
    """Write a test bench that runs with `make`, without hwgen: cocotb 2 and Verilator.

    rtl: the core's Verilog file, relative to `folder`. vectors: samples (N, H, W, C) by port name, inputs
    and the outputs that are expected. Two runs: without stalls, and with random gaps and back-pressure.
    """
    if _PATH.fullmatch(rtl) is None:
        raise UsageError(f"{rtl!r} cannot stand in a makefile", where="test bench")
    sim = resources.folder("sim")
    for path in (
        *sorted(sim.glob("*.v")),
        *sorted(sim.glob("models/*.v")),
        *(sim / name for name in _SOURCES),
    ):
        write_atomic(folder / path.relative_to(sim), path.read_bytes())
    write_atomic(folder / "bench.v", bench_verilog(manifest))
    write_atomic(folder / "access.vlt", ACCESS)
    write_atomic(folder / "Makefile", render("testbench.mk.j2", core=manifest.core, rtl=rtl))
    manifest.write(folder / "manifest.json")
    samples = len(next(iter(vectors.values())))
    job = {
        "manifest": "manifest.json",
        "vectors": "vectors.npz",
        "result": "result.json",
        "runs": [_run(manifest, "steady", samples, _ALWAYS), _run(manifest, "random", samples, _ALWAYS // 2)],
    }
    write_atomic(folder / "job.json", json.dumps(job, indent=1) + "\n")
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **vectors)
    write_atomic(folder / "vectors.npz", content.getvalue())


def _run(manifest: Manifest, name: str, samples: int, go: int) -> dict[str, Any]:
    gates = {
        port.name: {"go": go, "stop": _ALWAYS - go, "seed": index + 1}
        for index, port in enumerate(manifest.ports)
    }
    silence = manifest.interval or sum(layer.macs for layer in manifest.layers)
    return {
        "name": name,
        "samples": samples,
        "gates": gates,
        "stuck_after": 8 * silence + 20_000,
        "reset_after": None,
        "drain": 200,
        "dump": None,
    }
