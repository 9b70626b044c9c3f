"""Flashing, with a stand-in for openFPGALoader that records how it was called."""

from __future__ import annotations

import json
import sys

import pytest

from hwgen.flow import board as boards
from hwgen.flow.flash import flash
from hwgen.support.errors import ToolError, UsageError


@pytest.fixture
def build(tmp_path, monkeypatch):
    """(build folder, function that returns the recorded arguments); the stand-in obeys $STAND_IN."""
    record = tmp_path / "argv.json"
    loader = tmp_path / "loader"
    loader.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        f"open({str(record)!r}, 'w').write(json.dumps(sys.argv[1:]))\n"
        "exec(os.environ.get('STAND_IN', ''))\n"
    )
    loader.chmod(0o755)
    monkeypatch.setenv("HWGEN_OPENFPGALOADER", str(loader))
    folder = tmp_path / "build dir"
    folder.mkdir()
    (folder / "top.bit").write_bytes(b"bits")
    return folder, lambda: json.loads(record.read_text())


def test_sram_by_default(build):
    folder, called = build
    steps = []
    flash(folder, boards.load("ulx3s-85f"), progress=lambda what, part: steps.append(what))
    assert called() == ["--board", "ulx3s", "--write-sram", str(folder / "top.bit")]
    assert steps == ["loading ulx3s-85f's SRAM", "ulx3s-85f is running the design"]


def test_flash_and_cable(build):
    folder, called = build
    flash(folder, boards.load("ulx3s-12f"), write_flash=True, cable="ft231X")
    assert called() == ["--board", "ulx3s", "--cable", "ft231X", "--write-flash", str(folder / "top.bit")]
    with pytest.raises(UsageError, match="not a cable"):
        flash(folder, boards.load("ulx3s-12f"), cable="--verbose x")


def test_no_bitstream(tmp_path):
    with pytest.raises(UsageError, match=r"no bitstream top\.bit; run `hwgen build` first"):
        flash(tmp_path, boards.load("ulx3s-85f"))


def test_programmer_fails(build, monkeypatch):
    folder, _ = build
    monkeypatch.setenv(
        "STAND_IN", "print('Error: unable to open ftdi device: -3 (device not found)'); sys.exit(1)"
    )
    with pytest.raises(ToolError, match="openFPGALoader: unable to open ftdi device"):
        flash(folder, boards.load("ulx3s-85f"))


def test_programmer_cannot_start(build, monkeypatch):
    folder, _ = build
    monkeypatch.setenv(
        "STAND_IN", "print('x: error while loading shared libraries: libusb-1.0.so.0'); sys.exit(127)"
    )
    with pytest.raises(ToolError, match=r"shared libraries.*install libusb-1\.0"):
        flash(folder, boards.load("ulx3s-85f"))
