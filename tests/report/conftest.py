"""A build folder made up for the page: a residual network, on hardware of its own or on an array in turns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hwgen.flow.placement import KINDS

CHAIN = [  # kind, inputs, output shape
    ("conv", [0], [8, 8, 4]),
    ("conv", [1], [8, 8, 4]),
    ("add", [1, 2], [8, 8, 4]),
    ("reshape", [3], [1, 1, 256]),
    ("conv", [4], [1, 1, 10]),
    ("softmax", [5], [1, 1, 10]),
]


def facts_of(names: list[str], *, engine: str = "stream") -> dict[str, Any]:
    """Contents of a build folder by file. names: of the layers of CHAIN."""
    layers, entries = [], []
    for place, ((kind, inputs, shape), name) in enumerate(zip(CHAIN, names)):
        weights = 144 if kind == "conv" else 0
        entries.append(
            {
                "name": name, "kind": kind, "inputs": [f"t{k}" for k in inputs], "output": f"t{place + 1}",
                "shape": shape, "range": [-128, 127], "macs": weights * 64, "weights": weights,
                "description": f"{kind} of {name}",
            }
        )  # fmt: skip
        if kind == "reshape" or (engine == "systolic" and kind == "softmax"):
            continue
        layer = {
            "name": name, "unit": name, "kind": kind, "shape": shape, "macs": weights * 64,
            "folding": "simd 1, pe 1", "cycles": 1000 * (place + 1), "utilisation": None,
            "resources": {"lut4": 100 + place, "ff": 50, "dsp": int(weights > 0), "bram": 1, "spram": 0},
        }  # fmt: skip
        if weights:
            layer |= {"weight_code": "intk", "weight_bits": 8}
        if engine == "stream":
            layer |= {"unit": f"l{len(layers):02d}_{kind}", "multipliers": 4}
            layer |= {"begins": 100 * place, "ends": 100 * place + 900}
        layers.append(layer)
    report = {
        "model": "made <up>", "model_sha256": "00" * 32, "runtime": "tflm", "board": "ulx3s-85f",
        "engine": engine, "rtl_sha256": "11" * 32, "wanted_mhz": 100.0, "clock_mhz": 100.0,
        "exact": {"levels": ["tflm", "golden", "rtl"], "samples": 4, "integers": 4000, "mismatches": 0},
        "cycles_per_inference": 9000, "initiation_interval": 6000, "fmax_mhz": 133.0,
        "predicted": {"cycles_per_inference": 9000, "initiation_interval": 6000},
        "inferences_per_second": 16666.7, "macs": 27648, "utilisation": 0.5, "layers": layers,
        "resources": {
            key: {"used": used, "available": 1000}
            for key, used in {"lut4": 900, "ff": 400, "dsp": 9, "bram": 9, "spram": 0}.items()
        },
        "critical_path": "7.50 ns in l01_conv", "seed": 1, "bitstream": "made.bit",
        "critical_steps": [
            {"place": "l00_conv", "kind": "logic", "ns": 1.5, "cell": f"core.l00_conv.{names[0]}"},
            {"place": "l00_conv", "kind": "routing", "ns": 2.0, "cell": "core.l01_conv.x"},
            {"place": "l01_conv", "kind": "logic", "ns": 4.0, "cell": ""},
        ],
    }  # fmt: skip
    if engine == "systolic":
        report |= {
            "multipliers": 16, "host": [names[-1]], "load_bytes_per_clock": 0.5,
            "timeline": [["take", "", 0, 100], ["load", names[1], 50, 1500], ["run", names[0], 100, 1900],
                         ["fill", names[1], 2000, 10], ["run", names[1], 2010, 3900], ["give", "", 5910, 90]],
        }  # fmt: skip
    pattern = {"pattern": "gaps", "seed": 0, "samples": 4, "compared": 10, "cycles": 9}
    parts = ["core.l00_conv", "core.width_l01_conv_0", "core.array", "link.endpoint", "core", ""]
    return {
        "report.json": report,
        "manifest.json": {
            "layers": entries,
            "edges": [
                {"name": names[0], "tensor": "t0", "shape": [8, 8, 1], "dtype": "int8"},
                {"name": names[-1], "tensor": "t6", "shape": [10], "dtype": "int8"},
            ],
            "ports": [
                {"direction": "in", "tensor": "t0", "shape": [8, 8, 1], "range": [-128, 127]},
                {"direction": "out", "tensor": "t6", "shape": [1, 1, 10], "range": [-128, 127]},
            ],
        },
        "certificate.json": {
            "verilog": {f"{names[0]}.v": "22" * 32}, "manifest": "33" * 32, "tools": {"verilator": "5.0"},
            "levels": [
                {
                    "level": "golden=rtl", "exact": True, "samples": 4, "compared": 4000,
                    "details": {
                        "simulator": "verilator 5.0", "cycles": 70000, "patterns": [pattern],
                    },
                }
            ],
        },
        "pnr/placement.json": {
            "schema": 1, "device": "LFE5U-85F", "width": 127, "height": 96, "up": False, "kinds": list(KINDS),
            "parts": {part: [[k, 3 * k, 7, 5, 0, 1, 0, 0], [k + 1, 3 * k, 9, 0, 1, 0, 0, 0]]
                      for k, part in enumerate(parts)},
        },
        "profile.json": {
            "clocks": 6000,
            "units": {names[1]: {"busy": 3000, "input": 1800, "output": 1200},
                      "l00_conv": {"busy": 1000, "input": 0, "output": 5000}},
            "predicted": {},
        },
    }  # fmt: skip


@pytest.fixture
def build_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes such a folder. without: files to leave out; changed: keys of report.json."""

    def write(
        names: list[str] | None = None,
        *,
        engine: str = "stream",
        without: tuple[str, ...] = (),
        **changed: Any,
    ) -> Path:
        files = facts_of(names or ["a", "b", "c", "d", "e", "f"], engine=engine)
        files["report.json"] |= changed
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            if name not in without:
                (tmp_path / name).write_text(json.dumps(content))
        return tmp_path

    return write
