"""A trained network as a QONNX file, and what QONNX's executor computes from such a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from brevitas.export import export_qonnx
from numpy.typing import NDArray
from onnx import numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.infer_shapes import InferShapes
from torch import nn

OPSET = 13  # the newest that TorchScript's exporter and QONNX's shape inference both take


def export(net: nn.Module, path: Path) -> None:
    """Writes `net` as Brevitas exports it, with weights stored as what their quantisers make of them.

    The latent float weights are of use in training only. A quantised weight is a fixed point of its
    quantiser, so the model computes the same; the file packs well and shows the weights that count.
    """
    model = export_qonnx(
        net,
        torch.zeros(1, 1, 8, 8),
        input_names=["digit"],
        output_names=["logits"],
        opset_version=OPSET,
        dynamo=False,  # torch's newer exporter would write external data and unroll names
        keep_initializers_as_inputs=False,
    )
    store_quantised_weights(model)
    model.graph.name = path.stem
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def store_quantised_weights(model: onnx.ModelProto) -> None:
    """Replaces each constant that a quantiser reads by the quantiser's result."""
    wrapper = ModelWrapper(model, make_deepcopy=True)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in wrapper.graph.node:
        if node.op_type in ("Quant", "BipolarQuant") and node.input[0] in constants:
            context = {name: numpy_helper.to_array(constants[name]) for name in node.input}
            getCustomOp(node).execute_node(context, wrapper.graph)
            weights = np.asarray(context[node.output[0]], np.float32)
            constants[node.input[0]].CopyFrom(numpy_helper.from_array(weights, node.input[0]))


def run(path: Path, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits (N, 10) that QONNX's executor computes of images (N, 1, 8, 8), all in one batch."""
    model = ModelWrapper(str(path))
    model.set_tensor_shape(model.graph.input[0].name, list(images.shape))
    del model.graph.value_info[:]  # the shapes between, which are for a batch of one
    for output in model.graph.output:
        model.set_tensor_shape(output.name, [len(images), *model.get_tensor_shape(output.name)[1:]])
    model = model.transform(InferShapes())
    return execute_onnx(model, {model.graph.input[0].name: images})[model.graph.output[0].name]
