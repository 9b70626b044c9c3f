"""The MLPerf Tiny models, unmodified: every tensor of the engine's model equals the golden model."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from systolic_nets import compare, random_inputs

from hwgen.frontend.load import load_graph
from hwgen.ir.graph import Graph
from hwgen.numeric.rounding import Ints
from hwgen.passes import fuse_activation, merge_pad
from hwgen.plan.systolic.lower import Lowered, lower
from hwgen.program.array import ECP5_85F, UP5K, Array
from hwgen.program.instructions import Load, Run
from hwgen.support.errors import UnsupportedError

UP5K_2K = replace(UP5K, program_words=2048)
WIDE = replace(ECP5_85F, weight_words=16_384, program_words=4096)
MODELS = {
    "keywords": ("kws_ref_model", "kws01_first500.npz"),
    "images": ("pretrainedResnet_quant", "ic01_200.npz"),
    "anomalies": ("ad01_int8", None),
    "persons": ("vww_96_int8", None),
}


@cache
def graph_of(folder: Path, name: str) -> Graph:
    path = folder / "mlperf_tiny" / f"{MODELS[name][0]}.tflite"
    return fuse_activation.run(merge_pad.run(load_graph(path, None)))


@cache
def lowered(folder: Path, name: str, array: Array) -> Lowered:
    return lower(graph_of(folder, name), array)


def real_inputs(folder: Path, name: str, graph: Graph) -> dict[str, Ints]:
    """One of the model's own inputs where there is a file of them, else extremes; and a random one."""
    inputs = random_inputs(graph, 2)
    ((tensor, x),) = inputs.items()
    file = MODELS[name][1]
    if file is None:
        x[0] = graph.tensors[tensor].range.lo
        return inputs
    with np.load(folder / "mlperf_tiny" / file) as arrays:
        samples = next(arrays[key] for key in arrays if arrays[key].size % x[0].size == 0)
    integers = samples.reshape(-1, *x.shape[1:])[7].astype(np.int64)
    x[0] = integers - 128 if samples.dtype == np.uint8 else integers
    return inputs


@pytest.mark.parametrize("name", MODELS)
def test_up5k_is_exact_at_every_tensor(models: Path, name: str) -> None:
    graph = graph_of(models, name)
    low = lowered(models, name, UP5K_2K)
    nodes = [node for node in graph.nodes if node.kind != "softmax"]
    computed = {name for node in nodes for name in (*node.inputs, node.output)}
    assert computed <= low.where.keys()
    assert compare(low, real_inputs(models, name, graph)) > 2 * sum(graph.tensors[n].size for n in computed)


@pytest.mark.parametrize("name", MODELS)
def test_ecp5_is_exact_at_every_tensor(models: Path, name: str) -> None:
    graph = graph_of(models, name)
    compare(lowered(models, name, WIDE), random_inputs(graph, 1), seeds=(3,))


def test_a_mobilenet_of_uint8_that_is_larger_than_the_chip_is_refused(models: Path) -> None:
    """Its first layers have 8 channels; narrow pixels, in which they would fit, are not trusted there."""
    path = models / "coral" / "mobilenet_v1_0.25_128_quant.tflite"
    with pytest.raises(UnsupportedError, match="134192 bytes are in use at once, the array has 131072"):
        lower(fuse_activation.run(merge_pad.run(load_graph(path, None))), ECP5_85F)



def test_keywords_need_nothing_from_flash(models: Path) -> None:
    program = lowered(models, "keywords", UP5K).image.program
    assert not any(isinstance(each, Load) for each in program)
    steps = sum(
        r.n0_count * r.n1_count * r.p0_count * r.p1_count * r.b_count * r.t_count
        for r in program
        if isinstance(r, Run)
    )
    assert steps < 182_000  # 166,000 are the least: every word of every layer once, no rows of halo


@pytest.mark.parametrize("name", ["images", "persons", "anomalies"])
def test_larger_models_load_while_computing(models: Path, name: str) -> None:
    program = lowered(models, name, UP5K_2K).image.program
    kinds = [type(each) for each in program]
    ahead = [i for i, kind in enumerate(kinds) if kind is Load and kinds[i + 1] is Run]
    assert ahead, "no load runs while something is computed"
