"""Flashing, with a stand-in for openFPGALoader that records how it was called."""

from __future__ import annotations

import json
import sys

import pytest

from hwgen.flow import board as boards
from hwgen.flow.flash import command, flash
from hwgen.program.array import ECP5_85F, UP5K, Array
from hwgen.program.image import Image
from hwgen.program.instructions import End
from hwgen.support.errors import BoardError, FitError, ToolError, UsageError


@pytest.fixture
def build(tmp_path, monkeypatch):
    """(build folder, function that returns the newest arguments); the stand-in obeys $STAND_IN."""
    folder, calls = _stand_in(tmp_path, monkeypatch)
    return folder, lambda: calls()[-1]


def _stand_in(tmp_path, monkeypatch):
    record = tmp_path / "argv.json"
    loader = tmp_path / "loader"
    loader.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        f"open({str(record)!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
        "exec(os.environ.get('STAND_IN', ''))\n"
    )
    loader.chmod(0o755)
    monkeypatch.setenv("HWGEN_OPENFPGALOADER", str(loader))
    monkeypatch.setenv("HWGEN_ICESPROG", str(loader))
    folder = tmp_path / "build dir"
    folder.mkdir()
    (folder / "top.bit").write_bytes(b"bits")
    (folder / "top.bin").write_bytes(b"bits")

    def calls():
        lines = record.read_text().splitlines() if record.exists() else []
        return [argv for argv in map(json.loads, lines) if len(argv) > 1]  # not the question for its version

    return folder, calls


@pytest.fixture
def systolic(tmp_path, monkeypatch):
    """As `build`, with an image for both arrays; (folder, function that returns all calls)."""
    folder, calls = _stand_in(tmp_path, monkeypatch)
    for name, array in (("up5k.bin", UP5K), ("85f.bin", ECP5_85F)):
        (folder / name).write_bytes(Image(array, (End(),), bytes(64)).to_bytes())
    return folder, calls


def test_image_before_bitstream(systolic):
    folder, calls = systolic
    steps = []
    image, bits = str(folder / "85f.bin"), str(folder / "top.bit")
    commands = flash(
        folder, boards.load("ulx3s-85f"), image=folder / "85f.bin", array=ECP5_85F,
        progress=lambda what, part: steps.append(what),
    )  # fmt: skip
    assert calls() == [
        ["--board", "ulx3s", "--write-flash", "--offset", str(4 << 20), image],
        ["--board", "ulx3s", "--write-sram", bits],
    ]
    assert [argv[1:] for argv in commands] == calls()
    assert steps == [
        "loading program into ulx3s-85f's flash",
        "loading ulx3s-85f's SRAM",
        "ulx3s-85f is running the design",
    ]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("icebreaker", ["--board", "ice40_generic", "--write-flash", "--offset", str(1 << 20)]),
        ("icesugar", ["-o", "0x100000"]),
    ],
)
def test_image_only(systolic, name, wanted):
    folder, calls = systolic
    (folder / "top.bin").unlink()  # not needed
    flash(folder, boards.load(name), image=folder / "up5k.bin", array=UP5K, image_only=True)
    assert calls() == [[*wanted, str(folder / "up5k.bin")]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data[:-4], r"header says"),
        (lambda data: data + bytes(4), r"header says"),
        (lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], "wrong checksum"),
        (lambda data: b"", "0 bytes are no image"),
        (lambda data: bytes(len(data)), "not an hwgen image"),
        (lambda data: data[:4] + b"\x09" + data[5:], "an image of version 9"),
        (lambda data: Image(Array(depth=64), (End(),), bytes(4)).to_bytes(), "for another array"),
        (lambda data: data + bytes(1 << 24), "header says"),
    ],
)
def test_bad_image_is_not_flashed(systolic, change, says):
    folder, calls = systolic
    image = folder / "up5k.bin"
    image.write_bytes(change(image.read_bytes()))
    for only in (False, True):
        with pytest.raises(UsageError, match=f"up5k.bin: not flashed: .*{says}.*; run `hwgen build`"):
            flash(folder, boards.load("icebreaker"), image=image, array=UP5K, image_only=only)
    assert calls() == []


def test_images_that_have_no_place(systolic):
    folder, calls = systolic
    big = folder / "big.bin"
    big.write_bytes(Image(UP5K, (End(),), b"", bytes(7 << 20)).to_bytes())
    with pytest.raises(
        FitError, match=r"icesugar: an image of 7340\d+ bytes, its flash has room for 7340032"
    ):
        flash(folder, boards.load("icesugar"), image=big, array=UP5K)
    for name in ("upduino3", "icestick"):
        with pytest.raises(BoardError, match=f"{name}: has no flash"):
            flash(folder, boards.load(name), image=folder / "up5k.bin", array=UP5K)
    with pytest.raises(UsageError, match=r"no image gone\.bin"):
        flash(folder, boards.load("icebreaker"), image=folder / "gone.bin", array=UP5K)
    with pytest.raises(UsageError, match="no program image; --engine systolic makes one"):
        flash(folder, boards.load("icebreaker"), image_only=True)
    assert calls() == []


def test_programmer_without_offset(monkeypatch, tmp_path):
    tool = tmp_path / "tinyprog"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("HWGEN_TINYPROG", str(tool))
    with pytest.raises(UsageError, match="tinyprog: cannot write to the middle of a flash"):
        command(tmp_path / "x", boards.load("tinyfpga-bx"), offset=1 << 20)


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
