"""Counts by equation against the engine model that executes the compiled program of a network."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hwgen import pipeline
from hwgen.passes import fuse_activation, merge_pad
from hwgen.plan.systolic.dataflow import DATAFLOWS
from hwgen.plan.systolic.energy.layer import Layer, layers
from hwgen.plan.systolic.energy.mapping import Mapping
from hwgen.plan.systolic.lower import lower
from hwgen.program.array import ECP5_85F, UP5K, Array
from hwgen.program.counts import Counts
from hwgen.program.instructions import Run
from hwgen.program.model import Engine
from hwgen.program.timing import Latencies, clocks

ROOT = Path(__file__).resolve().parents[4]


LATENCIES = Latencies(
    activations=2, weights=1, settled=3, sums=1, quantiser=11, array=9, spread=1, spacing=17, load=48, word=8
)


def counted(path: Path, array: Array) -> list[tuple[Layer, list[Run], Counts]]:
    """Each layer with its compiled Runs and what the engine model counted in them."""
    net = pipeline.load(path)
    graph = fuse_activation.run(merge_pad.run(net.graph))
    lowered = lower(graph, array)
    engine = Engine(lowered.image)
    engine.run(lowered.enter({name: x[0] for name, x in net.random_inputs(1).items()}))
    runs: dict[str, list[tuple[int, Run]]] = {}
    for number, op in enumerate(lowered.image.program):
        if isinstance(op, Run):
            runs.setdefault(lowered.layers[number], []).append((number, op))
    return [
        (
            layer,
            [op for _, op in runs[layer.name]],
            sum((engine.counts[number] for number, _ in runs[layer.name]), Counts()),
        )
        for layer in layers(graph)
    ]


def check(path: Path, array: Array) -> set[str]:
    """All layers of a network; returns the dataflows that were met."""
    met = set()
    for layer, runs, counts in counted(path, array):
        assert sum((Mapping.of([run]).counts(array) for run in runs), Counts()) == counts, layer.name
        ((name, mapping),) = (
            (name, module.runs(layer, array))
            for name, module in DATAFLOWS.items()
            if module.runs(layer, array)
        )
        assert mapping.counts(array) == counts, layer.name
        assert mapping.clocks(array, LATENCIES) == sum(each.clocks for each in clocks(runs, array, LATENCIES))
        met.add(name)
        use = DATAFLOWS[name].use(layer, array)
        assert use == mapping.use(layer.macs, array)
        assert use.memory.activations == counts.activation_reads * array.rows + counts.stored
        assert use.memory.weights == counts.weight_reads * array.columns
        assert use.memory.sums == (counts.accumulator_reads + counts.accumulator_writes) * array.columns
        assert layer.macs <= counts.macs <= array.rows * array.columns * use.cycles
    return met


@pytest.mark.parametrize("array", [UP5K, ECP5_85F, dataclasses.replace(ECP5_85F, columns=8, depth=64)])
def test_digits(array):
    roomy = dataclasses.replace(array, weight_words=1 << 15, maximum=True)
    assert check(ROOT / "examples/digits/digits.tflite", roomy) == {"weight-stationary", "row-stationary"}


@pytest.mark.parametrize("array", [UP5K, ECP5_85F])
@pytest.mark.parametrize("name", ["kws_ref_model", "pretrainedResnet_quant", "vww_96_int8"])
def test_mlperf_tiny(models, array, name):
    roomy = dataclasses.replace(array, weight_words=1 << 16, activation_bytes=1 << 17)
    met = check(models / "mlperf_tiny" / f"{name}.tflite", roomy)
    assert "weight-stationary" in met and ("row-stationary" in met or name == "pretrainedResnet_quant")
