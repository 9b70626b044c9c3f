"""Place and route with nextpnr, and the bitstream with the family's packer."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hwgen.flow import netlist, placement, process, stamp, templates, tools
from hwgen.flow.board import Board, required_flash
from hwgen.flow.family import Family
from hwgen.support.errors import FitError, ToolError

REPORT = "pnr.json"
LOG, PACK_LOG = "pnr.log", "pack.log"
_WRITTEN = "routed.json"  # only while nextpnr's work folder exists: it is large
_VERSION = 3  # of what these stages do, for their stamps

_NO_BEL = re.compile(r"no B[Ee][Ll]s remaining to implement cell type '?(\w+)'?")
_UNPLACEABLE = re.compile(r"[Uu]nable to (?:find legal placement|place) ")
_CLOCK_NOISE = ("$glbnet$", "$TRELLIS_IO_IN", "$tr_io", "$SB_IO_IN", "_$glb_clk")


@dataclass(frozen=True)
class Clock:
    """Fmax of one clock, MHz, after routing, and what was asked for."""

    achieved: float
    constraint: float


@dataclass(frozen=True)
class PathStep:
    """One step of a critical path, those without delay left out.

    delay: ns. kind: "logic", "routing", "clk-to-q" or "setup". cell, port: where the step ends.
    net: the net of a routing step.
    """

    delay: float
    kind: str
    cell: str
    port: str
    net: str


@dataclass(frozen=True)
class Routed:
    """A routed design. `fmax_mhz`: of the slowest clock that has a path. `critical_path`: that clock's.

    placement: see flow/placement.py. resources: used, in the units of a board's budget, hidden sites of carry
    chains included. On iCE40 lut4 counts logic cells, whatever is used of them.
    """

    config: Path
    placement: Path
    clocks: dict[str, Clock]
    fmax_mhz: float
    resources: dict[str, int]
    critical_path: list[PathStep]
    seconds: float
    log: Path


def check_fit(resources: Mapping[str, int], board: Board) -> None:
    """FitError naming every resource of which the design needs more than the board has."""
    budget = board.budget.as_dict()
    over = [
        f"{resources[r]} {r} of {budget[r]}" for r in netlist.RESOURCES if resources.get(r, 0) > budget[r]
    ]
    if over:
        raise FitError(f"the design does not fit: {', '.join(over)}", where=board.name, hint=_FIT_HINT)


_FIT_HINT = "ask for fewer inferences per second, or for a larger board"


def constraints(board: Board, clock_mhz: float | None = None, *, flash: bool = False) -> str:
    """Pin and clock constraints of a board top's ports; the board's clock by default.

    flash: with those of `emit.systolic_top.SystolicTop` that `emit.board_top.BoardTop` has not. BoardError:
    the board's flash cannot be read.
    """
    return templates.render(
        f"{board.toolchain.constraints}.j2",
        title=board.title,
        pins=[*board.port_pins(), *(required_flash(board).port_pins() if flash else [])],
        clock="clk",
        clock_mhz=board.clock_hz / 1e6 if clock_mhz is None else clock_mhz,
    )


def place_and_route(
    netlist_json: Path,
    board: Board,
    out_dir: Path,
    *,
    freq_mhz: float,
    seed: int = 1,
    free_pins: bool = False,
    flash: bool = False,
    timeout: float = 3600.0,
    progress: process.Progress = process.silent,
) -> Routed:
    """Place and route a synthesised netlist; writes configuration, report, placement and constraints.

    freq_mhz: goal for clocks that neither the board's oscillator nor a PLL behind it sets; a missed
    goal is no error, the caller reads `fmax_mhz`. free_pins: measure a bare component: its clock port
    `clk` is to reach freq_mhz, and nextpnr chooses pins for ports that the board does not name. flash: the
    design has the flash's pins.
    FitError: too large for the board, with the resource. ToolError: anything else. Nothing is run
    when netlist, board, options and nextpnr are those of the last time.
    """
    family = board.toolchain
    out_dir = Path(out_dir)
    nextpnr = tools.find(family.nextpnr)
    pins = constraints(board, freq_mhz if free_pins else None, flash=flash)
    arguments = [*board.nextpnr_arguments, "--json", "netlist.json", *family.files(free_pins=free_pins),
                 "--report", REPORT, "--write", _WRITTEN, "--freq", f"{freq_mhz:g}", "--seed", str(int(seed)),
                 "--timing-allow-fail"]  # fmt: skip
    parts = {
        "version": _VERSION,
        "arguments": arguments,
        "constraints": pins,
        "tool": [nextpnr.path, nextpnr.version],
    }
    used = stamp.key(parts, [netlist_json])
    known = stamp.read(out_dir, "pnr", used)
    if known is not None:
        progress("place and route is up to date", 1.0)
        return _routed(out_dir, family, known)

    outputs = [family.config, REPORT, placement.PLACEMENT, family.constraints]
    stamp.clear(out_dir, "pnr", outputs)
    started = time.monotonic()
    progress("placing", 0.0)
    with process.work_folder(out_dir, "pnr") as work:
        shutil.copyfile(netlist_json, work / "netlist.json")
        (work / family.constraints).write_text(pins)
        try:
            process.run(
                (*nextpnr.argv, *arguments),
                tool=family.nextpnr,
                cwd=work,
                log=out_dir / LOG,
                timeout=timeout,
                on_line=_Watch(progress),
                env=process.tool_environment(work),
            )
        except ToolError as error:
            raise _fit_error(error, board, out_dir / LOG) from error
        cells = netlist.cell_types(json.loads((work / "netlist.json").read_text()))
        record = _record(json.loads((work / REPORT).read_text()), family, cells)
        record["seconds"] = round(time.monotonic() - started, 1)
        placed = placement.placement(json.loads((work / _WRITTEN).read_text()), board.device)
        (work / placement.PLACEMENT).write_text(json.dumps(placed, separators=(",", ":")))
        for name in outputs:
            os.replace(work / name, out_dir / name)
    stamp.write(out_dir, "pnr", used, outputs, record)
    progress("routed", 1.0)
    return _routed(out_dir, family, record)


def pack(
    config: Path,
    out_dir: Path,
    family: Family,
    *,
    compress: bool = True,
    timeout: float = 600.0,
    progress: process.Progress = process.silent,
) -> Path:
    """Turn nextpnr's configuration into a bitstream, `family.bitstream`, for SRAM or flash."""
    out_dir = Path(out_dir)
    packer, bitstream = tools.find(family.packer), family.bitstream
    arguments = family.pack(compress=compress)
    parts = {"version": _VERSION, "arguments": arguments, "tool": [packer.path, packer.version]}
    used = stamp.key(parts, [config])
    if stamp.read(out_dir, "pack", used) is not None:
        progress("bitstream is up to date", 1.0)
        return out_dir / bitstream
    stamp.clear(out_dir, "pack", [bitstream])
    progress("packing the bitstream", 0.0)
    with process.work_folder(out_dir, "pack") as work:
        shutil.copyfile(config, work / family.config)
        process.run(
            (*packer.argv, *arguments),
            tool=family.packer,
            cwd=work,
            log=out_dir / PACK_LOG,
            timeout=timeout,
            env=process.tool_environment(work),
        )
        os.replace(work / bitstream, out_dir / bitstream)
    stamp.write(out_dir, "pack", used, [bitstream], {})
    progress("bitstream packed", 1.0)
    return out_dir / bitstream


def as_dict(result: Routed) -> dict[str, Any]:
    """Plain data for JSON."""
    paths = {name: str(getattr(result, name)) for name in ("config", "placement", "log")}
    return {**asdict(result), **paths}


def _record(report: dict[str, Any], family: Family, cells: Mapping[str, int]) -> dict[str, Any]:
    """The parts of nextpnr's report that hwgen keeps, as plain data. cells: the netlist's, by type.

    A clock is no faster than the slowest block that it drives, even one that nextpnr has no delays for.
    """
    limit = min((mhz for kind, mhz in family.limits_mhz.items() if cells.get(kind)), default=float("inf"))
    clocks = {
        _plain(name): {
            "achieved": round(min(c["achieved"], limit), 2),
            "constraint": round(c["constraint"], 2),
        }
        for name, c in report["fmax"].items()
    }
    slowest = min(report["fmax"], key=lambda name: report["fmax"][name]["achieved"], default=None)
    edges = [f"{edge} {slowest}" for edge in ("posedge", "negedge")]
    paths = [p["path"] for p in report["critical_paths"] if p["from"] in edges and p["to"] in edges]
    steps = [
        {"delay": round(s["delay"], 3), "kind": s["type"], "cell": s["to"]["cell"], "port": s["to"]["port"],
         "net": s.get("net", "")}
        for s in max(paths, key=lambda path: sum(s["delay"] for s in path), default=[])
        if s["delay"] > 0
    ]  # fmt: skip
    used = netlist.count(Counter(cells).elements())
    used.update({name: report["utilization"][bel]["used"] for name, bel in family.bels.items()})
    return {
        "clocks": clocks,
        "fmax_mhz": clocks[_plain(slowest)]["achieved"] if slowest is not None else 0.0,
        "resources": used,
        "critical_path": steps,
    }


def _routed(out_dir: Path, family: Family, record: dict[str, Any]) -> Routed:
    fields = dict(record)
    fields["clocks"] = {name: Clock(**clock) for name, clock in record["clocks"].items()}
    fields["critical_path"] = [PathStep(**step) for step in record["critical_path"]]
    return Routed(
        config=out_dir / family.config,
        placement=out_dir / placement.PLACEMENT,
        log=out_dir / LOG,
        **fields,
    )


def _plain(clock: str) -> str:
    """A net's name without what nextpnr adds for global nets and pads."""
    for noise in _CLOCK_NOISE:
        clock = clock.replace(noise, "")
    return clock


def _fit_error(error: ToolError, board: Board, log: Path) -> FitError | ToolError:
    """A FitError when nextpnr ran out of something, else the error itself."""
    text = log.read_text(errors="replace") if log.exists() else ""
    match = _NO_BEL.search(error.what)
    if not match and not _UNPLACEABLE.search(error.what):
        return error
    names = {**{bel: name for name, bel in board.toolchain.bels.items()}, "LUT4": "lut4"}
    over = []
    for kind, used, available in re.findall(r"Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", text):
        if kind in names and int(used) > int(available):
            over.append(f"{used} {names[kind]} of {available}")
    if not over and match:
        over.append(f"no {names.get(match.group(1), match.group(1))} left")
    what = ", ".join(over) or "the chip is too full to place every cell"
    return FitError(f"the design does not fit: {what}", where=board.name, hint=_FIT_HINT)


class _Watch:
    """Turns nextpnr's log into progress: placing up to 0.5, routing by arcs that remain."""

    _iteration = re.compile(r"Info:\s+at iteration #(\d+)")
    _arcs = re.compile(r"Info: Routing (\d+) arcs")
    _remaining = re.compile(r"Info:\s+\d+ \|\s+\d+\s+\d+ \|\s*\d+\s+\d+\s*\|\s*(\d+)\|")

    def __init__(self, progress: process.Progress) -> None:
        self.progress, self.arcs, self.annealing = progress, 0, False

    def __call__(self, line: str) -> None:
        if line.startswith("Info: Packing"):
            self.progress("placing: packing cells", 0.02)
        elif line.startswith("Info: Running simulated annealing"):
            self.annealing = True
            self.progress("placing: refining", 0.4)
        elif match := self._iteration.match(line):
            step = int(match.group(1))  # some 10 to 20 iterations of the first, 20 to 40 of the second kind
            low, high, usual = (0.4, 0.5, 30) if self.annealing else (0.05, 0.4, 12)
            self.progress("placing", round(low + (high - low) * step / (step + usual), 3))
        elif match := self._arcs.match(line):
            self.arcs = int(match.group(1))
            self.progress("routing", 0.5)
        elif self.arcs and (match := self._remaining.match(line)):
            done = max(0.0, 1 - int(match.group(1)) / self.arcs)
            self.progress(f"routing: {100 * done:.0f}%", round(0.5 + 0.5 * done, 3))
