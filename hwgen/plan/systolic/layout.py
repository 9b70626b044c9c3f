"""Where a tensor's elements lie: pixel and row distances, a halo of constants around it.

A storage holds pixels row after row. Its halo (what windows see outside the image) is physical; rows may
share it: what lies right of a row is what lies left of the next. Element (y, x, c) of a view is the byte
address + y * row + x * pixel + c. Bytes are the values less `offset`, so that 0..255 become -128..127.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwgen.ir.tensor import Shape
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints

BYTE = Range(-128, 127)


def offset_of(values: Range) -> int | None:
    """What a tensor's bytes are less than its values; None if no byte holds them."""
    if values in BYTE:
        return 0
    return 128 if values - 128 in BYTE else None


@dataclass(eq=False)
class Storage:
    """Pixels of `pixel` bytes, at least `gap` pixels (or the wider halo) between the rows' ends.

    by_rows: the image comes from the input stream in rows of bytes without anything between its pixels.
    value: the byte of the halo. align: bytes of what is written at a time. address: set by memory.allocate.
    first, last: numbers of the nodes between which it is in use.
    """

    name: str
    shape: Shape
    pixel: int
    align: int
    by_rows: bool = False
    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0
    gap: int = 0
    value: int | None = None
    first: int = 0
    last: int = 0
    address: int = 0

    @property
    def row(self) -> int:
        """Bytes from a row to the next."""
        between = max(self.left, self.right, self.gap)
        return _up((self.shape[1] + between) * self.pixel, self.align)

    @property
    def before(self) -> int:
        """Bytes before element (0, 0, 0)."""
        halo = self.left * self.pixel
        return self.top * self.row + (halo if self.by_rows else _up(halo, self.align))

    @property
    def origin(self) -> int:
        """Address of element (0, 0, 0)."""
        return self.address + self.before

    @property
    def size(self) -> int:
        """Bytes, halo included."""
        rows = self.shape[0] - 1 + self.bottom
        last = rows * self.row + (self.shape[1] + self.right) * self.pixel
        return _up(self.before + last, self.align)

    @property
    def halo(self) -> bool:
        """Whether anything around the image is read."""
        return any((self.top, self.bottom, self.left, self.right))

    def widen(self, top: int, bottom: int, left: int, right: int) -> None:
        """Make the halo at least so wide."""
        self.top, self.bottom = max(self.top, top), max(self.bottom, bottom)
        self.left, self.right = max(self.left, left), max(self.right, right)


@dataclass(frozen=True, eq=False)
class View:
    """A tensor in a storage: its pixel (0, 0) is byte `first` and on of the storage's pixel (dy, dx)."""

    storage: Storage
    shape: Shape
    offset: int
    dy: int = 0
    dx: int = 0
    first: int = 0

    @property
    def address(self) -> int:
        """Byte of element (0, 0, 0)."""
        return self.storage.origin + self.dy * self.row + self.dx * self.pixel + self.first

    @property
    def row(self) -> int:
        """Bytes from a row to the next."""
        return self.storage.row

    @property
    def pixel(self) -> int:
        """Bytes from a pixel to the next."""
        return self.storage.pixel

    @property
    def dense(self) -> bool:
        """Whether no bytes lie between its elements."""
        height, width, channels = self.shape
        pixels = self.pixel == channels or height * width == 1
        return pixels and (height == 1 or self.row == width * self.pixel)


@dataclass(frozen=True)
class Place:
    """Where a tensor is complete after `after` instructions of the program; see the module for the rest.

    shape: as it lies there; the tensor's own may be another with the same order of elements.
    """

    after: int
    address: int
    row: int
    pixel: int
    shape: Shape
    offset: int = field(default=0)

    def read(self, memory: NDArray[np.int8]) -> Ints:
        """The tensor (H, W, C) from the bytes of the activation memory."""
        height, width, channels = self.shape
        y, x, c = np.ogrid[:height, :width, :channels]
        return memory[self.address + y * self.row + x * self.pixel + c].astype(np.int64) + self.offset


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
