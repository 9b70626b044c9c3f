"""The whole road on the bundled model: verified, broken on purpose, built, flashed by a stand-in."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pytest

import hwgen
from hwgen import pipeline
from hwgen.design import Design
from hwgen.golden.run import execute
from hwgen.support.errors import MismatchError, UsageError

ROOT = Path(__file__).resolve().parent.parent
DIGITS = ROOT / "examples" / "digits" / "digits.tflite"


def digits(count: int) -> np.ndarray:
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn ships the digits")
    images = datasets.load_digits().images[-count:]
    return (images * 15 - 128).astype(np.int8)[..., None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("digits")


def design(folder: Path, **options: object) -> Design:
    return hwgen.compile(hwgen.load(DIGITS), board="ulx3s-85f", fps=2000, out=folder, **options)


def test_golden_has_the_models_own_types() -> None:
    net = hwgen.load(DIGITS)
    y = net.run(digits(20))
    assert y.shape == (20, 10) and y.dtype == np.int8
    with pytest.raises(UsageError, match="shape"):
        net.run(np.zeros((8, 8, 1), np.int8))


@pytest.mark.sim
def test_rtl_equals_golden_at_every_layer(folder: Path) -> None:
    result = design(folder).verify(digits(3), stages=True)
    assert result["exact"]["levels"] == ["tflm", "golden", "rtl"]
    assert result["exact"]["mismatches"] == 0 and result["exact"]["samples"] == 3
    # the measured interval is what the schedule said
    predicted = result["predicted"]["initiation_interval"]
    assert predicted * 0.98 <= result["initiation_interval"] <= predicted * 1.05
    assert json.loads((folder / "certificate.json").read_text())["exact"]


@pytest.mark.sim
def test_broken_hardware_is_caught_and_named(tmp_path: Path) -> None:
    """One weight of one layer changed behind the golden model's back."""
    broken = design(tmp_path)
    node = next(n for n in broken.graph.nodes if n.kind == "depthwise")
    right = node.weights.copy()
    wrong = right.copy()
    wrong[1, 1, 5] += 1
    golden = execute(broken.graph, broken.net.enter(digits(2)), keep=True)
    node.weights = wrong
    assert not np.array_equal(
        golden[node.output],
        execute(broken.graph, broken.net.enter(digits(2)), keep=True)[node.output],
    )
    broken.tapped_verilog, broken.verilog  # elaborated with the wrong weight  # noqa: B018
    node.weights = right
    with pytest.raises(MismatchError, match=r"depthwise_conv_2d_1 .*channel 5: expected -?\d+, got -?\d+"):
        broken.verify(digits(2), stages=True)
    assert not (tmp_path / "certificate.json").exists()


@pytest.mark.pnr
def test_build_makes_a_bitstream_and_flash_loads_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages: list[str] = []
    built = design(folder, progress=lambda what, fraction: stages.append(what))
    result = built.build()
    assert result["fmax_mhz"] >= result["clock_mhz"] >= 99
    assert (folder / result["bitstream"]).stat().st_size > 100_000
    used = result["resources"]
    assert 0 < used["lut4"]["used"] < used["lut4"]["available"]
    parts = [layer["resources"] for layer in result["layers"]]
    for key in ("dsp", "bram"):
        assert sum(part[key] for part in parts) <= used[key]["used"]
    for layer in result["layers"]:
        assert layer["resources"]["lut4"] > 0
    assert any("routing" in stage for stage in stages)
    built.build()  # everything is up to date
    assert "place and route is up to date" in stages

    tool = folder / "openFPGALoader"
    tool.write_text('#!/bin/sh\necho "$@" > "$(dirname "$0")/arguments"\n')
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("HWGEN_OPENFPGALOADER", str(tool))
    pipeline.flash(folder)
    arguments = (folder / "arguments").read_text().split()
    assert arguments[:2] == ["--board", "ulx3s"] and arguments[-1].endswith(".bit")


def test_a_build_folder_is_enough_to_make_its_design_again(folder: Path) -> None:
    made = design(folder, clock=90.0)
    made.generate()
    again = pipeline.reopen(folder)
    assert again.options == made.options and again.content == made.content
    (folder / "digits.tflite").write_bytes(DIGITS.read_bytes() + b"x")
    with pytest.raises(UsageError, match="not the model"):
        pipeline.reopen(folder)
    with pytest.raises(UsageError, match="no build folder"):
        pipeline.reopen(folder / "elsewhere")
    (folder / "design.json").write_text('{"schema": 1, "model": "../digits.tflite"}')
    with pytest.raises(UsageError, match="cannot be understood"):
        pipeline.reopen(folder)


@pytest.mark.parametrize("change", ({"baud": [1]}, {"clock": "auto", "clock_mhz": "x"}, {"fps": "fast"}))
def test_a_record_that_is_none(folder: Path, change: dict[str, object]) -> None:
    plain = {"schema": 1, "model": "m.tflite", "sha256": "", "runtime": "tflm", "board": "x", "clock_mhz": 1}
    (folder / "design.json").write_text(json.dumps(plain | change))
    with pytest.raises(UsageError, match="cannot be understood"):
        pipeline.reopen(folder)
