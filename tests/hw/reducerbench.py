"""Stimulus and expectation, clock by clock, for MVU and VVU."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from verilated import Case

from hwgen.hw.mvu import MVU, ReducerPipeline
from hwgen.hw.vvu import VVU
from hwgen.numeric.codes import Coded


def pack(values: np.ndarray, width: int) -> int:
    """Lane 0 in the low bits."""
    return sum((int(v) & ((1 << width) - 1)) << (at * width) for at, v in enumerate(values))


def mvu_groups(dut: MVU, x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(words, sums) of every group for pixels x (N, K)."""
    words = x.reshape(len(x), -1, dut.simd)
    return [
        with_shared(dut, words[n], dut.weights[g : g + dut.pe] @ y + dut.offset[g : g + dut.pe])
        for n, y in enumerate(meant(dut, x))
        for g in range(0, len(dut.weights), dut.pe)
    ]


def meant(dut: MVU, x: np.ndarray) -> np.ndarray:
    """What activations stand for: themselves, or the values of their codes."""
    return np.array(dut.value.values)[x - dut.value.lo] if isinstance(dut.value, Coded) else x


def with_shared(dut: MVU, words: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Words and what the unit puts out for them: pairs add x0' x1' to all sums, and tell it."""
    if dut.shared is None:
        return words, sums
    x = words - (0 if dut.value.signed else 1 << (dut.value.width - 1))
    even = x.shape[1] // 2 * 2
    common = (x[:, 0:even:2] * x[:, 1:even:2]).sum()
    return words, np.append(sums + common, common)


def vvu_groups(dut: VVU, x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(words, sums) of every group for pixels x (N, T, C)."""
    groups = []
    for n in range(len(x)):
        for c in range(0, dut.weights.shape[1], dut.pe):
            block = x[n][:, c : c + dut.pe]
            groups.append((block, (block * dut.weights[:, c : c + dut.pe]).sum(axis=0)))
    return groups


def case(
    dut: ReducerPipeline,
    groups: list[tuple[np.ndarray, np.ndarray]],
    rng: np.random.Generator,
    *,
    gaps: float = 0.3,
) -> Case:
    """All groups one after the other; in a gap the payload and the flags are noise."""
    width, out_width = dut.value.width, dut.accumulator.width
    lanes = groups[0][0].shape[1]
    noise: Callable[[], int] = lambda: pack(rng.integers(dut.value.lo, dut.value.hi + 1, lanes), width)  # noqa: E731
    ports: dict[str, list[int]] = {"i_valid": [], "i_payload": [], "i_first": [], "i_last": []}
    ends: dict[int, np.ndarray] = {}

    def clock(valid: int, payload: int, first: int, last: int) -> None:
        for port, value in zip(ports, (valid, payload, first, last)):
            ports[port].append(value)

    for words, sums in groups:
        for at, word in enumerate(words):
            while rng.random() < gaps:
                clock(0, noise(), int(rng.integers(2)), int(rng.integers(2)))
            clock(1, pack(word, width), at == 0, at == len(words) - 1)
        ends[len(ports["i_valid"]) - 1 + dut.latency] = sums
    for _ in range(dut.latency + 3):
        clock(0, noise(), 1, 1)
    clocks = len(ports["i_valid"])
    return Case(
        dut,
        ports,
        {
            "o_valid": [int(t in ends) for t in range(clocks)],
            "o_payload": [pack(ends[t], out_width) if t in ends else None for t in range(clocks)],
        },
    )
