"""hwgen run: inputs through a board."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from hwgen import inputs
from hwgen.cli.board import board, line_options
from hwgen.cli.options import FOLDER, JSON, show
from hwgen.device import Device
from hwgen.emit.payloads import Payloads
from hwgen.runtime.classes import Scored, read_labels
from hwgen.support.errors import UsageError
from hwgen.support.files import write_atomic
from hwgen.support.progress import Console, silent
from hwgen.support.table import table

_MOST_CLASSES = 1 << 16  # outputs of more numbers are no classes


@click.command("run")
@FOLDER
@click.argument("files", metavar="INPUT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@line_options
@click.option("--labels", type=click.Path(path_type=Path), default=None, help="Names of classes, one a line.")
@click.option(
    "--top", type=click.IntRange(1, 1000), default=1, show_default=True, help="Best classes to show."
)
@click.option("--scale", type=float, default=None, help="Of a picture's or sound's numbers.")
@click.option("--offset", type=float, default=0.0, show_default=True, help="Added to them after that.")
@click.option("--resize", is_flag=True, help="Scale pictures to the model's size.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=None, help="All outputs, .npy.")
@JSON
def command(
    folder: Path, files: tuple[Path, ...], port: str | None, simulate: bool, baud: float | None,
    labels: Path | None, top: int, scale: float | None, offset: float, resize: bool, output: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Run inputs on the board of a build folder: .npy, .csv, .png, .wav; several are one batch.

    Numbers of pictures and sounds become the model's by scale and offset; without them 0..255 of a pixel is
    -128..127 for int8 and 0..1 for floats, and a sound is -1..1 for floats.
    """
    known = Payloads.of(folder)
    names = read_labels(labels) if labels else None
    wanted = inputs.Wanted(known.entry.shape, np.dtype(known.entry.dtype), scale, offset, resize)
    x, sources = inputs.read_all(files, wanted)
    known.enter(x[:1])  # what the model does not take is told before a board is looked for
    progress = silent if as_json else Console()
    with board(folder, port, simulate, baud, labels=names, progress=progress) as device:
        began = time.monotonic()
        y = device.run(x, progress=progress)
        seconds = time.monotonic() - began
        resent = device.connection.sent_again
    if isinstance(progress, Console):
        progress.done()
    if output is not None:
        _save(output, y)  # before anything else can go wrong
    rows = _rows(device, y, sources, top)
    result = {
        "board": device.identity.board,
        "seconds": round(seconds, 6),
        "sent_again": resent,
        "outputs": [row.as_dict() for row in rows],
    }
    show(as_json, result, "\n".join(table([row.cells() for row in rows])))


@dataclass(frozen=True)
class _Row:
    """An input and what came of it. best: classes, if the output may be of classes."""

    name: str
    y: NDArray
    best: Sequence[Scored]

    def as_dict(self) -> dict[str, Any]:
        best = [{"class": each.index, "label": each.label, "score": each.score} for each in self.best]
        return {"input": self.name, "output": self.y.tolist(), "top": best}

    def cells(self) -> list[str]:
        if not self.best:
            shape = " x ".join(map(str, self.y.shape))
            return [self.name, f"{self.y.dtype} {shape}: {self.y.min():g} .. {self.y.max():g}"]
        return [self.name, *(cell for each in self.best for cell in (each.label, f"{each.score:g}"))]


def _rows(device: Device, y: NDArray, names: Sequence[str], top: int) -> list[_Row]:
    rows = []
    for name, each in zip(names, y):
        best: Sequence[Scored] = ()
        if each.size == 1 and each.dtype.kind in "iu":  # an index: the model has chosen
            index = int(each.reshape(()))
            label = device.labels[index] if 0 <= index < len(device.labels) else str(index)
            best = [Scored(index, label, 1.0)]
        elif 1 < each.size <= _MOST_CLASSES and each.size == max(each.shape):
            best = device.top(each[np.newaxis], top)[0]
        rows.append(_Row(name, each, best))
    return rows


def _save(path: Path, y: NDArray) -> None:
    """The outputs, batch first."""
    data = io.BytesIO()
    np.save(data, y)
    try:
        write_atomic(path, data.getvalue())
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=str(path)) from error
