"""What the two pools share: a window over blocks of channels, reduced without weights."""

from __future__ import annotations

from math import ceil

from hwgen.hw.window_math import WindowGeometry
from hwgen.ir.tensor import Tensor
from hwgen.layers.folding import Folding, Stage, divisors, fewest_lanes, window_stage
from hwgen.layers.window import Window

LATENCY = 15  # about what window, sum and activation take together


def words(window: Window, x: Tensor) -> int:
    """Clocks of a group; totals of the whole image leave one a clock."""
    return 1 if is_global(window, x) else window.kernel[0] * window.kernel[1]


def geometry(window: Window, x: Tensor, folding: Folding) -> WindowGeometry:
    """What the window does."""
    return WindowGeometry(x.shape, window.kernel, window.stride, window.pad, folding.simd, "depthwise")


def foldings(window: Window, x: Tensor) -> list[Folding]:
    """Every divisor of the channels."""
    clocks = window.kernel[0] * window.kernel[1]
    return [Folding(pe, pe, fewest_lanes(pe, clocks)) for pe in divisors(x.shape[2])]


def interval(window: Window, x: Tensor, folding: Folding) -> int:
    """Clocks per output pixel."""
    shape = geometry(window, x, folding)
    return ceil(shape.cycles / (shape.out_size[0] * shape.out_size[1]))


def work(window: Window, x: Tensor, folding: Folding) -> int:
    """Clocks an inference."""
    return geometry(window, x, folding).cycles


def stage(window: Window, x: Tensor, folding: Folding) -> Stage:
    """Rows of the window, one pixel every interval."""
    words = window.kernel[0] * window.kernel[1]
    return window_stage(geometry(window, x, folding), interval(window, x, folding), 15, words)


def is_global(window: Window, x: Tensor) -> bool:
    """Whether one window covers the whole image: then running totals replace the line buffer."""
    return window.kernel == x.shape[:2] and not any(window.pad)


def global_foldings(x: Tensor) -> list[Folding]:
    """Every divisor of the channels; totals leave one block after the other."""
    return [Folding(lanes, lanes, lanes) for lanes in divisors(x.shape[2])]


def global_interval(x: Tensor, folding: Folding) -> int:
    """Clocks for the one output pixel: every word once; totals leave with the last pixel's words."""
    return x.size // folding.simd


def global_stage(x: Tensor, folding: Folding) -> Stage:
    """One output pixel that wants the whole image; words are taken as they come."""
    pixels = x.shape[0] * x.shape[1]
    blocks = x.shape[2] // folding.simd
    return Stage([pixels - 1], [0], blocks, 15, 2 * pixels)
