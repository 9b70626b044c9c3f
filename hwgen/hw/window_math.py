"""Geometry of a sliding window over a stream of pixels: order, cycles, rows needed, buffer depth.

Pure integers, no hardware: the planner asks here what `hwgen.hw.window.WindowBuffer` will do.

The buffer works in *tokens of one input row*. Output row oy of an image H x W x C reads the input rows
    oy*sh - top ... oy*sh - top + KH - 1        (those outside 0..H-1 are padding)
so it may start once `needed[oy]` rows of its image have arrived, and when it has been read the first
`freed[oy + 1]` rows will never be read again. Both follow from the geometry alone, hence no search and
no comparison of addresses is left for run time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from itertools import accumulate
from typing import Literal

Order = Literal["dense", "depthwise"]

READABLE_AFTER = 3  # clocks from a row's last word being stored to the first word of a window that reads it
WRITABLE_AFTER = 2  # clocks from a row's last word being read to the first word that overwrites it


@dataclass(frozen=True)
class WindowGeometry:
    """A window of `kernel` sliding over an image of `shape`, read `lanes` channels a clock.

    shape: (H, W, C). kernel: (KH, KW). stride: (sh, sw). pad: (top, bottom, left, right).
    lanes: channels a word, divides C. order: words of a group run over kh, kw, c ("dense": one group
    is a whole window) or over kh, kw of one block of channels ("depthwise": C/lanes groups a window).
    repeat: how often each dense window is read (once per fold of the output channels).
    """

    shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    lanes: int = 1
    order: Order = "dense"
    repeat: int = 1

    def __post_init__(self) -> None:
        for name, size in (("shape", 3), ("kernel", 2), ("stride", 2), ("pad", 4)):
            value = tuple(int(v) for v in getattr(self, name))
            least = 0 if name == "pad" else 1
            if len(value) != size or min(value) < least:
                raise ValueError(f"window: {name} must be {size} integers of at least {least}, not {value}")
            object.__setattr__(self, name, value)
        if self.lanes < 1 or self.shape[2] % self.lanes:
            raise ValueError(f"window: lanes must divide the {self.shape[2]} channels, not {self.lanes}")
        if self.order not in ("dense", "depthwise"):
            raise ValueError(f"window: order must be dense or depthwise, not {self.order!r}")
        if self.repeat < 1 or (self.order == "depthwise" and self.repeat != 1):
            raise ValueError(f"window: repeat must be 1 (depthwise) or at least 1 (dense), not {self.repeat}")
        for axis in (0, 1):
            if self._padded[axis] < self.kernel[axis]:
                raise ValueError(
                    f"window: kernel {self.kernel} is larger than the padded image {self._padded}"
                )

    @property
    def _padded(self) -> tuple[int, int]:
        top, bottom, left, right = self.pad
        return self.shape[0] + top + bottom, self.shape[1] + left + right

    @property
    def out_size(self) -> tuple[int, int]:
        """Windows a column and a row: (OH, OW)."""
        height, width = ((self._padded[a] - self.kernel[a]) // self.stride[a] + 1 for a in (0, 1))
        return height, width

    @property
    def blocks(self) -> int:
        """Words a pixel."""
        return self.shape[2] // self.lanes

    @property
    def row_words(self) -> int:
        """Words of an input row."""
        return self.shape[1] * self.blocks

    @property
    def words_in(self) -> int:
        """Words of an input image."""
        return self.shape[0] * self.row_words

    @property
    def group_words(self) -> int:
        """Words of a group: the consumer's accumulation length."""
        taps = self.kernel[0] * self.kernel[1]
        return taps * self.blocks if self.order == "dense" else taps

    @property
    def groups_per_pixel(self) -> int:
        """Groups at one output pixel."""
        return self.repeat if self.order == "dense" else self.blocks

    @property
    def groups_per_row(self) -> int:
        """Groups of one output row."""
        return self.out_size[1] * self.groups_per_pixel

    @property
    def words_out(self) -> int:
        """Words issued an image, one a clock."""
        return self.out_size[0] * self.groups_per_row * self.group_words

    @property
    def cycles(self) -> int:
        """Initiation interval: clocks an image where neither producer nor consumer holds the unit up."""
        return max(self.words_in, self.words_out)

    @property
    def padded(self) -> tuple[bool, bool]:
        """Whether any window reaches outside the image, vertically and horizontally."""
        reach = []
        for axis, before in ((0, self.pad[0]), (1, self.pad[2])):
            end = (self.out_size[axis] - 1) * self.stride[axis] + self.kernel[axis] - before
            reach.append(before > 0 or end > self.shape[axis])
        return reach[0], reach[1]

    @property
    def pointwise(self) -> bool:
        """Kernel 1x1, stride 1, no padding: every pixel is one window."""
        return self.kernel == (1, 1) and self.stride == (1, 1) and not any(self.pad)

    def folded(self) -> WindowGeometry:
        """The same word sequence with the shortest rows, so that tokens are fine and buffers small.

        A pointwise window sees H*W rows of one pixel; an image of one row is turned on its side.
        """
        height, width, channels = self.shape
        if self.pointwise:
            return replace(self, shape=(height * width, 1, channels))
        if height == 1 and self.kernel[0] == 1 and not any(self.pad[:2]):
            (_, kw), (_, sw), (_, _, left, right) = self.kernel, self.stride, self.pad
            return replace(
                self, shape=(width, 1, channels), kernel=(kw, 1), stride=(sw, 1), pad=(left, right, 0, 0)
            )
        return self

    def needed_pixel(self, oy: int, ox: int) -> tuple[int, int] | None:
        """Last input pixel (y, x) that window (oy, ox) reads; None if all of it is padding."""
        spans = []
        for axis, (place, before) in enumerate(((oy, self.pad[0]), (ox, self.pad[2]))):
            low = place * self.stride[axis] - before
            last = min(low + self.kernel[axis], self.shape[axis]) - 1
            if last < max(low, 0):
                return None
            spans.append(last)
        return spans[0], spans[1]

    @cached_property
    def needed(self) -> tuple[int, ...]:
        """Input rows of the image that must have arrived before output row oy starts (never falls)."""
        rows, most = [], 0
        for oy in range(self.out_size[0]):
            low = oy * self.stride[0] - self.pad[0]
            last = min(low + self.kernel[0], self.shape[0])
            most = max(most, last if last > max(low, 0) else 0)
            rows.append(most)
        return tuple(rows)

    @cached_property
    def freed(self) -> tuple[int, ...]:
        """Input rows of the image that output row oy and all later ones no longer read; OH + 1 entries."""
        height, starts = self.shape[0], range(self.out_size[0])
        return (*(min(max(oy * self.stride[0] - self.pad[0], 0), height) for oy in starts), height)

    @cached_property
    def grants(self) -> tuple[int, ...]:
        """Output rows that become readable with the arrival of input row y (of a steady stream of images).

        The last row also grants the next image's rows that read nothing but padding.
        """
        counts = [0] * self.shape[0]
        for need in self.needed:
            counts[need - 1] += 1
        return tuple(counts)

    @property
    def granted_at_start(self) -> int:
        """Output rows of the first image that need no input at all."""
        return sum(need == 0 for need in self.needed)

    @property
    def least_rows(self) -> int:
        """Rows below which the buffer would dead-lock."""
        return max(1, max(need - free for need, free in zip(self.needed, self.freed)))

    def interval(self, rows: int) -> Fraction:
        """Steady clocks an image with a buffer of `rows` rows and a producer of exactly the unit's own pace.

        The producer delivers a word every cycles/words_in clocks and never catches up, so any time for
        which the full buffer holds it shows here. (Times below are in clocks/H, to stay in integers.)
        """
        height, count = self.shape[0], self.out_size[0]
        images = 4 * (1 + -(-rows // height))  # the first images only fill the buffer
        row_time, read_time = self.cycles, self.words_out // count * height
        readable, writable = READABLE_AFTER * height, WRITABLE_AFTER * height
        arrived: list[int] = []  # when each input row, counted over all images, has come in
        free_at = [0] * rows  # when its place in the buffer is free
        clock = done = 0
        ends = []
        for first in range(0, images * height, height):
            for oy in range(count):
                need = first + self.needed[oy]
                while len(arrived) < need:
                    clock = max(clock, free_at[len(arrived)]) + row_time
                    arrived.append(clock)
                done = max(done, arrived[need - 1] + readable if need else 0) + read_time
                free_at += [done + writable] * (self.freed[oy + 1] - self.freed[oy])
            ends.append(done)
        half = images // 2
        return Fraction(ends[-1] - ends[half - 1], (images - half) * height)

    @cached_property
    def rows(self) -> int:
        """Fewest rows of buffer that let the unit run at its full pace (see `interval`)."""
        if self.pointwise and self.shape[1] == 1:
            if self.repeat == 1:
                return 0
            # A pixel is a few words, which wait in the producer's queue: they come in one burst.
            reading = self.repeat * self.blocks
            return -(-(self.blocks + READABLE_AFTER + reading + WRITABLE_AFTER) // reading)
        return _full_pace(self)

    @property
    def depth(self) -> int:
        """Words of buffer: `rows` rounded up to a power of two (addresses then wrap by themselves)."""
        words = self.rows * self.row_words
        return 1 << max(1, (words - 1).bit_length()) if words else 0

    @property
    def slots(self) -> int:
        """Whole rows that fit `depth`."""
        return self.depth // self.row_words

    @property
    def max_rows_ready(self) -> int:
        """Most output rows that can be readable and not yet begun, with all slots filled."""
        images = self.slots // self.shape[0] + 2
        granted = list(accumulate(self.grants * images, initial=self.granted_at_start))
        return max(granted[self.slots + self.freed[oy]] - oy for oy in range(self.out_size[0]))

    @property
    def max_rows_free(self) -> int:
        """Most slots that can be free; more than `slots` where rows are skipped before they arrive."""
        return self.slots + max(0, *(free - need for need, free in zip(self.needed, self.freed[1:])))


@cache
def _full_pace(geometry: WindowGeometry) -> int:
    """Fewest rows without a loss of pace; planners ask again and again for equal geometries."""
    rows = geometry.least_rows
    while geometry.interval(rows) > geometry.cycles:
        rows += 1
    return rows


def window_depth(
    shape: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int] = (1, 1),
    pad: Sequence[int] = (0, 0, 0, 0),
    lanes: int = 1,
    order: Order = "dense",
    repeat: int = 1,
) -> int:
    """Words of memory that a WindowBuffer of this geometry holds; 0 where none is needed."""
    h, w, c = shape
    geometry = WindowGeometry(
        (h, w, c), (kernel[0], kernel[1]), (stride[0], stride[1]),
        (pad[0], pad[1], pad[2], pad[3]), lanes, order, repeat,
    )  # fmt: skip
    return geometry.folded().depth
