"""ECP5: the order of DP16KD's initial values is Yosys'; the registers of the primitives are used."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Const, Module, Signal, signed

from hwgen.emit.verilog import to_rtlil
from hwgen.flow import tools
from hwgen.hw.multiply import Multiplier
from hwgen.hw.rom import Rom
from hwgen.support.errors import BoardError
from hwgen.targets import ECP5, target
from hwgen.targets.ecp5 import initial_values


def cells(script: str, folder: Path) -> list[dict]:
    """Cells of module `top` after `script`."""
    (folder / "run.ys").write_text(script + "\nwrite_json out.json\n")
    argv = [*tools.find("yosys").argv, "-s", "run.ys"]
    ran = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    return list(json.loads((folder / "out.json").read_text())["modules"]["top"]["cells"].values())


@pytest.mark.synth
def test_initial_values_are_those_of_an_inferred_rom(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for width, depth in ((18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384)):
        words, bits = rng.integers(0, 1 << width, depth), (depth - 1).bit_length()
        (tmp_path / "rom.hex").write_text("\n".join(f"{word:x}" for word in words))
        (tmp_path / "rom.v").write_text(
            f"module top(input clk, input [{bits - 1}:0] a, output reg [{width - 1}:0] d);\n"
            f'(* rom_style = "block" *) reg [{width - 1}:0] m [0:{depth - 1}];\n'
            'initial $readmemh("rom.hex", m);\nalways @(posedge clk) d <= m[a];\nendmodule\n'
        )
        blocks = [
            cell
            for cell in cells("read_verilog rom.v\nsynth_ecp5 -top top", tmp_path)
            if cell["type"] == "DP16KD"
        ]
        assert len(blocks) == 1
        inferred = blocks[0]["parameters"]
        assert width in {int(inferred[f"DATA_WIDTH_{port}"], 2) for port in "AB"}
        ours = initial_values(words, width)
        assert len(ours) == 64
        for name, value in ours.items():
            assert isinstance(value, Const)
            assert int(inferred[name].replace("x", "0"), 2) == value.value, f"{width} bits, {name}"


@pytest.mark.synth
def test_registers_of_the_primitives_are_used(tmp_path: Path) -> None:
    (tmp_path / "top.il").write_text(to_rtlil(Multiplier(signed(8), signed(8), 16, target=ECP5), "top"))
    (multiplier,) = [
        c for c in cells("read_rtlil top.il\nsynth_ecp5 -top top", tmp_path) if "MULT" in c["type"]
    ]
    for register in ("INPUTA", "INPUTB", "OUTPUT"):
        assert multiplier["parameters"][f"REG_{register}_CLK"] == "CLK0"
    assert multiplier["parameters"]["REG_PIPELINE_CLK"] == "NONE"

    bits = np.random.default_rng(1).integers(0, 2, (512, 36), dtype=np.uint8)
    (tmp_path / "top.il").write_text(to_rtlil(Rom(bits, form="bram", target=ECP5), "top"))
    found = cells("read_rtlil top.il\nsynth_ecp5 -top top", tmp_path)
    (block,) = [cell for cell in found if cell["type"] == "DP16KD"]
    assert block["parameters"]["REGMODE_A"] == block["parameters"]["REGMODE_B"] == "OUTREG"
    assert not [cell for cell in found if cell["type"] == "TRELLIS_FF"]


def test_operands_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        ECP5.product(Module(), Signal(18), Signal(8), 26)


def test_families_by_name() -> None:
    assert target("ecp5") is ECP5
    with pytest.raises(BoardError, match="known families: ecp5, generic, ice40, ice40up"):
        target("virtex")
