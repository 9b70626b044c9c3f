"""Integers to stream words and back: the file formats of stream_source.v and stream_monitor.v.

A *port* is an entry of manifest.json's `ports` or `taps`: `shape` [H, W, C], `lanes`, `width`, `signed`.
Runs inside the simulator and on its own; needs NumPy only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Port = dict[str, Any]
_CHUNK = 1 << 22  # bits unpacked at a time


def beats(port: Port) -> int:
    """Words of one sample."""
    height, width, channels = port["shape"]
    return height * width * channels // port["lanes"]


def pack(port: Port, tensor: NDArray) -> bytes:
    """Samples (N, H, W, C) as the contents of an `.in` file: big-endian whole bytes a word."""
    width, lanes = port["width"], port["lanes"]
    words = np.ascontiguousarray(tensor, dtype=np.int64).reshape(-1, lanes)
    size = (lanes * width + 7) // 8
    result = np.zeros((len(words), size * 8), dtype=np.uint8)
    shifts = np.arange(width, dtype=np.int64)
    step = max(1, _CHUNK // (lanes * width))
    for start in range(0, len(words), step):
        bits = (words[start : start + step, :, None] >> shifts) & 1
        result[start : start + step, : lanes * width] = bits.reshape(len(bits), -1)
    return np.packbits(result, axis=1, bitorder="little")[:, ::-1].tobytes()


def record_bytes(port: Port) -> int:
    """Length of one record in a `.rec` file: the payload in 32-bit words, then the clock cycle."""
    return 4 * ((port["lanes"] * port["width"] + 31) // 32 + 1)


def unpack(port: Port, data: bytes) -> tuple[NDArray, NDArray]:
    """Records as (values (words, lanes) int64, clock cycles (words,) int64)."""
    width, lanes = port["width"], port["lanes"]
    rows = np.frombuffer(data, dtype=np.uint8).reshape(-1, record_bytes(port))
    cycles = rows[:, -4:].copy().view("<u4")[:, 0].astype(np.int64)
    weights = np.int64(1) << np.arange(width, dtype=np.int64)
    if port["signed"]:
        weights[-1] = -weights[-1]
    values = np.empty((len(rows), lanes), dtype=np.int64)
    step = max(1, _CHUNK // (lanes * width))
    for start in range(0, len(rows), step):
        bits = np.unpackbits(rows[start : start + step, :-4], axis=1, bitorder="little")
        values[start : start + step] = bits[:, : lanes * width].reshape(len(bits), lanes, width) @ weights
    return values, cycles


class Recorded:
    """What a stream has shown so far, compared with what was expected as it grows.

    mismatch: None or the first difference as a dict (sample, y, x, channel, expected, got, cycle).
    compared: integers compared. starts, ends: clock cycle of the first and last word of each sample.
    """

    def __init__(self, port: Port, folder: Path, expected: NDArray | None, samples: int) -> None:
        self.port = port
        self.samples = samples
        self.words = beats(port)
        self.total = samples * self.words
        self.seen = 0
        self.compared = 0
        self.mismatch: dict[str, int] | None = None
        self.starts: list[int] = []
        self.ends: list[int] = []
        self._path = folder / f"{port['name']}.rec"
        self._expected = None if expected is None else expected.reshape(self.total, port["lanes"])

    def advance(self, count: int) -> None:
        """Read the records up to word `count`; compare until the first mismatch."""
        count = min(count, self.total)
        if count <= self.seen:
            return
        size = record_bytes(self.port)
        with open(self._path, "rb") as file:
            file.seek(self.seen * size)
            data = file.read((count - self.seen) * size)
        if len(data) != (count - self.seen) * size:
            raise OSError(f"{self._path.name} is shorter than the {count} words that were counted")
        values, cycles = unpack(self.port, data)
        for index in range(-(-self.seen // self.words), -(-count // self.words)):
            self.starts.append(int(cycles[index * self.words - self.seen]))
        for index in range((self.seen + 1 + self.words - 1) // self.words, count // self.words + 1):
            self.ends.append(int(cycles[index * self.words - 1 - self.seen]))
        if self._expected is not None and self.mismatch is None:
            self._compare(values, cycles)
        self.seen = count

    def _compare(self, values: NDArray, cycles: NDArray) -> None:
        wanted = self._expected[self.seen : self.seen + len(values)]  # type: ignore[index]
        different = np.flatnonzero((values != wanted).any(axis=1))
        if not len(different):
            self.compared += values.size
            return
        row = int(different[0])
        lane = int(np.flatnonzero(values[row] != wanted[row])[0])
        self.compared += row * values.shape[1] + lane + 1
        sample, word = divmod(self.seen + row, self.words)
        _, width, channels = self.port["shape"]
        pixel, channel = divmod(word * self.port["lanes"] + lane, channels)
        self.mismatch = {
            "sample": sample,
            "y": pixel // width,
            "x": pixel % width,
            "channel": channel,
            "expected": int(wanted[row, lane]),
            "got": int(values[row, lane]),
            "cycle": int(cycles[row]),
        }
