"""hwgen patch: retrained weights in a finished design, what is refused, and the certificate that follows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hwgen
from hwgen import pipeline
from hwgen.compress.tflite_file import Quantization
from hwgen.compress.tflite_writer import TfliteWriter
from hwgen.design import Design
from hwgen.emit import board_top
from hwgen.flow import patch as blocks
from hwgen.flow.flash import IMAGE
from hwgen.patch import patch
from hwgen.support.errors import UnsupportedError, UsageError

Command = Callable[..., tuple[int, str, str]]  # hwgen_command of conftest.py
LOWBIT = Path(__file__).resolve().parent.parent / "examples" / "lowbit"
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
    assert not list(folder.glob(".patch*"))


def test_nothing_of_the_users_is_touched(tmp_path: Path) -> None:
    """Neither a folder of whatever name, nor a file that design.json points at."""
    model = network(tmp_path / "net.tflite", 1)
    folder, other = tmp_path / "folder", tmp_path / "folder" / "patch" / "mine.txt"
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    for record in (None, '{"model": "../net.tflite"}', '{"model": "patch/mine.txt"}', '{"model": 5}', "[]"):
        if record is not None:
            (folder / "design.json").write_text(record)
        with pytest.raises(UsageError):
            patch(folder, model)
        assert other.read_text() == "mine" and not list(folder.glob(".patch*"))


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
    """Another training in the hardware made for the first one: at every layer as the golden model."""
    compiled(network(tmp_path / "net.tflite", 1), tmp_path / "out").generate()
    other = pipeline.reopen(tmp_path / "out", model=network(tmp_path / "other.tflite", 2))
    other.folder = tmp_path / "again"
    assert other.verify(samples=3, stages=True)["exact"]["mismatches"] == 0


@pytest.mark.slow
@pytest.mark.pnr
def test_patched_is_what_a_build_gives(tmp_path: Path, hwgen_command: Command) -> None:
    """Configuration and bitstream are those of a full build of the other weights."""
    folder, full = tmp_path / "out", tmp_path / "full"
    compiled(network(tmp_path / "net.tflite", 1), folder).build()
    other = network(tmp_path / "other.tflite", 2)
    again = pipeline.reopen(folder, model=shutil.copy(other, tmp_path / "net.tflite"))
    again.folder = full
    again.build()
    (folder / "certificate.json").write_text("{}")
    code, out, _ = hwgen_command("patch", folder, other)
    assert code == 0 and "block RAMs changed" in out and not (folder / "certificate.json").exists()
    family = again.board.toolchain
    for name in (family.config, family.bitstream):
        # the same but for spaces that nextpnr leaves at ends of lines
        assert (folder / "pnr" / name).read_bytes().split() == (full / "pnr" / name).read_bytes().split()
    report = json.loads((folder / "report.json").read_text())
    assert report["bitstream"] and report["fmax_mhz"] and report["model_sha256"] == again.net.sha256
    assert pipeline.reopen(folder).net.sha256 == again.net.sha256
    assert len(list(folder.glob("*.bit"))) == 1 and not list(folder.glob(".patch*"))


@pytest.mark.slow
@pytest.mark.pnr
@pytest.mark.sim
def test_a_binary_network_on_icebreaker(tmp_path: Path) -> None:
    """The distilled training of examples/lowbit goes into the plain one's bitstream, and is verified."""
    design = hwgen.compile(LOWBIT / "bnn.onnx", "icebreaker", out=tmp_path, patchable=True)
    design.build()
    before = (tmp_path / "pnr" / "top.bin").read_bytes()
    result = patch(tmp_path, LOWBIT / "bnn_distilled.onnx", verify=2)
    assert (tmp_path / "pnr" / "top.bin").read_bytes() != before
    assert result["patch"]["changed"] >= 10 and result["exact"]["samples"] == 2
    assert json.loads((tmp_path / "certificate.json").read_text())["exact"]


def test_binary_and_two_bit_networks_have_the_same_hardware(tmp_path: Path) -> None:
    """On a chip without hard multipliers, too: thresholds are in block RAM."""
    for name in ("bnn", "two_bit"):
        folder = tmp_path / name
        design = hwgen.compile(LOWBIT / f"{name}.onnx", "ice40hx8k", out=folder, patchable=True)
        design.generate()
        again = pipeline.reopen(folder, model=LOWBIT / f"{name}_distilled.onnx")
        old, new = (blocks.read(board_top.to_rtlil(each.top()), board_top.TOP) for each in (design, again))
        assert blocks.difference(old, new) is None
        assert sum(old.contents[at] != new.contents[at] for at in old.contents) > 10
