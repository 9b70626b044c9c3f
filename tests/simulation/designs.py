"""The designs that are simulated as boards: trained digits on both engines, quickly built."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import hwgen
from hwgen.design import Design
from hwgen.golden.run import execute

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits"
NAMES = ("stream", "systolic")


def compiled(name: str, folder: Path) -> Design:
    """stream: ulx3s-85f, a unit a layer; systolic: icebreaker, one array."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == "stream":
        return hwgen.compile(EXAMPLE / "digits.tflite", "ulx3s-85f", fps=10_000, out=folder)
    return hwgen.compile(EXAMPLE / "digits_mobile.tflite", "icebreaker", engine="systolic", out=folder)


def model(name: str) -> Path:
    """The model file of a design."""
    return EXAMPLE / ("digits.tflite" if name == "stream" else "digits_mobile.tflite")


def wanted(design: Design, x: np.ndarray) -> np.ndarray:
    """The core's output bytes, (N, C), of int8 inputs."""
    lowered = getattr(design, "lowered", None)
    graph = lowered.graph if lowered else design.graph  # type: ignore[attr-defined]
    name = lowered.outputs[0] if lowered else graph.outputs[0].tensor
    values = execute(graph, {graph.inputs[0].tensor: x.astype(np.int64)}, keep=True)
    return values[name].reshape(len(x), -1)
