"""From a file to a design and back: load, compile, reopen, flash."""

from __future__ import annotations

import json
from pathlib import Path

from hwgen import report, systolic
from hwgen.cast import Cast
from hwgen.design import RECORD, SCHEMA, Design, Options
from hwgen.emit.verilog import identifier
from hwgen.engines import stream
from hwgen.engines import systolic as systolic_engine
from hwgen.flow import board as boards
from hwgen.flow import flash as flasher
from hwgen.flow.board import Board
from hwgen.frontend.load import load_graph
from hwgen.net import Net, digest
from hwgen.passes import patchable as mould
from hwgen.passes.patchable import Mould
from hwgen.passes.run import run_passes
from hwgen.plan.choose import Planner
from hwgen.runtime.link import BAUD
from hwgen.streamed import StreamDesign, left_by_link
from hwgen.support.errors import UsageError
from hwgen.support.progress import Progress, silent
from hwgen.targets import target as target_of

ENGINES = ("stream", "systolic")
_LEAST = 1e-3  # of any option that is a number


def load(path: str | Path, runtime: str | None = None) -> Net:
    """Read a model file. runtime: whose arithmetic to be exact to; by default the file format's own."""
    path = Path(path)
    graph = load_graph(path, runtime)
    return Net(graph, path, digest(path.read_bytes()))


def compile(
    net: Net | str | Path,
    board: str = "ulx3s-85f",
    *,
    fps: float | None = None,
    clock: float | str | None = None,
    fill: float | None = None,
    out: str | Path | None = None,
    engine: str = "stream",
    baud: float = BAUD,
    patchable: bool = False,
    profile: bool = False,
    progress: Progress = silent,
) -> Design:
    """Plan a network for a board.

    engine: "stream", a unit a layer, or "systolic", one array for all of them in turn.

    fps: inferences per second wanted; None: as fast as fits. clock: MHz; None: the chip family's; "auto": the
    plan is made for that one, and `build` finds the fastest that timing allows. fill: share of the board's
    LUTs that may be used. baud: of the link. patchable: so that `hwgen.patch` puts other weights into the
    finished bitstream; a systolic engine's are in the flash anyway. profile: with counters for
    `hwgen.profile`. out: build folder (by default build/<model>-<board>).
    """
    net = net if isinstance(net, Net) else load(net)
    chosen = boards.load(board)
    limits = (("clock", clock, 400.0), ("fps", fps, 1e9), ("fill", fill, 1.0), ("baud", baud, 12e6))
    for option, value, limit in limits:
        if isinstance(value, str):
            if option != "clock" or value != boards.AUTO:
                raise UsageError(f"--{option} is no number: {value[:40]!r}")
        elif value is not None and not _LEAST <= value <= limit:
            raise UsageError(f"--{option} must be {_LEAST:g} to {limit:g}, not {value:g}")
    if engine not in ENGINES:
        raise UsageError(f"no engine {engine!r}", where="--engine", hint=f"there are {', '.join(ENGINES)}")
    if profile and engine == "systolic":
        hint = "leave out --profile: `hwgen profile` needs no counters of it"
        raise UsageError("counters are for the stream engine", where="--profile", hint=hint)
    folder = Path(out) if out is not None else Path("build") / f"{identifier(net.name)}-{board}"
    progress("planning", None)
    plan = systolic.plan if engine == "systolic" else _stream
    return plan(net, chosen, Options(engine, fps, clock, fill, baud, patchable, profile), folder, progress)


def _stream(net: Net, board: Board, options: Options, folder: Path, progress: Progress) -> Design:
    clock = options.clock if isinstance(options.clock, float | int) else board.toolchain.clock_mhz
    fill = board.toolchain.fill if options.fill is None else options.fill
    graph = run_passes(net.graph)
    stream.check(graph)
    target = target_of(board.family)
    moulds: list[Mould] = []
    if options.patchable:
        # iCE40 has few hard multipliers or none
        moulds = mould.moulds(graph, target.operand if target.instances else None)
        graph = mould.run(graph, moulds)
    budget = left_by_link(graph, board.budget, target, profile=options.profile, patchable=options.patchable)
    planner = Planner(graph, target, budget, fill)
    plan = planner.fastest() if options.fps is None else planner.at_most(int(clock * 1e6 / options.fps))
    cast = Cast.of(graph, plan, moulds) if options.patchable else None
    return StreamDesign(net, board, options, clock, folder, progress, graph=graph, plan=plan, cast=cast)


def _recast(net: Net, board: Board, options: Options, folder: Path, progress: Progress) -> Design:
    """A network in the hardware of the build folder."""
    clock = options.clock if isinstance(options.clock, float | int) else board.toolchain.clock_mhz
    cast = Cast.read(folder)
    graph, plan = cast.fill(run_passes(net.graph), target_of(board.family))
    return StreamDesign(net, board, options, clock, folder, progress, graph=graph, plan=plan, cast=cast)


def reopen(folder: str | Path, *, model: Path | None = None, progress: Progress = silent) -> Design:
    """The design of a build folder, made again from its model and options.

    model: another file in its place, for the same hardware (`hwgen.patch`). UsageError: no build folder, or
    its model is not the one it was made with. UnsupportedError: `model` does not fit the hardware.
    """
    folder = Path(folder)
    try:
        record = json.loads((folder / RECORD).read_text())
        schema, own, sha256 = record.pop("schema"), record.pop("model"), record.pop("sha256")
        runtime, board, clock_mhz = record.pop("runtime"), record.pop("board"), record.pop("clock_mhz")
        options, found_mhz = Options(**record), float(clock_mhz)
        numbers: list[object] = [options.fps, options.fill, options.baud]
        numbers += [options.clock] if options.clock != boards.AUTO else []
        if not all(number is None or isinstance(number, int | float) for number in numbers):
            raise ValueError(f"not all of {numbers} are numbers")
        if schema != SCHEMA or Path(own).name != own:
            raise ValueError(f"schema {schema}, model {own}")
    except FileNotFoundError as error:
        raise UsageError("is no build folder", where=str(folder), hint="run `hwgen build` first") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"cannot be understood: {error}", where=str(folder / RECORD), hint="run `hwgen generate` again"
        ) from error
    net = load(folder / own if model is None else model, runtime)
    if model is None and net.sha256 != sha256:
        raise UsageError("is not the model that was built", where=str(folder / own), hint="build again")
    if options.engine == "stream" and (model is not None or options.patchable):
        design = _recast(net, boards.load(board), options, folder, progress)
    else:
        design = compile(
            net, board, fps=options.fps, clock=options.clock, fill=options.fill, out=folder,
            engine=options.engine, baud=options.baud, patchable=options.patchable,
            profile=options.profile, progress=progress,
        )  # fmt: skip
    if options.clock == boards.AUTO:
        design.clock_mhz = found_mhz  # by `build`
    return design


def flash(
    folder: str | Path, *, write_flash: bool = False, image_only: bool = False, progress: Progress = silent
) -> list[list[str]]:
    """Load a build folder's bitstream into its board, and a systolic engine's program into the board's flash.

    image_only: the program alone, for a board that has the bitstream in its flash. Returns the commands.
    """
    folder = Path(folder)
    facts = report.read(folder)
    if not facts.get("board") or not (image_only or facts.get("bitstream")):
        raise UsageError("no bitstream here", where=str(folder), hint="run `hwgen build` first")
    board = boards.load(facts["board"])
    image = folder / flasher.IMAGE
    systolic = facts.get("engine") == "systolic"
    array = systolic_engine.geometry(board.budget, board.name) if systolic else None
    return flasher.flash(
        folder / "pnr", board, image=image if systolic else None, array=array, image_only=image_only,
        write_flash=write_flash, progress=progress,
    )  # fmt: skip
