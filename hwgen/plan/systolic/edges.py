"""The network's edge: inputs into memory, outputs out of it."""

from __future__ import annotations

from hwgen.plan.systolic.job import TooMuch
from hwgen.plan.systolic.layout import Place, Storage, View
from hwgen.plan.systolic.tiling import LONGEST
from hwgen.program.array import GRANULE, Array
from hwgen.program.instructions import Give, Take, deltas


def take(storage: Storage, channels: int, array: Array) -> list[Take]:
    """Instructions that bring an image. TooMuch where its loops are too long."""
    height, width, channels = storage.shape
    step = array.columns // GRANULE
    if storage.by_rows:
        lead = storage.left * storage.pixel
        words = storage.row // array.columns
        moves = deltas((words, height), (step, storage.row // GRANULE))
        trail = storage.row - lead - width * channels
        return [
            Take(
                o=(storage.origin - lead) // GRANULE, d0_count=words, d0_delta=moves[0],
                d1_count=height, d1_delta=moves[1], lead=lead, take=width * channels, trail=trail,
                fill=(storage.value or 0) % 256,
            )
        ]  # fmt: skip
    words, gap = width * storage.pixel // array.columns, storage.row
    if height == 1 or storage.row == width * storage.pixel:
        words, height = _even(words * height)
        gap = words * array.columns
    if max(words, height) > LONGEST or storage.pixel - channels > 255:
        raise TooMuch(f"an input of {storage.shape}: {height} rows of {words} words, at most {LONGEST} each")
    moves = deltas((words, height), (step, gap // GRANULE))
    return [
        Take(
            o=storage.origin // GRANULE, d0_count=words, d0_delta=moves[0], d1_count=height,
            d1_delta=moves[1], take=channels, trail=storage.pixel - channels,
        )
    ]  # fmt: skip


def give(view: View | Place, array: Array) -> list[Give]:
    """Instructions that give a tensor out, elements in their order. TooMuch where its loops are too long."""
    height, width, channels = view.shape
    step = array.columns // GRANULE
    words = -(-channels // array.columns)
    if view.address % GRANULE or (width > 1 and view.pixel % GRANULE) or (height > 1 and view.row % GRANULE):
        raise TooMuch("an output that does not lie on granules")
    if view.pixel == channels == words * array.columns and max(width * words, height) <= LONGEST:
        moves = deltas((width * words, height), (step, view.row // GRANULE))
        return [
            Give(
                x=view.address // GRANULE, n0_count=width * words, n0_delta=moves[0], n1_count=height,
                n1_delta=moves[1], take=width * channels,
            )
        ]  # fmt: skip
    result = []
    for y in range(height):
        first = view.address + y * view.row
        if words > LONGEST:
            for x in range(width):
                for start in range(0, words, LONGEST):
                    count = min(LONGEST, words - start)
                    size = min(channels - start * array.columns, count * array.columns)
                    at = (first + x * view.pixel + start * array.columns) // GRANULE
                    result.append(Give(x=at, n0_count=count, n0_delta=step, take=size))
            continue
        if width > LONGEST:
            raise TooMuch(f"an output of {width} pixels a row, at most {LONGEST} are possible")
        moves = deltas((words, width), (step, view.pixel // GRANULE))
        result.append(
            Give(
                x=first // GRANULE, n0_count=words, n0_delta=moves[0], n1_count=width, n1_delta=moves[1],
                take=channels,
            )
        )  # fmt: skip
    return result


def _even(words: int) -> tuple[int, int]:
    """words as a product of two loops."""
    inner = next(n for n in range(min(words, LONGEST), 0, -1) if words % n == 0)
    return inner, words // inner
