"""Any model file to the IR, by its content."""

from __future__ import annotations

import gzip
import zlib
from io import BytesIO
from pathlib import Path

from hwgen.ir.graph import Graph
from hwgen.support.errors import ModelError

MAX_FILE = 256 << 20
RUNTIMES = ("tflm", "litert", "ort", "ort-fused", "qonnx")
"""Whose arithmetic a graph can be exact to: the first two for TFLite, then ONNX, then QONNX."""


def load_graph(path: str | Path, runtime: str | None = None) -> Graph:
    """The graph of a .tflite or .onnx file.

    runtime: "tflm" (default) or "litert" for TFLite, "ort" (onnxruntime; default) or
    "ort-fused" for ONNX, "qonnx" (its executor; the only one) for QONNX.
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
    from hwgen.frontend import onnx_qdq, qonnx
    from hwgen.frontend.onnx.proto import parse

    model = parse(_unpacked(data, path))
    name = path.name.removesuffix(".gz").removesuffix(".onnx")
    if qonnx.speaks(model) or runtime in qonnx.RUNTIMES:
        return qonnx.load_model(model, name, runtime or "qonnx")
    return onnx_qdq.load_model(model, name, runtime or "ort")


def _unpacked(data: bytes, path: Path) -> bytes:
    """The bytes of a .gz file, bounded like any other; else the data itself."""
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        with gzip.GzipFile(fileobj=BytesIO(data)) as file:
            content = file.read(MAX_FILE + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ModelError("is a damaged .gz file", where=str(path)) from error
    if len(content) > MAX_FILE:
        raise ModelError(f"unpacks to more than the {MAX_FILE} bytes that hwgen reads", where=str(path))
    return content


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
