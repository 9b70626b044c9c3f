"""The command line as a user meets it: answers, one-line errors, exit codes, nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwgen.program.array import ECP5_85F, UP5K
from hwgen.program.image import Image
from hwgen.program.instructions import End

ROOT = Path(__file__).resolve().parent.parent
DIGITS = ROOT / "examples" / "digits" / "digits.tflite"


def test_inspect(hwgen_command: Callable) -> None:
    code, out, _ = hwgen_command("inspect", DIGITS)
    assert code == 0 and "depthwise" in out and "199,936 MACs" in out
    code, out, _ = hwgen_command("inspect", DIGITS, "--json")
    facts = json.loads(out)
    assert code == 0 and facts["macs"] == sum(layer["macs"] for layer in facts["layers"]) == 199936


def test_generate_writes_what_an_engineer_needs(hwgen_command: Callable, tmp_path: Path) -> None:
    out = tmp_path / "core"
    code, text, _ = hwgen_command("generate", DIGITS, "--fps", "5000", "-o", out, "--json")
    assert code == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert [port["name"] for port in manifest["ports"]] == ["i", "o"]
    verilog = (out / "rtl" / "digits.v").read_text()
    assert "module digits(" in verilog and "i_payload" in verilog
    assert (out / "testbench" / "bench.v").is_file()
    facts = json.loads(text)
    wanted = {
        "model", "board", "engine", "exact", "cycles_per_inference", "initiation_interval", "fmax_mhz",
        "inferences_per_second", "macs", "utilisation", "resources", "layers",
    }  # fmt: skip
    assert wanted <= facts.keys()
    assert set(facts["resources"]) == {"lut4", "ff", "dsp", "bram", "spram"}
    assert facts["inferences_per_second"] >= 5000
    code, text, _ = hwgen_command("report", out)
    assert code == 0 and "not verified yet" in text


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["inspect", "no/such/model.tflite"], 3, "cannot be read"),
        (["inspect", __file__], 3, ""),
        (["generate", DIGITS, "--board", "no-such-board"], 5, "known boards: "),
        (["generate", DIGITS, "--board", "../../etc"], 5, "known boards: "),
        (["generate", DIGITS, "--fps", "1e8"], 6, "ask for fewer inferences a second"),
        (["generate", DIGITS, "--fps", "-3"], 2, "--fps must be 0.001 to"),
        (["generate", DIGITS, "--clock", "9000"], 2, "--clock must be"),
        (["generate", DIGITS, "--fill", "0.001"], 6, "does not fit"),
        (["generate", DIGITS, "--runtime", "nobody"], 2, "nobody"),
        (["verify", DIGITS, "--inputs", "no/such.npy"], 2, "no/such.npy"),
        (["report", "nowhere"], 2, "no report here"),
        (["flash", "nowhere"], 2, "no bitstream here"),
        (["frobnicate"], 2, "No such command"),
    ],
)
def test_errors(
    hwgen_command: Callable, tmp_path: Path, arguments: list[object], code: int, says: str
) -> None:
    out = tmp_path / "out"
    needs_folder = arguments[0] in ("generate", "verify")
    got, text, error = hwgen_command(*arguments, *(["-o", out] if needs_folder else []))
    assert got == code, error
    assert says in error
    assert "Traceback" not in error and not text
    lines = [line for line in error.splitlines() if line.startswith("error:")]
    assert len(lines) == (1 if arguments[0] != "frobnicate" and "--runtime" not in arguments else 0)
    assert not out.exists()


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.zeros((2, 9, 9, 1), np.int8), "shape"),
        (np.zeros((2, 8, 8, 1), np.float32), "must be int8"),
        (np.zeros((0, 8, 8, 1), np.int8), "no inputs"),
    ],
)
def test_bad_inputs(hwgen_command: Callable, tmp_path: Path, x: np.ndarray, says: str) -> None:
    np.save(tmp_path / "x.npy", x)
    code, _, error = hwgen_command(
        "verify", DIGITS, "--fps", "1000", "--inputs", tmp_path / "x.npy", "-o", tmp_path / "o"
    )
    assert code == 2 and says in error and not (tmp_path / "o").exists()


def test_pickled_inputs_are_refused(hwgen_command: Callable, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    code, _, error = hwgen_command("verify", DIGITS, "--inputs", tmp_path / "x.npy", "-o", tmp_path / "o")
    assert code == 2 and "cannot be read" in error


def test_boards_and_doctor(hwgen_command: Callable) -> None:
    code, out, _ = hwgen_command("boards", "--json")
    assert code == 0 and "ulx3s-85f" in {row["name"] for row in json.loads(out)}
    code, out, _ = hwgen_command("doctor", "--json")
    rows = {row["tool"]: row for row in json.loads(out)}
    assert code == 0 and rows["nextpnr-ecp5"]["found"] and rows["yosys"]["version"]
    assert hwgen_command("boards")[0] == hwgen_command("doctor")[0] == 0


def test_flash_refuses_a_damaged_image(
    hwgen_command: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The systolic engine's program alone is flashed; not a damaged one, and not that of another array."""
    tool, record = tmp_path / "loader", tmp_path / "record"
    tool.write_text(f'#!/bin/sh\necho "$@" >> "{record}"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("HWGEN_OPENFPGALOADER", str(tool))
    (tmp_path / "pnr").mkdir()
    (tmp_path / "report.json").write_text(json.dumps({"board": "icebreaker", "engine": "systolic"}))
    good = Image(UP5K, (End(),), bytes(64)).to_bytes()
    for data in (good[:-4], good[:50] + b"x" + good[51:], Image(ECP5_85F, (End(),), bytes(64)).to_bytes()):
        (tmp_path / "image.bin").write_bytes(data)
        code, _, error = hwgen_command("flash", tmp_path, "--image-only")
        assert code == 2 and "image.bin: not flashed" in error and error.count("\n") == 1
    assert not record.exists() or "image.bin" not in record.read_text()
    (tmp_path / "image.bin").write_bytes(good)
    code, text, _ = hwgen_command("flash", tmp_path, "--image-only", "--json")
    assert code == 0 and json.loads(text)["commands"][0][-2:] == ["1048576", str(tmp_path / "image.bin")]
    assert "--offset 1048576" in record.read_text()
    code, _, error = hwgen_command("flash", tmp_path)
    assert code == 2 and "no bitstream here" in error
