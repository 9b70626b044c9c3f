"""Every intermediate tensor of the MLPerf Tiny models equals TFLite Micro's, not only the last one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tflite_runtimes import tflm

from hwgen.frontend import tflite
from hwgen.golden.edges import enter
from hwgen.golden.run import execute


@pytest.mark.parametrize("name", ["ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "vww_96_int8"])
def test_every_tensor(models: Path, name: str) -> None:
    data = (models / "mlperf_tiny" / f"{name}.tflite").read_bytes()
    graph = tflite.load(data, name)
    (edge,) = graph.inputs
    x = np.random.default_rng(2).integers(-128, 128, (1, *edge.shape)).astype(np.int8)
    values = execute(graph, {edge.tensor: enter(edge, graph.tensors[edge.tensor], x)}, keep=True)
    interpreter = tflm(data, keep=True)
    interpreter.set_input(x, 0)
    interpreter.invoke()
    compared = 0
    for node in graph.nodes:
        want = interpreter.GetTensor(int(node.output.removeprefix("t")), 0)["tensor_data"]
        np.testing.assert_array_equal(values[node.output].ravel(), want.ravel(), err_msg=node.name)
        assert node.source
        compared += 1
    assert compared == len(graph.nodes) > 9
