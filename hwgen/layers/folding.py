"""How a layer is spread over hardware and time, and what every layer's `estimate.py` answers.

A plug-in ``layers/<kind>/estimate.py`` has the functions

    foldings(node, inputs)                  -> list[Folding]   all that make sense, without a product form
    products(node, folding, target)         -> list[str]       product forms to choose from ("" if none)
    multipliers(node, inputs, folding)      -> int             products a clock (layers with weights)
    interval(node, inputs, folding)         -> int             clocks per output pixel, rounded up
    work(node, inputs, folding)             -> int             clocks of an inference, where interval rounds
    cost(node, inputs, folding, target)     -> Resources       of the layer's unit
    stage(node, inputs, folding)            -> Stage           its part in the token schedule

and ``layers/<kind>/hw.py`` has ``build(node, inputs, folding, target) -> wiring.Component`` with stream
ports `i` (or `a` and `b`) and `o`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from hwgen.hw.layer import QUEUED_GROUPS
from hwgen.hw.ram import block_count, cheapest_form
from hwgen.hw.window_math import WindowGeometry
from hwgen.targets import Target
from hwgen.targets.resources import Resources


@dataclass(frozen=True)
class Folding:
    """simd: input channels a clock. pe: output channels computed at a time. lanes: output channels a
    clock on the stream. product: form of the multipliers (see hw/mvu.py), "" where there are none."""

    simd: int = 1
    pe: int = 1
    lanes: int = 1
    product: str = ""

    def __str__(self) -> str:
        text = f"simd {self.simd}, pe {self.pe}, {self.lanes} out a clock"
        return f"{text}, {self.product} products" if self.product else text


@dataclass(frozen=True)
class Stage:
    """A unit in the token schedule (plan/schedule.py): tokens are pixels.

    needed[p], first[p]: last input pixel that output pixel p looks at, first one still wanted.
    interval: clocks per output pixel; latency: from its work's end to the stream. capacity: input
    pixels it holds; None for a join. queue: output pixels it holds, begun ones included.
    """

    needed: list[int]
    first: list[int]
    interval: int
    latency: int
    capacity: int | None
    queue: int = 0


def divisors(n: int) -> list[int]:
    """All of them, in order."""
    return [d for d in range(1, n + 1) if n % d == 0]


def fewest_lanes(pe: int, words: int) -> int:
    """Smallest divisor of pe that drains pe results within a group of `words` clocks."""
    return next(d for d in divisors(pe) if pe // d <= words)


def window_stage(geometry: WindowGeometry, interval: int, latency: int, words: int) -> Stage:
    """Stage of a LayerUnit: a window that works in whole rows of its (folded) image, groups of `words` clocks
    that take `latency` through the pipeline, and a queue for those under way and a few more."""
    folded = geometry.folded()
    width, (rows, columns) = folded.shape[1], folded.out_size
    needed = [max(folded.needed[y] * width - 1, 0) for y in range(rows) for _ in range(columns)]
    first = [folded.freed[y] * width for y in range(rows) for _ in range(columns)]
    # without a buffer words pass through while their pixel still arrives: the source is one pixel ahead
    capacity = max(folded.slots * width, 1) if folded.depth else 2
    queue = (QUEUED_GROUPS + latency // words) * words // interval
    return Stage(needed, first, interval, latency, capacity, queue)


def window_cost(geometry: WindowGeometry, width: int, target: Target) -> Resources:
    """Line buffer, address generation and padding for words of `width` bits a lane.

    Measured in tests/synth/test_stream_cost.py: the counters are much the same for any image.
    """
    folded = geometry.folded()
    bits, depth = width * folded.lanes, folded.depth
    if not depth:
        return Resources(lut4=7, ff=bits + 10)
    padded = sum(folded.padded)
    lut4 = 45 if folded.pointwise else 130 + 12 * padded
    ff = (45 if folded.pointwise else 90) + (bits if padded else 0)
    if cheapest_form(bits, depth, target) == "block":
        return Resources(lut4=lut4, ff=ff, bram=block_count(bits, depth, target))
    return Resources(lut4=lut4, ff=ff + bits) + target.small_ram(bits, depth)


def drain_cost(
    pe: int, lanes: int, acc_width: int, out_width: int, *, words: int, latency: int, target: Target
) -> Resources:
    """Serializer of pe accumulators and the queue behind the activation, as `hwgen.hw.layer` sizes it.

    words: clocks of a group. latency: about how many clocks a group is on its way.
    """
    shift = pe * acc_width if pe > lanes else 0
    groups = ceil(latency / words) + 3
    places = 1 << max(1, (pe // lanes * groups - 1).bit_length())
    total = Resources(lut4=shift + 30, ff=shift + 30 + lanes * (acc_width + out_width))
    return total + target.small_ram(lanes * out_width, places)
