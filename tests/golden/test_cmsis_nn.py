"""Layers equal CMSIS-NN's own unit test vectors, integer for integer (multiplier and shift given)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwgen.ir.node import Node
from hwgen.layers.add.golden import run as run_add
from hwgen.layers.add.op import Add
from hwgen.layers.conv.golden import run as run_conv
from hwgen.layers.conv.importers_tflite import ungrouped
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.golden import run as run_depthwise
from hwgen.layers.depthwise.importers_tflite import across_channels
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.maxpool.golden import run as run_maxpool
from hwgen.layers.maxpool.op import MaxPool
from hwgen.layers.requantize import requantize_fixed, table
from hwgen.layers.softmax.golden import run as run_softmax
from hwgen.layers.softmax.importers_tflite import exponentials_fixed
from hwgen.layers.softmax.op import Softmax
from hwgen.layers.sumpool.golden import run as run_sumpool
from hwgen.layers.sumpool.importers_tflite import areas, division
from hwgen.layers.sumpool.op import SumPool
from hwgen.layers.tflite_linear import spread, unpacked
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints, multiply_double_rounding

INT8 = Range(-128, 127)
CONVS = [
    "basic",
    "basic_2_int4",
    "conv_1_x_n_1_int4",
    "conv_1_x_n_2",
    "conv_1_x_n_3_int4",
    "conv_1_x_n_4",
    "conv_1_x_n_5_int4",
    "conv_1_x_n_6_generic",
    "conv_1_x_n_8",
    "conv_2x2_dilation",
    "conv_2x2_dilation_5x5_input_int4",
    "conv_2x3_dilation",
    "conv_2x3_dilation_int4",
    "conv_3x2_dilation",
    "conv_3x2_dilation_int4",
    "conv_4",
    "conv_4_int4",
    "conv_dilation_golden",
    "conv_dilation_golden_int4",
    "grouped_conv",
    "grouped_conv_2",
    "grouped_conv_4",
    "in_ch_one_out_ch_larger_one",
    "kernel1x1_int4",
    "kernel1x1_int4_3",
    "kernel1x1_stride_x",
    "kernel1x1_stride_x_y_1",
    "kernel1x1_stride_x_y_1_int4",
    "kernel1x1_stride_x_y_int4",
    "stride2pad1",
]
DEPTHWISE = [
    "depthwise_2",
    "depthwise_eq_in_out_ch",
    "depthwise_int4_1",
    "depthwise_int4_3",
    "depthwise_int4_generic",
    "depthwise_int4_generic_3",
    "depthwise_int4_generic_5",
    "depthwise_kernel_3x3_null_bias",
    "depthwise_null_bias_0",
    "depthwise_out_activation",
    "depthwise_x_stride",
]
DENSE = [
    "fc_per_ch",
    "fully_connected_int4",
    "fully_connected_int4_3",
    "fully_connected_int4_5",
    "fully_connected_mve_0",
    "fully_connected_null_bias_0",
    "fully_connected_w_zp",
]


class Vector:
    """One .npz: arrays as int64, configuration as attributes by their name in CMSIS-NN."""

    def __init__(self, models: Path, name: str) -> None:
        with np.load(models / "cmsis_nn" / "vectors" / f"{name}.npz") as data:
            self.config: dict[str, Any] = json.loads(str(data["config"]))
            self.arrays = {
                key: data[key].astype(np.int64) for key in data.files if data[key].dtype.kind == "i"
            }
            self.int4 = str(data["op"]).endswith("_s4")

    def __getitem__(self, key: str) -> Any:
        return self.config[key]

    def weights(self, shape: tuple[int, ...]) -> Ints:
        """The filter; int4 is two a byte."""
        raw = self.arrays["weights"]
        return unpacked(raw.astype(np.uint8), shape) if self.int4 else raw.reshape(shape)

    @property
    def clamp(self) -> Range:
        return Range(self["OUT_ACTIVATION_MIN"], self["OUT_ACTIVATION_MAX"])

    def check(self, result: Ints) -> None:
        np.testing.assert_array_equal(result.ravel(), self.arrays["output"])


def window_of(v: Vector, kernel: tuple[int, int]) -> Window:
    """CMSIS-NN gives the leading padding and the output's size; what follows from them is behind."""
    pads = []
    sides = (("H", "Y", kernel[0]), ("W", "X", kernel[1]))
    for side, axis, size in sides:
        before = v[f"PAD_{axis}"]
        needed = (v[f"OUTPUT_{side}"] - 1) * v[f"STRIDE_{axis}"] + size - v[f"INPUT_{side}"] - before
        pads += [before, max(needed, 0)]
    return Window(kernel, (v["STRIDE_Y"], v["STRIDE_X"]), (pads[0], pads[1], pads[2], pads[3]))


def requantised(node: Conv | Depthwise, v: Vector, multiplier: Ints, shift: Ints) -> None:
    node.act = requantize_fixed(*node.acc_bounds(INT8), multiplier, shift, v["OUTPUT_OFFSET"], v.clamp)


def image(v: Vector, channels: int) -> Ints:
    return v.arrays["input"].reshape(-1, v["INPUT_H"], v["INPUT_W"], channels)


NAMES = {"name": "n", "inputs": ("x",), "output": "y"}


@pytest.mark.parametrize("name", CONVS)
def test_conv(models: Path, name: str) -> None:
    v = Vector(models, name)
    depth = v["IN_CH"]
    shape = (v["OUT_CH"], v["FILTER_Y"], v["FILTER_X"], v.config.get("FILTER_CH", depth))
    dilation = (v["DILATION_Y"], v["DILATION_X"])
    weights = ungrouped(spread(v.weights(shape), dilation, (1, 2)), depth)
    zero = -v["INPUT_OFFSET"]
    bias = v.arrays.get("bias", np.zeros(shape[0], np.int64)) - zero * weights.sum(axis=(1, 2, 3))
    node = Conv(**NAMES, weights=weights, bias=bias, window=window_of(v, weights.shape[1:3]), pad_value=zero)
    requantised(node, v, v.arrays["mult"], v.arrays["shift"])
    v.check(run_conv(node, image(v, depth)))


@pytest.mark.parametrize("name", DEPTHWISE)
def test_depthwise(models: Path, name: str) -> None:
    v = Vector(models, name)
    depth = v["IN_CH"]
    weights = v.weights((v["FILTER_Y"], v["FILTER_X"], v["OUT_CH"]))
    weights = spread(weights, (v["DILATION_Y"], v["DILATION_X"]), (0, 1))
    zero = -v["INPUT_OFFSET"]
    bias = v.arrays["bias"] - zero * weights.sum(axis=(0, 1))
    window = window_of(v, weights.shape[:2])
    x = image(v, depth)
    if v["OUT_CH"] == depth:
        node = Depthwise(**NAMES, weights=weights, bias=bias, window=window, pad_value=zero)
        requantised(node, v, v.arrays["mult"], v.arrays["shift"])
        v.check(run_depthwise(node, x))
    else:
        dense = Conv(
            **NAMES, weights=across_channels(weights, depth), bias=bias, window=window, pad_value=zero
        )
        requantised(dense, v, v.arrays["mult"], v.arrays["shift"])
        v.check(run_conv(dense, x))


@pytest.mark.parametrize("name", DENSE)
def test_dense(models: Path, name: str) -> None:
    v = Vector(models, name)
    x = v.arrays["input"].reshape(v["INPUT_BATCHES"], 1, 1, -1)
    weights = v.weights((v["OUT_CH"], x.shape[3])) + v.config.get("FILTER_OFFSET", 0)
    bias = v.arrays.get("bias", np.zeros(v["OUT_CH"], np.int64)) + v["INPUT_OFFSET"] * weights.sum(axis=1)
    node = Conv(**NAMES, weights=weights[:, None, None, :], bias=bias)
    multiplier = v.arrays.get("mult", np.array([v.config.get("OUTPUT_MULTIPLIER")]))
    requantised(node, v, multiplier, v.arrays.get("shift", np.array([v.config.get("OUTPUT_SHIFT")])))
    v.check(run_conv(node, x))


def pool_window(v: Vector) -> Window:
    kernel = (v["FILTER_H"], v["FILTER_W"])
    pads = []
    for side, size in zip("HW", kernel, strict=True):
        before = v[f"PADDING_{side}"]
        needed = (v[f"OUTPUT_{side}"] - 1) * v[f"STRIDE_{side}"] + size - v[f"INPUT_{side}"] - before
        pads += [before, max(needed, 0)]
    return Window(kernel, (v["STRIDE_H"], v["STRIDE_W"]), (pads[0], pads[1], pads[2], pads[3]))


def pool_clamp(v: Vector) -> Range:
    return Range(v["ACTIVATION_MIN"], v["ACTIVATION_MAX"])


@pytest.mark.parametrize("name", ["avgpooling", "avgpooling_2", "avgpooling_4"])
def test_average_pool(models: Path, name: str) -> None:
    v = Vector(models, name)
    window = pool_window(v)
    act = division(areas(window, (v["INPUT_H"], v["INPUT_W"])), INT8, pool_clamp(v))
    v.check(run_sumpool(SumPool(**NAMES, window=window, act=act), image(v, v["INPUT_C"])))


@pytest.mark.parametrize("name", ["maxpooling", "maxpooling_2", "maxpooling_4", "maxpooling_6"])
def test_max_pool(models: Path, name: str) -> None:
    v = Vector(models, name)
    clamp = pool_clamp(v)
    act = table(np.clip(np.arange(-128, 128), clamp.lo, clamp.hi), -128)
    v.check(run_maxpool(MaxPool(**NAMES, window=pool_window(v), act=act), image(v, v["INPUT_C"])))


def test_add(models: Path) -> None:
    v = Vector(models, "add")
    values = np.arange(-128, 128)
    tables = []
    for i in (1, 2):
        shifted = (values + v[f"INPUT{i}_OFFSET"]) << v["LEFT_SHIFT"]
        tables.append(multiply_double_rounding(shifted, v[f"INPUT{i}_MULT"], v[f"INPUT{i}_SHIFT"]))
    lo, hi = (sum(int(t[end]) for t in tables) for end in (0, -1))
    act = requantize_fixed(lo, hi, v["OUTPUT_MULT"], v["OUTPUT_SHIFT"], v["OUTPUT_OFFSET"], v.clamp)
    node = Add(
        name="n", inputs=("a", "b"), output="y", tables=(tables[0], tables[1]), offsets=(-128, -128), act=act
    )
    a, b = (v.arrays[f"input{i}"].reshape(1, 1, 1, -1) for i in (1, 2))
    v.check(run_add(node, a, b))


def test_softmax(models: Path) -> None:
    v = Vector(models, "softmax")
    exps = exponentials_fixed(v["INPUT_MULT"], v["INPUT_LEFT_SHIFT"], -v["DIFF_MIN"], 256)
    node = Softmax(**NAMES, exps=exps, out_lo=-128)
    v.check(run_softmax(node, v.arrays["input"].reshape(v["NUM_ROWS"], 1, 1, v["ROW_SIZE"])))


def test_a_wrong_shift_is_seen(models: Path) -> None:
    """The comparison can fail: one bit more of shift in one channel changes outputs."""
    v = Vector(models, "fc_per_ch")
    v.arrays["shift"][3] += 1
    x = v.arrays["input"].reshape(1, 1, 1, -1)
    weights = v.weights((v["OUT_CH"], x.shape[3]))
    bias = v.arrays["bias"] + v["INPUT_OFFSET"] * weights.sum(axis=1)
    node: Node = Conv(**NAMES, weights=weights[:, None, None, :], bias=bias)
    assert isinstance(node, Conv)
    requantised(node, v, v.arrays["mult"], v.arrays["shift"])
    assert np.any(run_conv(node, x).ravel() != v.arrays["output"])
