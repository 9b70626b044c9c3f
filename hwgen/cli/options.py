"""Options and steps that commands share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hwgen import pipeline
from hwgen.design import Design
from hwgen.flow.board import AUTO
from hwgen.frontend.load import RUNTIMES
from hwgen.runtime.link import BAUD
from hwgen.support.progress import Console, silent

MODEL = click.argument("model", type=click.Path(path_type=Path))
FOLDER = click.argument("folder", type=click.Path(path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
OUT = click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Build folder.")
RUNTIME = click.option(
    "--runtime", type=click.Choice(RUNTIMES), default=None, help="Whose arithmetic to be exact to."
)


class _Clock(click.ParamType):
    """A number, or "auto"."""

    name = "float|auto"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | str | None:
        return AUTO if value == AUTO else click.FLOAT.convert(value, param, ctx)


_BOARD_OPTIONS = (
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
    click.option(
        "--clock",
        type=_Clock(),
        default=None,
        help="Clock in MHz, or auto: the fastest that timing allows.  [default: the chip family's]",
    ),
    click.option(
        "--fill", type=float, default=None, help="Share of the LUTs to use.  [default: the chip family's]"
    ),
    click.option("--baud", type=float, default=BAUD, show_default=True, help="Of the board's serial link."),
    click.option(
        "--patchable", is_flag=True, help="So that `hwgen patch` puts other weights into the bitstream."
    ),
    click.option("--profile", is_flag=True, help="With the counters that `hwgen profile` reads."),
    RUNTIME,
    OUT,
    JSON,
)


def board_options(command: Any) -> Any:
    """What names a design: model, board, engine, speed, folder."""
    for option in _BOARD_OPTIONS:
        command = option(command)
    return MODEL(command)


def design(as_json: bool, options: dict[str, Any]) -> Design:
    """The design that `board_options` name."""
    chosen = dict(options)
    net = pipeline.load(chosen.pop("model"), chosen.pop("runtime"))
    return pipeline.compile(net, progress=silent if as_json else Console(), **chosen)


def finished(design: Design, result: dict[str, Any]) -> dict[str, Any]:
    """`result`, after the last line of progress."""
    if isinstance(design.progress, Console):
        design.progress.done()
    return result


def show(as_json: bool, result: Any, text: str) -> None:
    """`result` as JSON, or `text`."""
    click.echo(json.dumps(result, indent=2) if as_json else text)
