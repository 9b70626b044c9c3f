"""The systolic engine as a user meets it: digits on the iCEBreaker, from model file to verified program."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import hwgen
from hwgen.flow.flash import IMAGE
from hwgen.program.image import read_image
from hwgen.support.errors import MismatchError, UnsupportedError, UsageError

DIGITS = Path(__file__).parents[1] / "examples" / "digits" / "digits_mobile.tflite"


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    out = tmp_path_factory.mktemp("digits")
    return hwgen.compile(DIGITS, board="icebreaker", engine="systolic", out=out)


def test_generate(design):
    report = design.generate()
    assert {path.name for path in design.folder.iterdir()} >= {IMAGE, "program.txt", "manifest.json", "rtl"}
    image = read_image((design.folder / IMAGE).read_bytes(), design.array)
    assert image.program == design.lowered.image.program
    assert report["engine"] == "systolic"
    assert report["initiation_interval"] == sum(each.clocks for each in design.spent)
    assert 0 < report["utilisation"] < 1
    assert report["inferences_per_second"] == round(30e6 / report["initiation_interval"], 1)
    assert json.loads((design.folder / "manifest.json").read_text())["core"] == "systolic_4x4"


@pytest.mark.sim
def test_verify_every_layer_in_the_clocks_predicted(design):
    whole = design.verify(samples=2)
    assert whole["exact"]["mismatches"] == 0
    assert whole["initiation_interval"] == whole["predicted"]["initiation_interval"]
    layers = design.verify(samples=1, stages=True)
    assert layers["exact"]["integers"] > whole["exact"]["integers"]

    # a weight that is not the model's is found, and where
    good = design.lowered.image
    wrong = bytearray(good.resident)
    wrong[8 * design.array.columns] ^= 64
    object.__setattr__(design.lowered, "image", replace(good, resident=bytes(wrong)))
    try:
        with pytest.raises(MismatchError, match=r"conv_2d_0: y \d+, x \d+, channel 0"):
            design.verify(samples=1, stages=True)
    finally:
        object.__setattr__(design.lowered, "image", good)


def test_what_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no engine 'warp'"):
        hwgen.compile(DIGITS, board="icebreaker", engine="warp", out=tmp_path)
    with pytest.raises(UsageError, match="--fps is for the stream engine"):
        hwgen.compile(DIGITS, board="icebreaker", engine="systolic", fps=100, out=tmp_path)
    with pytest.raises(UsageError, match="icestick: the systolic engine needs"):
        hwgen.compile(DIGITS, board="icestick", engine="systolic", out=tmp_path)
    bnn = DIGITS.parents[1] / "lowbit" / "twn.onnx"
    with pytest.raises(UnsupportedError):
        hwgen.compile(bnn, board="icebreaker", engine="systolic", out=tmp_path)
    assert not list(tmp_path.iterdir())
