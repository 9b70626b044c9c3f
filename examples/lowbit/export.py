"""A trained network as a QONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from brevitas.export import export_qonnx
from onnx import numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from torch import nn

OPSET = 13  # any that TorchScript's exporter knows would do


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
