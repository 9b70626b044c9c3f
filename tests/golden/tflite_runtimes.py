"""The runtimes that hwgen's golden model must equal, and hwgen itself, behind one kind of function."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hwgen.frontend import tflite
from hwgen.golden.edges import enter, leave
from hwgen.golden.run import execute
from hwgen.ir.graph import Graph

ARENA = 8 << 20


def run_graph(graph: Graph, x: NDArray) -> NDArray:
    """A graph with one input and one output, in the model's own types; batch first."""
    (source,), (result,) = graph.inputs, graph.outputs
    values = execute(graph, {source.tensor: enter(source, graph.tensors[source.tensor], x)})
    return leave(result, graph.tensors[result.tensor], values[result.tensor])


def run_hwgen(data: bytes, x: NDArray, runtime: str) -> NDArray:
    """hwgen's golden model of a file."""
    return run_graph(tflite.load(data, "model", runtime), x)


def run_tflm(data: bytes, x: NDArray) -> NDArray:
    """TFLite Micro, one inference at a time."""
    interpreter = tflm(data)
    results = []
    for one in x:
        interpreter.set_input(one[None], 0)
        interpreter.invoke()
        results.append(np.array(interpreter.get_output(0)))
    return np.concatenate(results)


def tflm(data: bytes, keep: bool = False):  # type: ignore[no-untyped-def]
    """A TFLite Micro interpreter; with `keep`, every tensor can be read after an inference."""
    runtime = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="pip install tflite-micro to compare with it"
    )
    config = runtime.InterpreterConfig
    kind = config.kPreserveAllTensors if keep else config.kAllocationRecording
    return runtime.Interpreter.from_bytes(data, arena_size=ARENA, intrepreter_config=kind)


def run_litert(data: bytes, x: NDArray) -> NDArray:
    """LiteRT with reference kernels, one inference at a time."""
    runtime = pytest.importorskip(
        "ai_edge_litert.interpreter", reason="pip install ai-edge-litert to compare with it"
    )
    resolver = runtime.OpResolverType.BUILTIN_REF
    interpreter = runtime.Interpreter(model_content=data, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    result = interpreter.get_output_details()[0]["index"]
    results = []
    for one in x:
        interpreter.set_tensor(source, one[None])
        interpreter.invoke()
        results.append(interpreter.get_tensor(result))
    return np.concatenate(results)


RUNTIMES = {"tflm": run_tflm, "litert": run_litert}


def assert_equal_to(runtime: str, data: bytes, x: NDArray) -> None:
    """hwgen's integers are the runtime's."""
    want = RUNTIMES[runtime](data, x)
    np.testing.assert_array_equal(run_hwgen(data, x, runtime), want)
