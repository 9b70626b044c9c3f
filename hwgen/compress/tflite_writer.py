"""Writes small int8 .tflite files: one method an operation, float-free, with the scales one gives it.

    net = TfliteWriter()  # int8; or "uint8", or ("int8", "int4") for int4 weights
    x = net.input((1, 8, 8, 1), Quantization(1 / 16, -128))
    y = net.conv(x, weights, [0.01], bias, Quantization(0.05, -128), activation="RELU")
    net.output(net.softmax(net.dense(net.reshape(y, (1, 512)), ...)))
    Path("net.tflite").write_bytes(net.finish())

Weights and biases are the integers that the file will hold; whoever trains the net chooses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tflite
from numpy.typing import ArrayLike

from hwgen.compress.tflite_file import TYPES, OperationRecord, Quantization, TensorRecord, TensorRef, assemble


class TfliteWriter:
    """Collects tensors and operations; `finish` gives the file's bytes."""

    def __init__(self, dtype: str = "int8", weight_dtype: str | None = None) -> None:
        self.dtype, self.weight_dtype = dtype, weight_dtype or dtype
        self._tensors: list[TensorRecord] = []
        self._operations: list[OperationRecord] = []
        self._inputs: list[int] = []
        self._outputs: list[int] = []

    # Tensors

    def tensor(
        self,
        shape: Sequence[int],
        quantization: Quantization | None,
        dtype: str | None = None,
        data: ArrayLike | None = None,
        name: str = "",
    ) -> TensorRef:
        """A tensor; a constant if it has data."""
        dtype = dtype or self.dtype
        index = len(self._tensors)
        ref = TensorRef(index, tuple(int(n) for n in shape), dtype, quantization)
        values = None if data is None else np.asarray(data, dtype=TYPES[dtype][1])
        if values is not None and values.shape != ref.shape:
            raise ValueError(f"data of shape {values.shape} for a tensor of {ref.shape}")
        self._tensors.append(TensorRecord(ref, name or f"tensor_{index}", values))
        return ref

    def constant(self, values: ArrayLike, dtype: str, quantization: Quantization | None = None) -> TensorRef:
        """A constant tensor."""
        values = np.asarray(values)
        return self.tensor(values.shape, quantization, dtype, values)

    def input(
        self,
        shape: Sequence[int],
        quantization: Quantization | None,
        dtype: str | None = None,
        name: str = "",
    ) -> TensorRef:
        """A model input; shape includes the batch of 1."""
        ref = self.tensor(shape, quantization, dtype, name=name)
        self._inputs.append(ref.index)
        return ref

    def output(self, ref: TensorRef) -> None:
        """Declare a model output."""
        self._outputs.append(ref.index)

    # Operations

    def operation(
        self,
        kind: str,
        inputs: Sequence[TensorRef | None],
        shape: Sequence[int],
        quantization: Quantization | None,
        options: str = "",
        dtype: str | None = None,
        **fields: Any,
    ) -> TensorRef:
        """Any operation with one output: schema names for the kind, its options and their fields."""
        out = self.tensor(shape, quantization, dtype)
        indices = [-1 if ref is None else ref.index for ref in inputs]
        self._operations.append(OperationRecord(kind, indices, [out.index], options, fields))
        return out

    def conv(
        self,
        x: TensorRef,
        weights: ArrayLike,
        scales: Sequence[float],
        bias: ArrayLike | None,
        out: Quantization,
        stride: tuple[int, int] = (1, 1),
        padding: str = "SAME",
        activation: str = "NONE",
        dilation: tuple[int, int] = (1, 1),
        weight_zero_point: int = 0,
    ) -> TensorRef:
        """CONV_2D with weights (O, KH, KW, C/groups) and one scale or one an output."""
        weights = np.asarray(weights)
        q = Quantization(scales, weight_zero_point, 0)
        size = _window_size(x.shape, weights.shape[1:3], stride, padding, dilation)
        return self.operation(
            "CONV_2D",
            [x, self.constant(weights, self.weight_dtype, q), self._bias(x, q, bias)],
            (1, *size, weights.shape[0]),
            out,
            "Conv2DOptions",
            **_window_fields(padding, stride, activation),
            DilationHFactor=dilation[0],
            DilationWFactor=dilation[1],
        )

    def depthwise(
        self,
        x: TensorRef,
        weights: ArrayLike,
        scales: Sequence[float],
        bias: ArrayLike | None,
        out: Quantization,
        stride: tuple[int, int] = (1, 1),
        padding: str = "SAME",
        activation: str = "NONE",
        dilation: tuple[int, int] = (1, 1),
        weight_zero_point: int = 0,
    ) -> TensorRef:
        """DEPTHWISE_CONV_2D with weights (KH, KW, C * multiplier)."""
        weights = np.asarray(weights)[None]
        q = Quantization(scales, weight_zero_point, 3)
        size = _window_size(x.shape, weights.shape[1:3], stride, padding, dilation)
        return self.operation(
            "DEPTHWISE_CONV_2D",
            [x, self.constant(weights, self.weight_dtype, q), self._bias(x, q, bias)],
            (1, *size, weights.shape[3]),
            out,
            "DepthwiseConv2DOptions",
            **_window_fields(padding, stride, activation),
            DepthMultiplier=weights.shape[3] // x.shape[3],
            DilationHFactor=dilation[0],
            DilationWFactor=dilation[1],
        )

    def dense(
        self,
        x: TensorRef,
        weights: ArrayLike,
        scales: Sequence[float],
        bias: ArrayLike | None,
        out: Quantization,
        activation: str = "NONE",
        keep_dims: bool = False,
        weight_zero_point: int = 0,
    ) -> TensorRef:
        """FULLY_CONNECTED with weights (O, I)."""
        weights = np.asarray(weights)
        q = Quantization(scales, weight_zero_point, 0)
        shape = (*x.shape[:-1], weights.shape[0]) if keep_dims else (1, weights.shape[0])
        return self.operation(
            "FULLY_CONNECTED",
            [x, self.constant(weights, self.weight_dtype, q), self._bias(x, q, bias)],
            shape,
            out,
            "FullyConnectedOptions",
            FusedActivationFunction=_activation(activation),
            KeepNumDims=keep_dims,
        )

    def add(self, a: TensorRef, b: TensorRef, out: Quantization, activation: str = "NONE") -> TensorRef:
        """ADD; the output has the shape of the larger operand."""
        shape = a.shape if np.prod(a.shape) >= np.prod(b.shape) else b.shape
        fused = _activation(activation)
        return self.operation("ADD", [a, b], shape, out, "AddOptions", FusedActivationFunction=fused)

    def concat(
        self, parts: Sequence[TensorRef], out: Quantization | None = None, activation: str = "NONE"
    ) -> TensorRef:
        """CONCATENATION along the last axis; without `out` the output is quantised as the first part."""
        shape = (*parts[0].shape[:-1], sum(part.shape[-1] for part in parts))
        fused = _activation(activation)
        return self.operation(
            "CONCATENATION", list(parts), shape, out or parts[0].quantization, "ConcatenationOptions",
            Axis=len(shape) - 1, FusedActivationFunction=fused,
        )  # fmt: skip

    def pool(
        self,
        kind: str,
        x: TensorRef,
        window: tuple[int, int],
        stride: tuple[int, int],
        padding: str = "VALID",
        activation: str = "NONE",
    ) -> TensorRef:
        """AVERAGE_POOL_2D or MAX_POOL_2D (`kind` "AVERAGE" or "MAX")."""
        size = _window_size(x.shape, window, stride, padding, (1, 1))
        return self.operation(
            f"{kind}_POOL_2D",
            [x],
            (1, *size, x.shape[3]),
            x.quantization,
            "Pool2DOptions",
            **_window_fields(padding, stride, activation),
            FilterHeight=window[0],
            FilterWidth=window[1],
        )

    def mean(
        self, x: TensorRef, out: Quantization, axes: Sequence[int] = (1, 2), keep: bool = True
    ) -> TensorRef:
        """MEAN over axes."""
        inside = [a % len(x.shape) for a in axes]
        kept = [1 if i in inside else n for i, n in enumerate(x.shape)]
        shape = kept if keep else [n for i, n in enumerate(x.shape) if i not in inside]
        axis = self.constant(np.asarray(axes), "int32")
        return self.operation("MEAN", [x, axis], shape, out, "ReducerOptions", KeepDims=keep)

    def pad(self, x: TensorRef, amounts: ArrayLike, value: int | None = None) -> TensorRef:
        """PAD with (before, after) a dimension; PADV2 if there is a value."""
        amounts = np.asarray(amounts)
        shape = [n + int(a[0] + a[1]) for n, a in zip(x.shape, amounts, strict=True)]
        inputs = [x, self.constant(amounts, "int32")]
        if value is None:
            return self.operation("PAD", inputs, shape, x.quantization, "PadOptions")
        inputs.append(self.constant([value], x.dtype, x.quantization))
        return self.operation("PADV2", inputs, shape, x.quantization, "PadV2Options")

    def reshape(self, x: TensorRef, shape: Sequence[int]) -> TensorRef:
        """RESHAPE."""
        inputs = [x, self.constant(np.asarray(shape), "int32")]
        return self.operation("RESHAPE", inputs, shape, x.quantization, "ReshapeOptions")

    def softmax(self, x: TensorRef, beta: float = 1.0) -> TensorRef:
        """SOFTMAX; scale 1/256 and the lowest zero point."""
        out = Quantization(1 / 256, 0 if x.dtype == "uint8" else -128)
        return self.operation("SOFTMAX", [x], x.shape, out, "SoftmaxOptions", Beta=beta)

    def elementwise(self, kind: str, x: TensorRef, out: Quantization, dtype: str | None = None) -> TensorRef:
        """RELU, RELU6, RELU_N1_TO_1, LOGISTIC, TANH, QUANTIZE: one input, same shape."""
        return self.operation(kind, [x], x.shape, out, dtype=dtype)

    def dequantize(self, x: TensorRef) -> TensorRef:
        """DEQUANTIZE to float32."""
        return self.operation("DEQUANTIZE", [x], x.shape, None, dtype="float32")

    def argmax(self, x: TensorRef) -> TensorRef:
        """ARG_MAX over the last dimension, int32."""
        inputs = [x, self.constant(np.asarray(len(x.shape) - 1), "int32")]
        kind = tflite.TensorType.INT32
        return self.operation(
            "ARG_MAX", inputs, x.shape[:-1], None, "ArgMaxOptions", dtype="int32", OutputType=kind
        )

    def _bias(self, x: TensorRef, weights: Quantization, bias: ArrayLike | None) -> TensorRef | None:
        if bias is None:
            return None
        if x.quantization is None:
            raise ValueError("the input has no scale")
        scales = x.quantization.scales[0] * weights.scales
        return self.constant(bias, "int32", Quantization(scales.tolist(), 0, 0))

    def finish(self) -> bytes:
        """The file's bytes."""
        return assemble(self._tensors, self._operations, self._inputs, self._outputs)


def _window_size(
    shape: tuple[int, ...],
    kernel: Sequence[int],
    stride: tuple[int, int],
    padding: str,
    dilation: tuple[int, int],
) -> tuple[int, int]:
    """(H, W) of the output of a window over (1, H, W, C)."""
    sizes = []
    for length, k, step, spread in zip(shape[1:3], kernel, stride, dilation, strict=True):
        taken = 1 if padding == "SAME" else (k - 1) * spread + 1
        sizes.append((length - taken) // step + 1)
    return sizes[0], sizes[1]


def _window_fields(padding: str, stride: tuple[int, int], activation: str) -> dict[str, Any]:
    return {
        "Padding": getattr(tflite.Padding, padding),
        "StrideH": stride[0],
        "StrideW": stride[1],
        "FusedActivationFunction": _activation(activation),
    }


def _activation(name: str) -> int:
    return getattr(tflite.ActivationFunctionType, name)
