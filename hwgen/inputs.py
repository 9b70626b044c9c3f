"""Files as a model's input: arrays, pictures, sounds, tables; batch first, in the model's own type and shape.

    .npy   an array: one input, or a batch of them
    .png   a picture (other formats that Pillow reads, too), a pixel's numbers from 0 to 255
    .wav   PCM of 8 or 16 bits, a sample's number from -32768 to 32767
    .csv   a row of numbers for each input, or one input in as many rows as it likes

Numbers of an array and of a table are the model's own. Those of a picture or a sound become them by
value = number * scale + offset, rounded to integers where the model takes integers. Without a scale: of a
picture 0..255 for uint8, -128..127 for int8, 0..1 for floats; of a sound the upper bits for an integer type
of 8 bits, the number itself for a longer one, -1..1 for floats.
"""

from __future__ import annotations

import csv
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwgen.support.errors import UsageError

_LARGEST = 1 << 28  # elements: a file that claims more is a mistake
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


@dataclass(frozen=True)
class Wanted:
    """What the model takes: shape and type of one input. scale, offset: see the module.

    resize: a picture of another size is scaled to the model's.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    scale: float | None = None
    offset: float = 0.0
    resize: bool = False


def read(path: Path, wanted: Wanted) -> NDArray:
    """(N, *shape). UsageError, one line: what is wrong with the file, and what the model takes."""
    suffix = path.suffix.lower()
    reader = _READERS.get(suffix) or (_picture if suffix in _PICTURES else None)
    if reader is None:
        kinds = ", ".join([*_READERS, *_PICTURES])
        raise UsageError(
            f"{suffix or 'no suffix'} is no kind of input", where=str(path), hint=f"give {kinds}"
        )
    try:
        values = reader(path, wanted)
    except UsageError:
        raise
    except (OSError, ValueError, EOFError, MemoryError, wave.Error, csv.Error) as error:
        raise UsageError(f"cannot be read: {error}", where=str(path)) from error
    return _typed(_shaped(values, wanted.shape, path), wanted.dtype, path)


def read_all(paths: Sequence[Path], wanted: Wanted) -> tuple[NDArray, list[str]]:
    """All files as one batch, and a name for each input of it."""
    batches = [read(path, wanted) for path in paths]
    names = [
        path.name if len(batch) == 1 else f"{path.name}[{at}]"
        for path, batch in zip(paths, batches)
        for at in range(len(batch))
    ]
    return np.concatenate(batches), names


def _array(path: Path, wanted: Wanted) -> NDArray:
    values = np.load(path, allow_pickle=False)
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iufb":
        raise UsageError("holds no array of numbers", where=str(path))
    return values


def _table(path: Path, wanted: Wanted) -> NDArray:
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = [[cell.strip() for cell in row if cell.strip()] for row in csv.reader(file)]
    rows = [row for row in rows if row]
    size = prod(wanted.shape)
    cells = [cell for row in rows for cell in row]
    if len(cells) > _LARGEST:
        raise UsageError(f"{len(cells)} numbers are too many", where=str(path))
    if any(len(row) != size for row in rows) and len(cells) != size:
        lengths = sorted({len(row) for row in rows})
        raise UsageError(
            f"rows of {', '.join(map(str, lengths[:4]))} numbers; the model takes {size}", where=str(path)
        )
    try:
        values = np.array([int(cell) for cell in cells], dtype=np.int64)
    except (ValueError, OverflowError):
        values = np.array([float(cell) for cell in cells])
    return values.reshape(-1, *wanted.shape)


def _sound(path: Path, wanted: Wanted) -> NDArray:
    with wave.open(str(path), "rb") as file:
        channels, width = file.getnchannels(), file.getsampwidth()
        data = file.readframes(min(file.getnframes(), _LARGEST))
    if width not in (1, 2):
        raise UsageError(f"samples of {8 * width} bits", where=str(path), hint="give PCM of 8 or 16 bits")
    if width == 1:
        numbers = (np.frombuffer(data, dtype=np.uint8).astype(np.int64) - 128) << 8
    else:
        numbers = np.frombuffer(data, dtype="<i2").astype(np.int64)
    if wanted.scale is None and wanted.dtype.kind != "f":
        bits = 8 * wanted.dtype.itemsize
        values: NDArray = (numbers >> max(0, 16 - bits)) + (1 << bits - 1 if wanted.dtype.kind == "u" else 0)
    else:
        values = _scaled(numbers, wanted, 1 / 32768)
    return values.reshape(1, -1, channels) if channels > 1 else values.reshape(1, -1)


def _picture(path: Path, wanted: Wanted) -> NDArray:
    from PIL import Image, UnidentifiedImageError  # not at the top: few commands need it

    height, width, channels, first = _picture_shape(wanted.shape, path)
    modes = {1: "L", 3: "RGB", 4: "RGBA"}
    try:
        with Image.open(path) as file:
            if file.width * file.height > _LARGEST:
                raise UsageError(f"{file.width} x {file.height} pixels are too many", where=str(path))
            if file.mode[0] in "IF":  # Pillow would cut them off at 255
                raise UsageError("pixels of more than 8 bits", where=str(path), hint="save it with 8 bits")
            picture = file.convert(modes[channels])
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as error:
        raise UsageError(f"cannot be read: {error}", where=str(path)) from error
    if picture.size != (width, height):
        if not wanted.resize:
            raise UsageError(
                f"{picture.width} x {picture.height} pixels; the model takes {width} x {height}",
                where=str(path), hint="give --resize to scale it",
            )  # fmt: skip
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    numbers = np.asarray(picture, dtype=np.int64).reshape(height, width, channels)
    if first:
        numbers = numbers.transpose(2, 0, 1)
    if wanted.scale is None and wanted.dtype.kind != "f":
        values: NDArray = numbers - (128 if wanted.dtype == np.int8 else 0)
    else:
        values = _scaled(numbers, wanted, 1 / 255)
    return values.reshape(1, *wanted.shape)


def _picture_shape(shape: tuple[int, ...], path: Path) -> tuple[int, int, int, bool]:
    """Height, width, channels, and whether channels come first, of a model's input."""
    match shape:
        case (height, width):
            return height, width, 1, False
        case (height, width, 1 | 3 | 4 as channels):
            return height, width, channels, False
        case (1 | 3 | 4 as channels, height, width):
            return height, width, channels, True
        case (size,) if round(size**0.5) ** 2 == size:
            return round(size**0.5), round(size**0.5), 1, False
    raise UsageError(f"a picture is no input of the shape {_text(shape)}", where=str(path))


def _scaled(numbers: NDArray, wanted: Wanted, usual: float) -> NDArray:
    scale = usual if wanted.scale is None else wanted.scale
    values = numbers * scale + wanted.offset
    return values if wanted.dtype.kind == "f" else np.rint(values).astype(np.int64)


def _shaped(values: NDArray, shape: tuple[int, ...], path: Path) -> NDArray:
    """As a batch."""
    size = prod(shape)
    if values.shape == shape:
        return values[None]
    if values.ndim >= 1 and values.shape[1:] == shape:
        batch = values
    elif values.ndim == 2 and values.shape[1] == size:  # rows of flat inputs
        batch = values.reshape(-1, *shape)
    else:
        raise UsageError(f"the shape {_text(values.shape)}; the model takes {_text(shape)}", where=str(path))
    if not len(batch):
        raise UsageError("no inputs", where=str(path))
    return batch


def _typed(values: NDArray, dtype: np.dtype, path: Path) -> NDArray:
    """In the model's type, if that loses nothing but a float's last bits."""
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            typed = values.astype(dtype)
        if not np.all(np.isfinite(typed)):
            raise UsageError("values that are not finite", where=str(path))
        return typed
    if values.dtype.kind == "f":
        raise UsageError(f"{values.dtype} numbers; the model takes {dtype}", where=str(path))
    limits = np.iinfo(dtype) if dtype.kind in "iu" else None
    if limits is not None and (int(values.min()) < limits.min or int(values.max()) > limits.max):
        raise UsageError(f"values {values.min()}..{values.max()}; the model takes {dtype}", where=str(path))
    return values.astype(dtype)


def _text(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) if shape else "of one number"


_READERS: dict[str, Callable[[Path, Wanted], NDArray]] = {".npy": _array, ".csv": _table, ".wav": _sound}
