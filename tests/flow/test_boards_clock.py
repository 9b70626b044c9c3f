"""`--clock auto` in a design: the fastest routing's files, clock and record; both on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import hwgen
from hwgen import design as designs
from hwgen import pipeline, report
from hwgen.cli.main import cli
from hwgen.design import Design, Made
from hwgen.flow import board as boards
from hwgen.flow import pnr, synth
from hwgen.support.errors import BoardError, FitError, UsageError

ROOT = Path(__file__).resolve().parents[2]
BNN = ROOT / "examples" / "lowbit" / "bnn.onnx"


def _stubbed(monkeypatch: pytest.MonkeyPatch, fmax: list[float]) -> list[float]:
    """Routings that reach `fmax`, MHz, one after the other; the list gets the clocks they were for."""
    tried: list[float] = []

    def routed(self: Design, clock_mhz: float, seed: int, folder: Path | None = None) -> Made:
        assert folder is not None
        self.clock_mhz = clock_mhz
        tried.append(clock_mhz)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("top.config", "pnr.log", "placement.json"):
            (folder / name).write_text(f"{clock_mhz}")
        used = dict.fromkeys(report.RESOURCES, 0)
        result = pnr.Routed(
            config=folder / "top.config",
            placement=folder / "placement.json",
            clocks={},
            fmax_mhz=fmax[len(tried) - 1],
            resources=used,
            critical_path=[],
            seconds=1.0,
            log=folder / "pnr.log",
        )
        regions = dict.fromkeys(self.regions().values(), used)
        synthesis = synth.Synthesis(folder / "netlist.json", used, regions, {}, 1.0, folder / "yosys.log")
        return Made(clock_mhz, self.top(), folder, synthesis, result)

    def pack(config: Path, out_dir: Path, family: object, **_: object) -> Path:
        bitstream = out_dir / "top.bit"
        bitstream.write_text(config.read_text())
        return bitstream

    monkeypatch.setattr(Design, "_routed", routed)
    monkeypatch.setattr(designs.pnr, "pack", pack)
    return tried


def test_the_fastest_routing_is_what_the_folder_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = _stubbed(monkeypatch, [152.0, 140.0, 141.0])
    design = hwgen.compile(BNN, "ulx3s-12f", fps=100, clock="auto", out=tmp_path)
    assert design.clock_mhz == 100.0  # the plan's
    interval = design.plan.schedule.interval
    result = design.build()
    assert tried == [100.0, 150.0, 137.5]
    assert result["clock_mhz"] == result["wanted_mhz"] == design.clock_mhz == 137.5
    assert result["fmax_mhz"] == 141.0 and result["bitstream"] == "bnn.bit"
    assert (tmp_path / "bnn.bit").read_text() == (tmp_path / "pnr" / "top.config").read_text() == "137.5"
    again = pipeline.reopen(tmp_path)
    assert again.clock_mhz == 137.5 and again.top().clock_hz == 137.5e6
    assert again.options.clock == "auto" and again.plan.schedule.interval == interval


def test_no_routing_meets_its_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _stubbed(monkeypatch, [90.0, 80.0, 70.0])
    design = hwgen.compile(BNN, "ulx3s-12f", fps=100, clock="auto", out=tmp_path)
    with pytest.raises(FitError, match=r"routed at 70\.0 MHz, below its clock of 79\.1667"):
        design.build()
    assert not (tmp_path / "bnn.bit").exists()


def test_what_auto_is_not_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--clock auto: is for the stream engine"):
        hwgen.compile(ROOT / "examples/digits/digits_mobile.tflite", "icebreaker", clock="auto",
                      engine="systolic", out=tmp_path)  # fmt: skip
    with pytest.raises(UsageError, match="--clock is no number: 'fast'"):
        hwgen.compile(BNN, "ulx3s-12f", clock="fast", out=tmp_path)


def test_clock_on_the_command_line(tmp_path: Path) -> None:
    command = ["generate", str(BNN), "--board", "ulx3s-12f", "--fps", "100", "-o", str(tmp_path)]
    assert CliRunner().invoke(cli, [*command, "--clock", "auto"], catch_exceptions=False).exit_code == 0
    assert json.loads((tmp_path / "design.json").read_text())["clock"] == "auto"
    wrong = CliRunner().invoke(cli, [*command, "--clock", "car"])
    assert wrong.exit_code == 2 and "'car' is not a valid float" in wrong.output


def test_boards_on_the_command_line() -> None:
    listed = CliRunner().invoke(cli, ["boards"], catch_exceptions=False).output.splitlines()
    assert len(listed) == len(boards.names()) + 1 and all(len(line) < 220 for line in listed)
    one = CliRunner().invoke(cli, ["boards", "orangecrab-85f"], catch_exceptions=False).output
    assert one.startswith("OrangeCrab r0.2 with LFE5U-85F\n")
    assert "83,640 lut4" in one and "128 MByte DDR3" in one and "header pins 0 (rx)" in one
    facts = json.loads(CliRunner().invoke(cli, ["boards", "ecpix5-45f", "--json"]).output)
    assert facts["device"] == "LFE5UM5G-45F" and facts["ram"] == [["ddr3", 512]] and "routed" in facts
    with pytest.raises(BoardError, match="known boards"):
        CliRunner().invoke(cli, ["boards", "nonsense"], catch_exceptions=False)
