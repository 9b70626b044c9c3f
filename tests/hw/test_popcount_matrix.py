"""Popcounts against constant rows: exact for all inputs of small matrices, for every sharing and target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playing import clocked
from prove import YOSYS_CELLS, unequal
from verilated import Case, first_mismatches

from hwgen.emit.verilog import to_rtlil
from hwgen.hw import popcount_matrix
from hwgen.hw.popcount_matrix import ConstantXnorMatrix, matrix_cost
from hwgen.targets import ECP5, GENERIC, ICE40


def signs(rng: np.random.Generator, rows: int, count: int) -> np.ndarray:
    """Random rows; the first all 1, the last all -1, the second and third each other's negative."""
    weights = rng.choice([-1, 1], (rows, count))
    if rows > 3:
        weights[0], weights[-1], weights[2] = 1, -1, -weights[1]
    return weights


def inputs(rng: np.random.Generator, count: int, samples: int) -> np.ndarray:
    """(samples, count) bits: all inputs if there are few, else random ones of every density."""
    if count <= 10:
        return np.arange(1 << count)[:, None] >> np.arange(count) & 1
    return (rng.random((samples, count)) < np.linspace(0, 1, samples)[:, None]).astype(np.int64)


def word(bits: np.ndarray) -> int:
    return sum(int(bit) << at for at, bit in enumerate(bits))


def packed(weights: np.ndarray, a: np.ndarray) -> int:
    """Counts of all rows side by side."""
    counts = ((weights > 0) == a).sum(axis=1)
    width = len(a).bit_length()
    return sum(int(count) << row * width for row, count in enumerate(counts))


def played(dut: ConstantXnorMatrix, a: np.ndarray) -> list[int]:
    return clocked(dut, "counts", [{"a": word(each)} for each in a])


@pytest.mark.parametrize(
    "shape", [(1, 1), (2, 1), (1, 5), (4, 2), (5, 3), (9, 7), (12, 10), (6, 23), (10, 29)]
)
def test_every_row_is_counted(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(sum(shape))
    weights = signs(rng, *shape)
    a = inputs(rng, shape[1], 16)[:300]
    expected = [packed(weights, each) for each in a]
    for target, levels in ((GENERIC, 1), (GENERIC, 0), (ICE40, 2)):
        dut = ConstantXnorMatrix(weights, levels=levels, longest=16, target=target)
        assert played(dut, a) == expected, (target.name, levels)


def test_many_rows_share_the_second_column(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of going on after seven inputs, forced."""
    rng = np.random.default_rng(8)
    weights, a = signs(rng, 16, 15), inputs(rng, 15, 40)
    expected = [packed(weights, each) for each in a]
    counts = []
    for worth in (0.0, 1e9):
        monkeypatch.setattr(popcount_matrix, "_BIT_SLOTS", worth)
        dut = ConstantXnorMatrix(weights, target=GENERIC)
        counts.append(len(dut.plan.nodes))
        assert played(dut, a) == expected
    assert counts[0] < counts[1]


@pytest.mark.synth
def test_primitives_equal_plain_sums(tmp_path: Path) -> None:
    """For every input, by SAT."""
    rng = np.random.default_rng(9)
    texts, pairs = [], []
    for number, (rows, count) in enumerate(((4, 7), (8, 10), (4, 13))):
        weights = signs(rng, rows, count)
        unit = ConstantXnorMatrix(weights, levels=0, target=ECP5)
        (tmp_path / f"m{number}.il").write_text(to_rtlil(unit, f"m{number}"))
        width = count.bit_length()
        sums = []
        for row in weights[::-1]:
            bits = [f"a[{at}]" if w > 0 else f"!a[{at}]" for at, w in enumerate(row)]
            sums.append("+".join(f"{{{width - 1}'b0, {bit}}}" for bit in bits))
        texts.append(
            f"module g{number}(input [{count - 1}:0] a, output [{rows * width - 1}:0] counts);\n"
            + "\n".join(f"wire [{width - 1}:0] s{at} = {each};" for at, each in enumerate(sums))
            + f"\nassign counts = {{{', '.join(f's{at}' for at in range(rows))}}};\nendmodule\n"
        )
        pairs.append((f"g{number}", f"m{number}"))
    (tmp_path / "plain.v").write_text("\n".join(texts))
    reads = ["read_verilog plain.v", *(f"read_rtlil m{number}.il" for number in range(len(pairs)))]
    assert unequal(pairs, [*reads, *YOSYS_CELLS], tmp_path) == []


@pytest.mark.sim
def test_counts_are_exact_with_primitives_simulated(tmp_path: Path) -> None:
    rng = np.random.default_rng(10)
    cases = {}
    for rows, count, levels in ((4, 17, 1), (2, 9, 2)):
        weights = signs(rng, rows, count)
        dut = ConstantXnorMatrix(weights, levels=levels, target=ECP5)
        a = inputs(rng, count, 60)
        expected = [packed(weights, each) for each in a]
        ports = {"a": [word(each) for each in a] + [0] * dut.latency}
        cases[f"{rows}x{count}"] = Case(dut, ports, {"counts": [None] * dut.latency + expected})
    assert first_mismatches(cases, tmp_path) == {}


def test_sharing_makes_rows_cheap() -> None:
    rng = np.random.default_rng(11)
    most = {(16, 64): 0.85, (64, 64): 0.70, (64, 256): 0.72}
    for (rows, count), limit in most.items():
        cost = matrix_cost(rng.choice([-1, 1], (rows, count)), target=ECP5)
        assert cost.lut4 <= limit * rows * count
    twice = np.repeat(signs(rng, 8, 32), 2, axis=0)
    assert matrix_cost(twice, target=ECP5) == matrix_cost(twice[::2], target=ECP5)


def test_other_weights_are_named() -> None:
    for weights in (np.zeros((2, 3)), np.ones(4), np.ones((0, 3)), np.array([[1, 2]])):
        with pytest.raises(ValueError, match="matrix of -1 and 1"):
            ConstantXnorMatrix(weights, target=ECP5)
    with pytest.raises(ValueError, match="4096 inputs at most"):
        ConstantXnorMatrix(np.ones((1, 5000), dtype=int), target=ECP5)
