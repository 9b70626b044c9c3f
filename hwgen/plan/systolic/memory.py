"""Activation memory: which bytes are whose, when, and where constants of halos have to be written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwgen.numeric.rounding import Ints
from hwgen.plan.systolic.layout import Storage
from hwgen.plan.systolic.tiling import LONGEST
from hwgen.program.array import GRANULE, Array
from hwgen.program.instructions import Fill, Run, Take, deltas
from hwgen.program.loops import addresses, offsets

UNKNOWN = 999


def allocate(storages: Sequence[Storage], array: Array) -> int | None:
    """Give every storage an address such that those in use at the same time do not overlap.

    The lowest free place, in three orders of storages: the order that fits with the most halos reused wins.
    Returns None, or the bytes that the best order would need. Words read beyond a storage end in memory.
    """
    room = array.activation_bytes - array.rows
    orders = (
        sorted(storages, key=lambda s: s.first),
        sorted(storages, key=lambda s: (-s.size, s.first)),
        sorted(storages, key=lambda s: (-s.size * (s.last - s.first + 1), s.first)),
    )
    best: tuple[tuple[bool, int, int], list[int]] | None = None
    for order in orders:
        placed: list[Storage] = []
        for storage in order:
            storage.address = _lowest(storage, placed)
            placed.append(storage)
        peak = max(each.address + each.size for each in storages)
        key = (peak > room, _changes(storages) if peak <= room else 0, peak)
        if best is None or key < best[0]:
            best = key, [each.address for each in storages]
    assert best is not None
    for storage, address in zip(storages, best[1], strict=True):
        storage.address = address
    return best[0][2] if best[0][0] else None


def _lowest(storage: Storage, placed: Sequence[Storage]) -> int:
    """The first address where it meets none of those in use at the same time."""
    met = [each for each in placed if each.first <= storage.last and storage.first <= each.last]
    address = 0
    for each in sorted(met, key=lambda s: s.address):
        if each.address < address + storage.size and address < each.address + each.size:
            address = each.address + each.size
    return address


def _changes(storages: Sequence[Storage]) -> int:
    """How many halos differ in place or form from all before."""
    forms = {
        (s.address, s.shape[:2], s.row, s.pixel, s.top, s.left, s.bottom, s.right, s.value)
        for s in storages
        if s.halo
    }
    return len(forms)


class Halos:
    """What is known of every byte while the program is written down, and the Fills that are still needed."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.known: Ints = np.full(array.activation_bytes, UNKNOWN, dtype=np.int64)

    def ran(self, run: Run) -> None:
        """A Run has written its outputs."""
        stores = offsets(
            (run.d0_count, run.d1_count, run.b_count, run.t_count),
            (run.d0_delta, run.d1_delta, run.ob_delta, run.ot_delta),
        )
        self._written((run.o + stores.ravel()) % (1 << 16), UNKNOWN)

    def took(self, take: Take) -> None:
        """A Take has written fill bytes and bytes of the input."""
        at = addresses(take.o, (take.d0_count, take.d1_count), (take.d0_delta, take.d1_delta))
        place = np.arange(len(at) * self.array.columns) % (take.lead + take.take + take.trail)
        data = (place >= take.lead) & (place < take.lead + take.take)
        self._written(at, np.where(data, UNKNOWN, _byte(take.fill)).reshape(len(at), -1))

    def fills(self, storage: Storage) -> list[Fill]:
        """Instructions that write what is not there of the halo's constants (and notes them as written)."""
        if not storage.halo or storage.value is None:
            return []
        if np.all(self.known[self._halo(storage)] == storage.value):
            return []
        value, columns = storage.value % 256, self.array.columns
        height, width, _ = storage.shape
        lead = storage.left * storage.pixel if storage.by_rows else 0
        begin = storage.origin - lead
        finish = begin + (height * storage.row if storage.by_rows else 0)
        if not storage.by_rows:
            finish = begin + (height - 1) * storage.row + width * storage.pixel
        spans = [(storage.address, begin), (finish, storage.address + storage.size)]
        spans = [(a // GRANULE, (b - a) // columns) for a, b in spans if b > a]
        step = columns // GRANULE
        result: list[Fill] = []
        if len(spans) == 2 and spans[0][1] == spans[1][1] <= LONGEST:
            counts = (spans[0][1], 2)
            d = deltas(counts, (step, spans[1][0] - spans[0][0]))
            result.append(_fill(spans[0][0], counts, d, value))
        else:
            for first, words in spans:
                for start in range(0, words, LONGEST):
                    counts = (min(LONGEST, words - start), 1)
                    result.append(_fill(first + start * step, counts, (step, 0), value))
        between = (storage.row - width * storage.pixel) // columns
        if not storage.by_rows and height > 1 and between and max(storage.left, storage.right):
            first = (storage.origin + width * storage.pixel) // GRANULE
            d = deltas((between, height - 1), (step, storage.row // GRANULE))
            result.append(_fill(first, (between, height - 1), d, value))
        for fill in result:
            at = addresses(fill.o, (fill.d0_count, fill.d1_count), (fill.d0_delta, fill.d1_delta))
            self._written(at, storage.value)
        return result

    def _written(self, at: Ints, value: int | Ints) -> None:
        self.known[GRANULE * at[:, None] + np.arange(self.array.columns)] = value

    def _halo(self, storage: Storage) -> Ints:
        """Bytes around the image."""
        height, width, _ = storage.shape
        lines = range(-storage.top, height + storage.bottom)
        marked = np.zeros((len(lines), storage.left + width + storage.right), dtype=bool)
        marked[:] = True
        inside = slice(storage.top, storage.top + height)
        marked[inside, storage.left : storage.left + width] = False
        y, x = np.nonzero(marked)
        first = storage.origin + (y - storage.top) * storage.row + (x - storage.left) * storage.pixel
        return (first[:, None] + np.arange(storage.pixel)).ravel()


def _fill(first: int, counts: tuple[int, int], moves: Sequence[int], value: int) -> Fill:
    return Fill(
        o=first, d0_count=counts[0], d0_delta=moves[0], d1_count=counts[1], d1_delta=moves[1], value=value
    )


def _byte(value: int) -> int:
    return (value + 128) % 256 - 128
