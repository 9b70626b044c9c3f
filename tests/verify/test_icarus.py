"""A network of ECP5 primitives in Icarus Verilog, which keeps unknown values: Verilator makes them up.

What has no value at power-up, or is read before it has one, shows here only.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import hwgen
from hwgen.compress.tflite_writer import Quantization, TfliteWriter
from hwgen.golden.run import execute
from hwgen.verify.patterns import Pattern
from hwgen.verify.rtl import verify_rtl

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not on PATH")


def small_model() -> bytes:
    """Padded and overlapping windows, multipliers, tables, sums over pixels and a softmax."""
    rng = np.random.default_rng(0)
    q = Quantization(0.05, -3)
    net = TfliteWriter()
    x = net.input((1, 6, 6, 2), q)
    y = net.conv(x, rng.integers(-99, 99, (8, 3, 3, 2)), [0.001] * 8, rng.integers(-9, 9, 8), q)
    y = net.depthwise(y, rng.integers(-99, 99, (3, 3, 8)), [0.003], None, q)
    y = net.elementwise("LOGISTIC", y, Quantization(1 / 256, -128))
    y = net.pool("MAX", y, (2, 2), (2, 2))
    y = net.reshape(net.mean(y, q), (1, 8))
    net.output(net.softmax(net.dense(y, rng.integers(-99, 99, (3, 8)), [0.02], rng.integers(-9, 9, 3), q)))
    return net.finish()


@pytest.mark.sim
@needs_icarus
def test_primitives_in_icarus(tmp_path: Path) -> None:
    model = tmp_path / "small.tflite"
    model.write_bytes(small_model())
    design = hwgen.compile(hwgen.load(model), board="ulx3s-85f", fps=180_000, out=tmp_path)
    assert {"CCU2C", "DP16KD", "MULT18X18D"} <= set(
        re.findall(r"^ +([A-Z0-9]+) #", design.verilog, re.MULTILINE)
    )
    verilog = tmp_path / "small.v"
    verilog.write_text(design.tapped_verilog)
    inputs = design.net.random_inputs(1)
    result = verify_rtl(
        [verilog], design.manifest(taps=True), inputs, execute(design.graph, inputs, keep=True), tmp_path,
        patterns=[Pattern("plain", samples=1)], simulator="icarus",
    )  # fmt: skip
    assert result.exact and result.compared > 1000
