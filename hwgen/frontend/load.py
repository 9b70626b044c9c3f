"""Any model file to the IR, by its content."""

from __future__ import annotations

from pathlib import Path

from hwgen.ir.graph import Graph
from hwgen.support.errors import ModelError

MAX_FILE = 256 << 20
RUNTIMES = ("tflm", "litert", "ort", "ort-fused")
"""Whose arithmetic a graph can be exact to: the first two for TFLite, the others for ONNX."""


def load_graph(path: str | Path, runtime: str | None = None) -> Graph:
    """The graph of a .tflite or .onnx file.

    runtime: "tflm" (default) or "litert" for TFLite, "ort" (onnxruntime; default) or
    "ort-fused" for ONNX.
    """
    path = Path(path)
    data = _read(path)
    if data[4:8] == b"TFL3":
        from hwgen.frontend import tflite

        return tflite.load(data, path.stem, runtime or "tflm")
    if path.suffix.lower() == ".tflite":
        raise ModelError(
            "not a .tflite file (no TFL3 mark)", where=str(path), hint="is the download complete?"
        )
    from hwgen.frontend import onnx_qdq

    return onnx_qdq.load(data, path.stem, runtime) if runtime else onnx_qdq.load(data, path.stem)


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ModelError("is a folder, not a model file", where=str(path))
        size = path.stat().st_size
        if size > MAX_FILE:
            raise ModelError(f"{size} bytes are more than the {MAX_FILE} that hwgen reads", where=str(path))
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"cannot be read ({error.strerror})", where=str(path), hint="check the path"
        ) from error
    if len(data) < 16:
        raise ModelError(f"only {len(data)} bytes", where=str(path), hint="give a .tflite or .onnx model")
    return data
