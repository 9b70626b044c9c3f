"""QONNX models in hwgen and in QONNX's own executor, every quantised tensor compared."""

from __future__ import annotations

import warnings
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx_runtime import Builder, Compared

from hwgen.frontend.qonnx import load

pytest.importorskip("qonnx", reason="qonnx is not installed (the oracle)")
executor: Any = pytest.importorskip("qonnx.core.onnx_exec")

from qonnx.core.modelwrapper import ModelWrapper  # noqa: E402
from qonnx.transformation.infer_shapes import InferShapes  # noqa: E402

QONNX = "qonnx.custom_op.general"
QUANTISERS = ("Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold")


def _make_model(graph: Any, **fields: Any) -> onnx.ModelProto:
    """Single nodes in a file version that onnxruntime knows, which may lag behind the onnx package's."""
    opsets = fields.pop("opset_imports", None) or [helper.make_opsetid("", 11)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **fields)


executor.qonnx_make_model = _make_model
executor.rt = SimpleNamespace(
    InferenceSession=lru_cache(maxsize=512)(executor.rt.InferenceSession)
)  # a node each


class QBuilder(Builder):
    """With QONNX's operators."""

    def quant(
        self,
        x: str,
        scale: Any,
        bits: float,
        signed: bool = True,
        narrow: bool = False,
        zero: Any = 0.0,
        mode: str = "ROUND",
    ) -> str:
        """Quant."""
        inputs = (self.const(v, "float32") for v in (scale, zero, bits))
        return self.node(
            "Quant", x, *inputs, domain=QONNX, signed=int(signed), narrow=int(narrow), rounding_mode=mode
        )

    def bipolar(self, x: str, scale: Any = 1.0) -> str:
        """BipolarQuant."""
        return self.node("BipolarQuant", x, self.const(scale, "float32"), domain=QONNX)

    def batch_norm(self, x: str, channels: int, rng: np.random.Generator, size: float = 1.0) -> str:
        """BatchNormalization of sums of about `size`; a third of the gammas are negative."""
        gamma = rng.uniform(0.3, 2, channels) * np.where(rng.random(channels) < 0.33, -1, 1)
        constants = [gamma, rng.normal(0, 0.5, channels), rng.normal(0, size / 3, channels)]
        constants.append(rng.uniform(0.3, 1.5, channels) * size**2)
        return self.node("BatchNormalization", x, *(self.const(c, "float32") for c in constants))

    def qonnx(self, output: str, annotations: dict[str, str] | None = None) -> onnx.ModelProto:
        """The finished model."""
        model = self.model(output, opset=11)
        kind = onnx.TensorProto.INT64 if self.nodes[-1].op_type == "TopK" else onnx.TensorProto.FLOAT
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info(output, kind, None))
        model.opset_import.extend(helper.make_opsetid(name, 1) for name in (QONNX, "onnx.brevitas"))
        for name, datatype in (annotations or {}).items():
            entry = onnx.StringStringEntryProto(key="finn_datatype", value=datatype)
            model.graph.quantization_annotation.append(
                onnx.TensorAnnotation(tensor_name=name, quant_parameter_tensor_names=[entry])
            )
        return model


def every_tensor(model: onnx.ModelProto, x: NDArray) -> dict[str, NDArray]:
    """All tensors of a batch in the executor; one run where the model takes a batch, else image by image."""
    wrapped = ModelWrapper(onnx.ModelProto.FromString(model.SerializeToString()))
    constants = {t.name for t in wrapped.graph.initializer}
    (given,) = [i.name for i in wrapped.graph.input if i.name not in constants]
    infos = [i for i in wrapped.graph.input if i.name == given]
    del wrapped.graph.input[:]
    wrapped.graph.input.extend(infos)
    wrapped.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    wrapped = wrapped.transform(InferShapes())
    found: dict[str, list[NDArray]] = {}
    for image in x:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old exports leave shapes open
            context = executor.execute_onnx(wrapped, {given: image[None]}, return_full_exec_context=True)
        for node in wrapped.graph.node:
            for name in node.output:
                found.setdefault(name, []).append(np.asarray(context[name]))
    return {name: np.stack(values) for name, values in found.items()}


def constants_of(model: onnx.ModelProto) -> dict[str, NDArray]:
    """Initialisers by name."""
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


class Run(Compared):
    """A model in hwgen and in the executor on the same inputs."""

    def __init__(self, model: onnx.ModelProto, x: NDArray) -> None:
        super().__init__(load(model.SerializeToString(), "test"), x, every_tensor(model, x))
        self.model = model

    def differences(self) -> dict[str, tuple[int, int]]:
        """(differing, compared) integers of every quantiser's output: its floats are put in order and
        must have as many levels, at the same places."""
        found = {}
        makers = {name: node for node in self.model.graph.node for name in node.output}
        for node in self.graph.nodes:
            maker = makers.get(node.source)
            got = self.values[node.output]
            if maker is None or maker.op_type not in QUANTISERS:
                continue
            expected = self.expected[node.source]
            floats = expected.reshape(len(got), -1)
            mine = got.transpose(0, 3, 1, 2).reshape(floats.shape)
            found[node.name] = (int(np.sum(mine != self._integers(maker, expected))), mine.size)
        return found

    def _integers(self, maker: Any, floats: NDArray) -> NDArray:
        """The integers of a quantiser's floats, from its own scale and zero point."""
        constants = constants_of(self.model)
        attributes = {a.name: helper.get_attribute_value(a) for a in maker.attribute}
        if maker.op_type == "MultiThreshold":
            q = (floats - attributes.get("out_bias", 0.0)) / attributes.get("out_scale", 1.0)
        elif maker.op_type == "BipolarQuant":
            q = (floats / constants[maker.input[1]] + 1) / 2
        else:
            scale, zero, bits = (constants[name].astype(np.float64) for name in maker.input[1:4])
            if maker.op_type == "Trunc" and len(maker.input) == 6:
                out = constants[maker.input[4]].astype(np.float64)
                scale, zero = out, zero / (out / scale)
            q = floats / scale + zero
            if maker.op_type != "Trunc" and bits == 1 and attributes.get("signed", 1):
                q = (q - zero + 1) / 2
        return np.rint(q.reshape(len(floats), -1)).astype(np.int64)

    def assert_equal(self, least: int = 1) -> None:
        """Every integer of at least `least` quantisers and every output value equal."""
        counted = self.differences()
        wrong = {name: f"{bad} of {all_}" for name, (bad, all_) in counted.items() if bad}
        assert not wrong, f"differing from the executor: {wrong}"
        assert len(counted) >= least, f"only {sorted(counted)} compared"
        assert self.y.dtype == self.y_expected.dtype
        assert np.array_equal(self.y, self.y_expected)
