"""Synthesis: Verilog (or RTLIL) files to a netlist of the chip's cells, with Yosys.

Resources by region. Flattening first and asking later would lose where LUTs come from: ABC makes
new ones and names them after wires. So each *region* (an instance such as a layer of the core) keeps
its hierarchy while Yosys maps it, and is flattened into the top afterwards: every cell of the flat
netlist then carries its region's path in its name, exactly. The price, constants that no longer
travel between regions, is small where regions meet in registered streams; and ABC is faster on
several small modules than on one large one.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hwgen.flow import netlist, process, stamp, templates, tools
from hwgen.flow.family import FAMILIES
from hwgen.support.errors import ToolError
from hwgen.support.files import write_atomic

NETLIST = "netlist.json"
LOG = "synth.log"
SCRIPT = "synth.ys"
_STAGE = "synth"
_STATISTICS = "statistics.json"
_VERSION = 10  # of what this stage does, for its stamp

_OPTION = re.compile(r"-?[a-z0-9_]+")
_MODULE = re.compile(r"^\s*module\s+\\?([^\s(#;]+)", re.MULTILINE)
_PASS = re.compile(r"^(?:\d+\.)+\s+Executing (.+?) pass")
# Yosys' top-level steps in order with the share of the time at which they start (measured).
_STEPS = {"PROC": 0.05, "SHARE": 0.2, "MEMORY_LIBMAP": 0.4, "SIMPLEMAP": 0.5, "ABC": 0.6, "AUTONAME": 0.8}


@dataclass(frozen=True)
class Synthesis:
    """What came out: the netlist's path, resources of the whole and of each region, cells by type.

    `resources` and `regions[...]` have the keys lut4, ff, dsp, bram, spram; `regions[""]` is what
    lies in no region. lut4 counts sites: a CCU2C is two; on iCE40 logic cells, whatever is used of them.
    """

    netlist: Path
    resources: dict[str, int]
    regions: dict[str, dict[str, int]]
    cells: dict[str, int]
    seconds: float
    log: Path


def synthesise(
    files: Sequence[Path],
    top: str,
    family: str,
    out_dir: Path,
    *,
    regions: Sequence[str] = (),
    options: Sequence[str] | None = None,
    timeout: float = 1800.0,
    progress: process.Progress = process.silent,
) -> Synthesis:
    """Synthesise `files` with top module `top` for `family`; writes netlist.json into `out_dir`.

    files: Verilog, or RTLIL (`.il`, which saves parsing what Amaranth already had in that form).
    options: of the family's synth_ command; its own by default.
    regions: instance paths below the top (`core.conv_0`), whose module is named `<top>.<path>` as
    Amaranth does. Nothing is run when inputs, options and Yosys are those of the last time.
    ToolError: Yosys failed, took too long, or a region does not exist.
    """
    if family not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise ToolError(f"no synthesis for the family {family!r}", where="yosys", hint=f"known: {known}")
    toolchain = FAMILIES[family]
    options = toolchain.synth_options if options is None else options
    out_dir = Path(out_dir)
    yosys = tools.find("yosys")
    _check(files, top, regions, options)
    sources = [f"source_{i}{Path(file).suffix or '.v'}" for i, file in enumerate(files)]
    script = templates.render(
        toolchain.synth_script,
        files=[templates.checked_name(name, "file") for name in sources],
        top=templates.checked_name(top, "module"),
        regions=[templates.checked_name(f"{top}.{path}", "module") for path in sorted(regions)],
        options=list(options),
        netlist=NETLIST,
        statistics=_STATISTICS,
    )
    parts = {"version": _VERSION, "script": script, "tool": [yosys.path, yosys.version]}
    used = stamp.key(parts, [Path(file) for file in files])
    done = stamp.read(out_dir, _STAGE, used)
    if done is not None:
        progress("synthesis is up to date", 1.0)
        return _result(out_dir, done)

    stamp.clear(out_dir, _STAGE, [NETLIST])
    started = time.monotonic()
    progress("synthesising", 0.0)
    with process.work_folder(out_dir, _STAGE) as work:
        for name, file in zip(sources, files):
            shutil.copyfile(file, work / name)
        (work / SCRIPT).write_text(script)
        write_atomic(out_dir / SCRIPT, script)
        process.run(
            (*yosys.argv, "-s", SCRIPT),
            tool="yosys",
            cwd=work,
            log=out_dir / LOG,
            timeout=timeout,
            on_line=_Watch(progress),
            env=process.tool_environment(work),
        )
        design = json.loads((work / NETLIST).read_text())
        module = design["modules"][top]
        toolchain.clean(module)
        write_atomic(out_dir / NETLIST, json.dumps(design, separators=(",", ":")))
    kinds = [cell["type"] for cell in module["cells"].values()]
    record: dict[str, Any] = {
        "resources": netlist.count_regions(module, [])[""],
        "regions": netlist.count_regions(module, regions),
        "cells": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "seconds": round(time.monotonic() - started, 1),
    }
    stamp.write(out_dir, _STAGE, used, [NETLIST], record)
    progress("synthesised", 1.0)
    return _result(out_dir, record)


def as_dict(result: Synthesis) -> dict[str, Any]:
    """Plain data for JSON."""
    return {**asdict(result), "netlist": str(result.netlist), "log": str(result.log)}


def _result(out_dir: Path, record: dict[str, Any]) -> Synthesis:
    return Synthesis(netlist=out_dir / NETLIST, log=out_dir / LOG, **record)


def _check(files: Sequence[Path], top: str, regions: Sequence[str], options: Sequence[str]) -> None:
    """Everything that would otherwise end in a Yosys message about our own script."""
    for option in options:
        if not _OPTION.fullmatch(option):
            raise ToolError(f"not an option of Yosys' synthesis: {option!r}", where="yosys")
    modules: set[str] = set()
    for file in files:
        try:
            modules.update(_MODULE.findall(Path(file).read_text(errors="replace")))
        except OSError as error:
            raise ToolError(f"cannot be read: {error.strerror}", where=str(file)) from error
    for name in [top, *(f"{top}.{path}" for path in regions)]:
        if name not in modules:
            raise ToolError(f"module {name!r} is not in the source files", where="yosys")


class _Watch:
    """Turns Yosys' pass headings into progress; a step that comes again does not go back."""

    def __init__(self, progress: process.Progress) -> None:
        self.progress, self.fraction = progress, 0.0

    def __call__(self, line: str) -> None:
        match = _PASS.match(line)
        if match:
            name = match.group(1)
            share = _STEPS.get(name, 0.0)
            if share > self.fraction:
                self.fraction = share
                self.progress(f"synthesising: {name.lower()}", share)
