"""Dataflows against an enumeration of their loops, product by product; shapes that fill their tiles."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from pathlib import Path

import pytest

from hwgen.plan.systolic import dataflow
from hwgen.plan.systolic.dataflow import DATAFLOWS, row_stationary, weight_stationary
from hwgen.plan.systolic.energy.accesses import START, Traffic, Use, clocks, ports
from hwgen.plan.systolic.energy.joules import energy
from hwgen.plan.systolic.energy.layer import Layer
from hwgen.program.array import GROUP, PARAMETER_WORDS, UP5K, Array

ARRAY = Array(rows=8, columns=4, shared_activations=False, shared_weights=False)


def conv(size=(6, 6), channels=4, outputs=4, kernel=(3, 3), stride=(1, 1), depthwise=False, first=False):
    out = tuple((n - k) // s + 1 for n, k, s in zip(size, kernel, stride))
    return Layer("layer", depthwise, channels, outputs, kernel, stride, size, (0, 0, 0, 0), out, first)


def blocks(count: int, size: int) -> Iterable[range]:
    assert count % size == 0
    return (range(at, at + size) for at in range(0, count, size))


@pytest.mark.parametrize(
    "layer",
    [
        conv(),
        conv(size=(9, 9), stride=(2, 2), outputs=8),
        conv(size=(4, 4), kernel=(1, 1), channels=7),
        conv(channels=8, outputs=8, depthwise=True),
    ],
)
def test_output_stationary(layer):
    activations = weights = sums = steps = drained = 0
    hops = [0, 0]
    (e, f), (r, s) = layer.out, layer.kernel
    for outputs in blocks(layer.outputs, ARRAY.columns):
        weights += PARAMETER_WORDS * ARRAY.columns
        for pixels in blocks(e * f, ARRAY.rows):
            drained += len(outputs) * sum(range(len(pixels)))
            for i, j, c in itertools.product(
                range(r), range(s), [0] if layer.depthwise else range(layer.channels)
            ):
                steps += 1
                sy, sx = layer.stride
                seen = {
                    (p // f * sy + i, p % f * sx + j, m if layer.depthwise else c)
                    for p in pixels
                    for m in outputs
                }
                used = {(m, i, j, c) for m in outputs}
                products = len(pixels) * len(outputs)
                activations += len(seen)
                weights += len(used)
                hops[0] += products - len(seen)
                hops[1] += products - len(used)
                sums += 2 * products
    use = DATAFLOWS["output-stationary"].use(layer, ARRAY)
    assert use.memory == Traffic(activations + e * f * layer.outputs, weights, 0)
    assert use.register == Traffic(0, 0, sums) and sums == 2 * layer.macs
    assert use.neighbour == Traffic(hops[0], hops[1], drained)
    assert use.cycles >= steps * (ARRAY.columns if layer.depthwise else 1)


def row_sets(layer: Layer, array: Array):
    """(element, image row, kernel row, outputs) of every pass, by the loops of the paper."""
    (r, _), (e, f) = layer.kernel, layer.out
    down = min(r, array.rows)
    stacked, across = min(array.rows // down, layer.channels), min(array.columns, e)
    beside = min(array.columns // across, layer.outputs)
    limit = min(row_stationary.SPAD // layer.kernel[1], array.depth * array.columns // (across * beside * f))
    turns = -(-layer.outputs // (beside * limit))
    each = layer.outputs // (beside * turns)
    for strip in blocks(e, across):
        for group in blocks(layer.outputs, beside * each):
            for first, channels in enumerate(blocks(layer.channels, stacked)):
                for fold in range(0, r, down):
                    yield (
                        first == 0 and fold == 0,
                        [
                            ((c, i, y, part), (c, y * layer.stride[0] + i), [(m, c, i) for m in outputs])
                            for c in channels
                            for i in range(fold, fold + down)
                            for y in strip
                            for part, outputs in enumerate(blocks_of(group, each))
                        ],
                    )


def blocks_of(group: range, size: int) -> Iterable[range]:
    return (group[at : at + size] for at in range(0, len(group), size))


@pytest.mark.parametrize(
    "layer",
    [
        conv(),
        conv(size=(9, 9), stride=(2, 2), outputs=8, channels=6),
        conv(size=(8, 8), kernel=(1, 1), channels=16, outputs=16),
        conv(size=(2, 4), kernel=(1, 1), channels=8, outputs=64),
        conv(size=(19, 5), kernel=(16, 2), channels=2, outputs=8),
    ],
)
def test_row_stationary(layer):
    memory, register, hops = [0, 0, 0], [0, 0, 0], [0, 0, 0]
    s, f = layer.kernel[1], layer.out[1]
    row = (f - 1) * layer.stride[1] + s
    tiles = products = 0
    for opening, elements in row_sets(layer, ARRAY):
        assert len({element for element, _, _ in elements}) == len(elements) <= ARRAY.rows * ARRAY.columns
        images = {image for _, image, _ in elements}
        kernels = {kernel for _, _, held in elements for kernel in held}
        made = {(y, m) for (_, _, y, _), _, held in elements for m, _, _ in held}
        tiles += opening
        memory[0] += len(images) * row
        memory[1] += len(kernels) * s
        memory[2] += 2 * len(made) * f - (len(made) * f if opening else 0)
        each = sum(len(held) for _, _, held in elements)
        register[0] += each * s * f + len(elements) * row
        register[1] += each * s * f + each * s
        register[2] += 2 * each * s * f
        hops[0] += (len(elements) - len(images)) * row
        hops[1] += (each - len(kernels)) * s
        hops[2] += (each - len(made)) * f
        products += each * s * f
    stored = layer.pixels * layer.outputs
    use = DATAFLOWS["row-stationary"].use(layer, ARRAY)
    assert products == layer.macs
    assert use.register == Traffic(*register)
    assert use.neighbour == Traffic(*hops)
    parameters = tiles * PARAMETER_WORDS * ARRAY.columns
    assert use.memory == Traffic(memory[0] + stored, memory[1] + parameters, memory[2] + stored)


def test_no_local_reuse_reads_every_weight_each_step():
    layer = conv(size=(10, 10), channels=16, outputs=8)
    held, bare = (DATAFLOWS[name].use(layer, ARRAY) for name in ("weight-stationary", "no local reuse"))
    assert held.register.weights > layer.macs and bare.register == Traffic()
    assert bare.neighbour == held.neighbour and bare.memory.sums == held.memory.sums
    steps = layer.pixels * 9 * (16 // 8) * (8 // 4)
    turns = weight_stationary.runs(layer, ARRAY).turns
    assert bare.memory.weights == steps * 8 * 4 + turns * PARAMETER_WORDS * 4
    assert bare.cycles > 8 * steps > 7 * held.cycles
    spread = dataclasses.replace(layer, depthwise=True, channels=8)
    bare = DATAFLOWS["no local reuse"].use(spread, ARRAY)
    assert bare.memory.weights == layer.pixels * 9 * 2 * 4 + turns * PARAMETER_WORDS * 4


def test_depthwise_rows_share_along_the_diagonal():
    """Three taps of eight rows, and two rows of the kernel at once where the image is narrow."""
    wide = conv(size=(12, 20), channels=4, outputs=4, depthwise=True)
    mapping = row_stationary.runs(wide, ARRAY)
    assert mapping.passes == 3 and mapping.blocks == 1
    narrow = conv(size=(12, 5), channels=4, outputs=4, depthwise=True)
    assert row_stationary.runs(narrow, ARRAY).passes == 2
    one, other = (DATAFLOWS[name].use(wide, ARRAY) for name in ("row-stationary", "weight-stationary"))
    assert 2 * one.cycles < other.cycles


def test_clocks_are_those_of_the_slowest():
    assert clocks(ARRAY, 10, 100, 40) == 1000 + 10 * GROUP + START  # the array's
    assert clocks(ARRAY, 10, 8, 40) == 10 * 10 * GROUP + 10 * GROUP + START  # the outputs'
    shared = dataclasses.replace(ARRAY, shared_activations=True)
    assert clocks(shared, 10, 100, 40) == 1100 + 10 * GROUP + START  # and the stores between
    assert ports(ARRAY, activations=16, weights=12, sums=4) == 3


def test_energy_is_that_of_the_table():
    use = Use(
        macs=10,
        cycles=1,
        register=Traffic(4, 0, 0),
        neighbour=Traffic(0, 4, 0),
        memory=Traffic(0, 0, 4),
        offchip=Traffic(2, 2, 0),
    )
    wide = dataclasses.replace(UP5K, accumulator=32)
    wanted = {"mac": 32.0, "register": 1.0, "neighbour": 2.0, "memory": 20.0, "offchip": 640.0}
    assert energy(use, wide) == pytest.approx(wanted)
    assert energy(use, UP5K)["memory"] == pytest.approx(15.0)
    twice = use + use
    assert twice.macs == 20 and energy(twice, wide) == pytest.approx({k: 2 * v for k, v in wanted.items()})


def test_every_file_of_the_folder_is_a_dataflow():
    folder = Path(dataflow.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert {module.__name__.rsplit(".", 1)[1] for module in DATAFLOWS.values()} == files
    assert all(module.WHAT and "\n" not in module.WHAT for module in DATAFLOWS.values())
