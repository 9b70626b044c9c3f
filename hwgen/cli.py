"""The command line: arguments in, one line of error out; the work is in pipeline.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

import click
import numpy as np

import hwgen
from hwgen import dataflow, pipeline, report
from hwgen.flow import board as boards
from hwgen.flow import tools
from hwgen.frontend.load import RUNTIMES
from hwgen.support.errors import HwgenError, UnsupportedError, UsageError
from hwgen.support.progress import Console, silent
from hwgen.support.table import table
from hwgen.systolic import SystolicDesign

MODEL = click.argument("model", type=click.Path(path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
OUT = click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Build folder.")
RUNTIME = click.option(
    "--runtime", type=click.Choice(RUNTIMES), default=None, help="Whose arithmetic to be exact to."
)


def _board_options(command: Any) -> Any:
    for option in (
        click.option("--board", default="ulx3s-85f", show_default=True, help="See `hwgen boards`."),
        click.option(
            "--engine",
            type=click.Choice(pipeline.ENGINES),
            default="stream",
            show_default=True,
            help="A unit a layer, or one array for all layers in turn.",
        ),
        click.option(
            "--fps", type=float, default=None, help="Inferences/s wanted; as fast as fits if not given."
        ),
        click.option("--clock", type=float, default=None, help="Clock in MHz.  [default: the chip family's]"),
        click.option(
            "--fill", type=float, default=None, help="Share of the LUTs to use.  [default: the chip family's]"
        ),
        RUNTIME,
        OUT,
        JSON,
    ):
        command = option(command)
    return MODEL(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(hwgen.__version__)
def cli() -> None:
    """Compressed neural networks to exact FPGA hardware."""


@cli.command()
@MODEL
@RUNTIME
@JSON
def inspect(model: Path, runtime: str | None, as_json: bool) -> None:
    """Layers, shapes, ranges, weights, MACs; everything unsupported at once."""
    facts = pipeline.load(model, runtime).inspect()
    click.echo(json.dumps(facts, indent=2) if as_json else report.render_model(facts))


@cli.command()
@_board_options
def generate(as_json: bool, **options: Any) -> None:
    """Verilog, manifest.json and a test bench."""
    design = _design(as_json, options)
    result = _finish(design, design.generate())
    click.echo(json.dumps(result, indent=2) if as_json else f"written to {design.folder}")


@cli.command()
@_board_options
@click.option("--inputs", type=click.Path(path_type=Path), default=None, help="Inputs, batch first (.npy).")
@click.option("--samples", type=int, default=None, help="How many inputs.  [default: all, or 4 random ones]")
@click.option("--stages", is_flag=True, help="Compare every layer's stream, not only the last.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of inputs and stalls.")
@click.option("--waveform", is_flag=True, help="Write a waveform around the first mismatch.")
@click.option(
    "--simulator", type=click.Choice(("verilator", "icarus")), default="verilator", show_default=True
)
def verify(
    as_json: bool, inputs: Path | None, samples: int | None, stages: bool, seed: int, waveform: bool,
    simulator: str, **options: Any,
) -> None:  # fmt: skip
    """Simulate the Verilog and compare every integer with the golden model."""
    x = _read_inputs(inputs) if inputs else None
    design = _design(as_json, options)
    result = design.verify(
        x, samples=samples, stages=stages, seed=seed, waveform=waveform, simulator=simulator
    )
    _finish(design, result)
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        exact = result["exact"]
        click.echo(
            f"exact: {exact['samples']} inputs, {exact['integers']:,} integers compared, "
            f"{exact['mismatches']} differ ({', '.join(exact['levels'])})"
        )


@cli.command()
@_board_options
@click.option("--seed", type=int, default=1, show_default=True, help="Of placement.")
def build(as_json: bool, seed: int, **options: Any) -> None:
    """Synthesise, place, route, pack: bitstream and report."""
    design = _design(as_json, options)
    result = _finish(design, design.build(seed=seed))
    click.echo(json.dumps(result, indent=2) if as_json else report.render(result))


@cli.command("report")
@click.argument("folder", type=click.Path(path_type=Path))
@JSON
def report_command(folder: Path, as_json: bool) -> None:
    """Print the report of a build folder."""
    result = report.read(folder)
    if not result:
        raise UsageError(
            "no report here", where=str(folder), hint="run `hwgen build` or `hwgen verify` first"
        )
    click.echo(json.dumps(result, indent=2) if as_json else report.render(result))


@cli.command("dataflow")
@MODEL
@click.option("--board", default="icebreaker", show_default=True, help="See `hwgen boards`.")
@RUNTIME
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default=None, help="Folder for table and picture."
)
@JSON
def dataflow_command(model: Path, board: str, runtime: str | None, out: Path | None, as_json: bool) -> None:
    """Cycles, accesses and energy of every dataflow on the board's systolic array."""
    result = dataflow.report(pipeline.load(model, runtime).graph, boards.load(board))
    if out:
        dataflow.write(out, result)
    click.echo(json.dumps(result, indent=2) if as_json else dataflow.render(result), nl=as_json)


@cli.command("boards")
@JSON
def boards_command(as_json: bool) -> None:
    """Boards and what they have."""
    rows = [boards.load(name).as_dict() for name in boards.names()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    has = [", ".join(f"{value:,} {key}" for key, value in row["budget"].items() if value) for row in rows]
    click.echo("\n".join(table([(row["name"], row["title"], what) for row, what in zip(rows, has)])))


@cli.command()
@JSON
def doctor(as_json: bool) -> None:
    """Which tools, which versions, what is missing and how to get it."""
    rows = tools.doctor()
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    found = [("ok", *(str(row[key]) for key in ("tool", "version", "path"))) for row in rows if row["found"]]
    missing = [
        ("missing", str(row["tool"]), f"needed for {row['needed_for']}: {row['how_to_get']}")
        for row in rows
        if not row["found"]
    ]
    click.echo("\n".join([*table(found), *table(missing)]))


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--write-flash", is_flag=True, help="Into the flash, to stay after power-off.")
@click.option("--image-only", is_flag=True, help="Only the systolic engine's program and weights.")
@JSON
def flash(folder: Path, write_flash: bool, image_only: bool, as_json: bool) -> None:
    """Program the board with the bitstream of a build folder, and the systolic engine's program."""
    commands = pipeline.flash(folder, write_flash=write_flash, image_only=image_only)
    click.echo(json.dumps({"programmed": True, "commands": commands}) if as_json else "programmed")


def _design(as_json: bool, options: dict[str, Any]) -> pipeline.Design | SystolicDesign:
    progress = silent if as_json else Console()
    net = pipeline.load(options["model"], options["runtime"])
    return pipeline.compile(
        net, board=options["board"], fps=options["fps"], clock=options["clock"], fill=options["fill"],
        out=options["out"], engine=options["engine"], progress=progress,
    )  # fmt: skip


def _finish(design: pipeline.Design | SystolicDesign, result: dict[str, Any]) -> dict[str, Any]:
    if isinstance(design.progress, Console):
        design.progress.done()
    return result


def _read_inputs(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(
            f"cannot be read: {error}", where=str(path), hint="give a .npy file, batch first"
        ) from error


def main() -> NoReturn:
    """Run the command line; every expected failure is one line on stderr and its own exit status."""
    code = 0
    try:
        cli.main(standalone_mode=False)
    except HwgenError as error:
        _complain(error)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; finished stages are kept", err=True)
        code = 130
    sys.exit(code)


def _complain(error: HwgenError) -> None:
    if isinstance(error, UnsupportedError) and len(error.items) > 1:
        click.echo(
            f"error: {error.where + ': ' if error.where else ''}{len(error.items)} unsupported things",
            err=True,
        )
        for item in error.items:
            click.echo(f"  - {item}", err=True)
        if error.hint:
            click.echo(f"  {error.hint}", err=True)
    else:
        click.echo(f"error: {error}", err=True)


if __name__ == "__main__":
    main()
