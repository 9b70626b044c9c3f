"""What QONNX's executor computes of a file: the reference for hwgen's golden model."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qonnx.core import onnx_exec
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.util.basic import qonnx_make_model

# The executor runs each node in onnxruntime as a model of its own, with the newest IR version that `onnx`
# knows; onnxruntime may not know that one yet.
onnx_exec.qonnx_make_model = functools.partial(qonnx_make_model, ir_version=8)


def run(path: Path, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits (N, 10) of images (N, 1, 8, 8), all in one batch."""
    model = ModelWrapper(str(path))
    model.set_tensor_shape(model.graph.input[0].name, list(images.shape))
    del model.graph.value_info[:]  # the shapes between, which are for a batch of one
    for output in model.graph.output:
        model.set_tensor_shape(output.name, [len(images), *model.get_tensor_shape(output.name)[1:]])
    model = model.transform(InferShapes())
    return onnx_exec.execute_onnx(model, {model.graph.input[0].name: images})[model.graph.output[0].name]
