"""Builds the simulator of a board; one that was built of the same Verilog by the same tools is used again."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

from hwgen.flow import process, tools, verilator
from hwgen.simulation.shell import MODULE
from hwgen.support import resources
from hwgen.support.errors import UsageError
from hwgen.support.files import write_atomic

_PREFIX = "Vboard"  # sim/board/main.cpp includes it
_KEY = ".key"


def build(
    top: str, shell: str, folder: Path, *, progress: process.Progress = process.silent
) -> tuple[Path, bool]:
    """The program for Verilog of a board's top and of its shell, and whether it was made anew.

    folder: where it is made and kept. ToolError with the tool's own first complaint, or with what to install.
    """
    env = tools.simulator_env()
    sim = resources.folder("sim")
    models = sorted(sim.glob("models/*.v"))
    main = sim / "board" / "main.cpp"
    parts = [path.read_bytes() for path in (main, *models)]
    made_by = [verilator.version(), verilator.compiler(env), *verilator.OPTIONS, *verilator.OPTIMISE]
    key = verilator.content_key(*made_by, top, shell, *parts)
    program = (folder / MODULE).resolve()
    with _locked(folder):
        with contextlib.suppress(OSError):
            if (folder / _KEY).read_text() == key and program.is_file():
                return program, False
        progress(f"building the simulator (Verilator {verilator.version()})", None)
        for path in folder.iterdir():
            if path.name != _LOCK:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        (folder / "top.v").write_text(top)
        (folder / "shell.v").write_text(shell)
        files = ["shell.v", str(main), "top.v", *map(str, models)]
        verilator.build(files, folder, env, top=MODULE, prefix=_PREFIX, progress=progress)
        write_atomic(folder / _KEY, key)
    return program, True


_LOCK = ".lock"


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / _LOCK).exists() and any(folder.iterdir()):
        raise UsageError("holds files that are not hwgen's", where=str(folder), hint="move them away")
    with open(folder / _LOCK, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
