"""The window that convolutions and pools slide over an image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hwgen.ir.node import IllegalNode
from hwgen.numeric.rounding import Ints


@dataclass(frozen=True)
class Window:
    """kernel (KH, KW), stride (SY, SX), pad (top, bottom, left, right). No dilation: importers
    spread a dilated kernel with zeros, which is the same sum."""

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)

    def output_size(self, size: tuple[int, ...], where: str = "window") -> tuple[int, int]:
        """(height, width) of the output for an input (height, width); IllegalNode if there is none."""
        if min(self.kernel) < 1 or min(self.stride) < 1 or min(self.pad) < 0:
            raise IllegalNode(
                f"{where}: kernel and stride must be positive and padding not negative, not {self}"
            )
        height = (size[0] + self.pad[0] + self.pad[1] - self.kernel[0]) // self.stride[0] + 1
        width = (size[1] + self.pad[2] + self.pad[3] - self.kernel[1]) // self.stride[1] + 1
        if height < 1 or width < 1:
            raise IllegalNode(f"{where}: a {self} leaves nothing of an image of {size[0]}x{size[1]}")
        return height, width

    def padded(self, x: Ints, value: int) -> Ints:
        """x (..., H, W, C) with the border filled with `value`."""
        top, bottom, left, right = self.pad
        widths = [(0, 0)] * (x.ndim - 3) + [(top, bottom), (left, right), (0, 0)]
        return np.pad(x, widths, constant_values=value)

    def taps(self, x: Ints, value: int) -> Iterator[tuple[int, int, Ints]]:
        """(i, j, x seen through tap (i, j) at every output pixel), the border filled with `value`."""
        height, width = self.output_size(x.shape[-3:-1])
        border = self.padded(x, value)
        (sy, sx), (kh, kw) = self.stride, self.kernel
        for i in range(kh):
            for j in range(kw):
                rows = slice(i, i + (height - 1) * sy + 1, sy)
                columns = slice(j, j + (width - 1) * sx + 1, sx)
                yield i, j, border[..., rows, columns, :]

    def __str__(self) -> str:
        text = f"{self.kernel[0]}x{self.kernel[1]} window"
        if self.stride != (1, 1):
            text += f", stride {self.stride[0]}x{self.stride[1]}"
        if any(self.pad):
            text += f", pad {'/'.join(map(str, self.pad))}"
        return text
