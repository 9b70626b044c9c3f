"""hwgen patch: retrained weights in a finished design, what is refused, and the certificate that follows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Command

import hwgen
from hwgen import pipeline
from hwgen.compress.tflite_file import Quantization
from hwgen.compress.tflite_writer import TfliteWriter
from hwgen.design import Design
from hwgen.flow.flash import IMAGE
from hwgen.patch import patch
from hwgen.support.errors import UnsupportedError, UsageError

RELU, LOGITS = Quantization(0.05, -128), Quantization(0.1, 3)


def network(
    path: Path,
    seed: int,
    *,
    channels: int = 4,
    hidden: Quantization = RELU,
    stretch: float = 1.0,
    top: int = 127,
) -> Path:
    """A convolution and a dense layer with softmax; other seeds are other trainings. top: largest weight."""
    rng = np.random.default_rng(seed)
    net = TfliteWriter()
    x = net.input((1, 4, 4, 1), Quantization(1 / 16, -128), name="image")
    weights = rng.integers(-top, top + 1, (channels, 3, 3, 1))
    scales = (stretch * rng.uniform(0.3, 0.4, channels) / top).tolist()
    y = net.conv(x, weights, scales, rng.integers(-900, 900, channels), hidden, activation="RELU")
    flat = net.reshape(y, (1, 16 * channels))
    dense = rng.integers(-top, top + 1, (5, 16 * channels))
    scale = (rng.uniform(0.12, 0.25, 5) / top).tolist()
    net.output(net.softmax(net.dense(flat, dense, scale, rng.integers(-500, 500, 5), LOGITS)))
    path.write_bytes(net.finish())
    return path


def compiled(model: Path, out: Path, board: str = "ulx3s-12f", **options: object) -> Design:
    return hwgen.compile(model, board, out=out, fps=20_000, patchable=True, **options)  # type: ignore[arg-type]


def test_the_same_plan_for_other_weights(tmp_path: Path) -> None:
    """Foldings and moulds come from the build folder; a plan of its own would be another one."""
    design = compiled(network(tmp_path / "net.tflite", 1), tmp_path / "out")
    design.generate()
    other = network(tmp_path / "other.tflite", 2)
    again = pipeline.reopen(tmp_path / "out", model=other)
    assert again.plan.units.keys() == design.plan.units.keys()  # type: ignore[attr-defined]
    for name, unit in design.plan.units.items():  # type: ignore[attr-defined]
        assert again.plan.units[name].folding == unit.folding  # type: ignore[attr-defined]
    assert json.loads((tmp_path / "out" / "patch.json").read_text())["schema"] == 1
    assert again.net.run(np.zeros((1, 4, 4, 1), np.int8)).shape == (1, 5)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    compiled(network(tmp_path / "net.tflite", 1, top=7), folder).generate()
    made = {
        "weight is": network(tmp_path / "wide.tflite", 2),
        r"layer \d: conv of 4x4x3 to 4x4x6": network(tmp_path / "large.tflite", 2, channels=6, top=7),
        "channel": network(tmp_path / "steep.tflite", 2, stretch=64, top=7),
        "-128 outside the image|no bitstream": network(tmp_path / "net2.tflite", 2, top=7),
    }
    for words, model in made.items():
        with pytest.raises((UnsupportedError, UsageError), match=words):
            patch(folder, model)
    with pytest.raises(UsageError, match="not of the kind"):
        patch(folder, tmp_path / "net.onnx")
    assert not (folder / "patch").exists()


def test_a_design_that_is_not_patchable(tmp_path: Path, hwgen_command: Command) -> None:
    model = network(tmp_path / "net.tflite", 1)
    hwgen.compile(model, "ulx3s-12f", out=tmp_path / "out").generate()
    code, _, err = hwgen_command("patch", tmp_path / "out", model)
    assert code == 2 and "was not built to be patched" in err and "--patchable" in err
    code, _, err = hwgen_command("patch", tmp_path, model)
    assert code == 2 and "is no build folder" in err


def test_the_systolic_engines_image(tmp_path: Path, hwgen_command: Command) -> None:
    """Its bitstream is made once for all networks: only the image changes."""
    folder = tmp_path / "out"
    design = hwgen.compile(network(tmp_path / "net.tflite", 1), "ulx3s-85f", engine="systolic", out=folder)
    facts = design.generate()
    before = (folder / IMAGE).read_bytes()
    (folder / "report.json").write_text(json.dumps(facts | {"bitstream": "systolic.bit", "fmax_mhz": 123.4}))
    (folder / "certificate.json").write_text("{}")
    other = network(tmp_path / "other.tflite", 2)
    code, out, _ = hwgen_command("patch", folder, other)
    assert code == 0 and "an image of" in out and "not verified" in out
    assert (folder / IMAGE).read_bytes() != before
    report = json.loads((folder / "report.json").read_text())
    assert report["bitstream"] == "systolic.bit" and report["fmax_mhz"] == 123.4
    assert report["model_sha256"] == hwgen.load(other).sha256
    assert not (folder / "certificate.json").exists()
    again = hwgen.compile(
        shutil.copy(other, tmp_path / "net.tflite"), "ulx3s-85f", engine="systolic", out=tmp_path / "new"
    )
    again.generate()
    assert (folder / IMAGE).read_bytes() == (tmp_path / "new" / IMAGE).read_bytes()


@pytest.mark.sim
def test_a_patchable_design_computes_its_model(tmp_path: Path) -> None:
    """The built one and, in its hardware, another training: at every layer as the golden model."""
    design = compiled(network(tmp_path / "net.tflite", 1), tmp_path / "out")
    assert design.verify(samples=3, stages=True)["exact"]["mismatches"] == 0
    other = pipeline.reopen(tmp_path / "out", model=network(tmp_path / "other.tflite", 2))
    other.folder = tmp_path / "again"
    assert other.verify(samples=3, stages=True)["exact"]["mismatches"] == 0


@pytest.mark.pnr
@pytest.mark.sim
@pytest.mark.parametrize("board", ["ulx3s-12f", pytest.param("icebreaker", marks=pytest.mark.slow)])
def test_patched_is_what_a_build_gives(tmp_path: Path, board: str) -> None:
    """Configuration and bitstream are those of a full build of the other weights; the certificate is new."""
    folder, full = tmp_path / "out", tmp_path / "full"
    compiled(network(tmp_path / "net.tflite", 1), folder, board).build()
    other = network(tmp_path / "other.tflite", 2)
    copied = tmp_path / "copy"
    copied.mkdir()
    shutil.copy(other, copied / "net.tflite")
    again = pipeline.reopen(folder, model=copied / "net.tflite")
    again.folder = full
    again.build()
    result = patch(folder, other, verify=3)
    assert result["patch"]["changed"] >= 3 and result["exact"]["samples"] == 3
    assert json.loads((folder / "certificate.json").read_text())["exact"]
    assert (folder / "report.json").exists() and result["bitstream"] and result["fmax_mhz"]
    family = again.board.toolchain
    for name in (family.config, family.bitstream):
        assert (folder / "pnr" / name).read_bytes().split() == (full / "pnr" / name).read_bytes().split()
    reopened = pipeline.reopen(folder)
    assert reopened.net.sha256 == again.net.sha256
