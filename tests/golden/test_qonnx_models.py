"""Real QONNX models: equal to QONNX's executor and to their own expected vectors; accuracy."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx_runtime import Run as OrtRun
from qonnx_runtime import Run

from hwgen.frontend.load import load_graph
from hwgen.golden.edges import enter, leave
from hwgen.golden.run import execute

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def mnist(models: Path) -> tuple[NDArray, NDArray]:
    """1,000 test images (0..255) and labels."""
    data = np.load(models / "mnist" / "mnist_small.npz")
    return data["x_test"], data["y_test"]


def predictions(path: Path, x: NDArray) -> NDArray:
    """The class that the golden model finds for each input."""
    graph = load_graph(path)
    (edge,), (out,) = graph.inputs, graph.outputs
    q = enter(edge, graph.tensors[edge.tensor], x.reshape(len(x), *edge.shape).astype(np.float32))
    y = leave(out, graph.tensors[out.tensor], execute(graph, {edge.tensor: q})[out.tensor])
    return y.ravel() if y.size == len(x) else y.argmax(axis=1)


@pytest.mark.parametrize("name", ["TFC_1W1A", "TFC_2W2A"])
def test_tfc_equals_the_executor(models: Path, mnist: tuple[NDArray, NDArray], name: str) -> None:
    model = onnx.load(models / "qonnx" / f"{name}.onnx")
    done = Run(model, mnist[0][:12, None].astype(np.float32) / np.float32(255))
    done.assert_equal(least=3)
    assert done.graph.notes == []
    assert [n.kind for n in done.graph.nodes] == ["conv"] * 4


@pytest.mark.parametrize(
    ("name", "levels", "least"),
    [("TFC_1W1A", (0, 1), 0.91), ("TFC_2W2A", (-1, 1), 0.96)],
)
def test_tfc_accuracy(
    models: Path, mnist: tuple[NDArray, NDArray], name: str, levels: tuple[int, int], least: float
) -> None:
    x, labels = mnist
    path = models / "qonnx" / f"{name}.onnx"
    accuracy = np.mean(predictions(path, x.astype(np.float32) / np.float32(255)) == labels)
    assert accuracy >= least
    graph = load_graph(path)
    hidden = [graph.tensors[n.output].range for n in graph.nodes[:-1]]
    assert {(r.lo, r.hi) for r in hidden} == {levels}


def test_finn_tfc_gives_its_expected_vector(models: Path, mnist: tuple[NDArray, NDArray]) -> None:
    folder = models / "qonnx"
    x = np.load(folder / "finn_fpga_flow_input.npy")
    expected = np.load(folder / "finn_fpga_flow_expected.npy")
    assert np.array_equal(predictions(folder / "finn_fpga_flow_tfc.onnx", x), expected)
    Run(onnx.load(folder / "finn_fpga_flow_tfc.onnx"), mnist[0][:12, None].astype(np.float32)).assert_equal(3)


def test_lfc_equals_the_executor(models: Path, mnist: tuple[NDArray, NDArray]) -> None:
    path = models / "bnn_pynq" / "mnist_lfcW1A1.onnx.gz"
    x = mnist[0][:3].reshape(3, 784).astype(np.float32)
    Run(onnx.load_model_from_string(gzip.decompress(path.read_bytes())), x).assert_equal(least=5)
    assert np.mean(predictions(path, mnist[0][:100]) == mnist[1][:100]) >= 0.97


def test_cnv_equals_the_executor(models: Path) -> None:
    path = models / "bnn_pynq" / "cifar10_cnvW1A1.onnx.gz"
    image = np.load(models / "qonnx" / "cifar10-test-data-class3.npz")["arr_0"].astype(np.float32) - 128
    done = Run(onnx.load_model_from_string(gzip.decompress(path.read_bytes())), image)
    done.assert_equal(least=8)
    assert done.y.argmax() == 3


def test_first_layer_with_integer_weights_and_a_quantiser(models: Path) -> None:
    """8-bit colour image, weights without a Quant, scales of both signs per channel."""
    model = onnx.load(models / "qonnx" / "eltwise_chanlast_testcase.onnx")
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 224, 224)).astype(np.float32)
    done = Run(model, x)
    ((bad, compared),) = done.differences().values()
    assert compared == 32 * 111 * 111
    assert bad == 0


@pytest.mark.parametrize(("name", "least"), [("brevitas_residual", 5), ("brevitas_trunc", 2)])
def test_exports_of_brevitas(name: str, least: int) -> None:
    """Untrained networks as Brevitas 0.13 exports them: dense, depthwise and 1x1 convolutions with batch
    normalisation (gammas of both signs), a residual addition, a truncating average pool, biases, scales
    of no special form. Integers are equal; the float output but for the runtime's order of additions."""
    model = onnx.load(DATA / f"{name}.onnx")
    done = Run(model, np.random.default_rng(0).normal(0, 0.7, (6, 3, 16, 16)).astype(np.float32))
    counted = done.differences()
    assert len(counted) == least
    assert not any(bad for bad, _ in counted.values())
    np.testing.assert_allclose(done.y, done.y_expected, rtol=1e-5, atol=1e-6)
    assert np.array_equal(done.y.argmax(axis=1), done.y_expected.argmax(axis=1))


def test_qcdq_export_of_brevitas_in_onnxruntime() -> None:
    model = onnx.load(DATA / "brevitas_residual_qcdq.onnx")
    done = OrtRun(model, np.random.default_rng(0).normal(0, 0.7, (6, 3, 16, 16)).astype(np.float32))
    counted = done.differences()
    assert len(counted) >= 8
    assert not any(bad for bad, _ in counted.values())
    np.testing.assert_allclose(done.y, done.y_expected, rtol=1e-5, atol=1e-6)
