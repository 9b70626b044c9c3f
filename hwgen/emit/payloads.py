"""What a build folder says about the bytes on the link: the model's arrays as RUN payloads, and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwgen.emit.manifest import Manifest, StreamPort
from hwgen.frontend.load import load_graph
from hwgen.golden.edges import enter, leave
from hwgen.golden.run import execute
from hwgen.ir.graph import Graph
from hwgen.ir.tensor import Edge, Tensor
from hwgen.passes.run import run_passes
from hwgen.plan.systolic.layout import offset_of
from hwgen.runtime.link import BAUD, Engine, element_bytes, pack_tensor, unpack_tensor
from hwgen.support.errors import UsageError

_HINT = "run `hwgen build` again"
_IMAGE, _CHECKSUM = "image.bin", 28  # the image's CRC-32 is in its header (program/image.py)


@dataclass(frozen=True)
class Payloads:
    """The model's arrays as payloads and back.

    engine, design_id: of the board that this is for. inputs, outputs: bytes of the payloads. baud: that the
    board was built with. clocks: planned for an inference, 0 where they are not known.

    Where the hardware ends before the model does (a systolic engine leaves a softmax to the host), the rest
    is the golden model's.
    """

    manifest: Manifest
    engine: Engine
    design_id: int
    baud: float
    folder: Path

    @classmethod
    def of(cls, folder: str | Path) -> Payloads:
        """Read a build folder. UsageError: it is none, or not whole."""
        folder = Path(folder)
        if not (folder / "manifest.json").is_file():
            raise UsageError("is no build folder", where=str(folder), hint="run `hwgen build` first")
        manifest = Manifest.read(folder / "manifest.json")
        if len(manifest.inputs) != 1 or len(manifest.outputs) != 1 or len(manifest.edges) != 2:
            raise UsageError("the link carries one input and one output", where=str(folder))
        record = _record(folder)
        engine = Engine.SYSTOLIC if record.get("engine") == "systolic" else Engine.STREAM
        baud = record.get("baud", BAUD)
        if isinstance(baud, bool) or not isinstance(baud, int | float) or not 0 < baud < 1e9:
            raise UsageError(f"baud is {baud!r}", where=str(folder / "design.json"), hint=_HINT)
        if engine is Engine.SYSTOLIC:
            design_id = int.from_bytes(_bytes(folder / _IMAGE)[_CHECKSUM:][:4], "little")
        elif manifest.model is not None:
            design_id = int(manifest.model["sha256"][:8], 16)
        else:
            raise UsageError("names no model", where=str(folder / "manifest.json"), hint=_HINT)
        return cls(manifest, engine, design_id, float(baud), folder)

    @property
    def entry(self) -> Edge:
        """The model's input."""
        return self.manifest.edges[0].edge

    @property
    def exit(self) -> Edge:
        """The model's output."""
        return self.manifest.edges[1].edge

    @property
    def inputs(self) -> int:
        """Bytes of a RUN."""
        return _bytes_of(self.manifest.inputs[0])

    @property
    def outputs(self) -> int:
        """Bytes of its answer."""
        return _bytes_of(self.manifest.outputs[0])

    @property
    def clocks(self) -> int:
        """Planned for an inference."""
        return self.manifest.interval or 0

    def enter(self, x: NDArray) -> list[bytes]:
        """Payloads of the model's own input array, batch first. UsageError: it is none."""
        port = self.manifest.inputs[0]
        tensor = self._tensor(port)
        values = enter(self.entry, tensor, x) - self._offset(tensor)
        return [pack_tensor(each, port.range.width) for each in values]

    def leave(self, given: Sequence[bytes]) -> NDArray:
        """The model's own output array, batch first, of the answers' payloads."""
        port = self.manifest.outputs[0]
        tensor = self._tensor(port)
        rows = [unpack_tensor(each, port.range.width, port.range.signed) for each in given]
        values = np.array(rows, dtype=np.int64).reshape(len(rows), *port.shape) + self._offset(tensor)
        name = self.exit.tensor
        if port.tensor != name:
            values = execute(self._behind, {port.tensor: values})[name]
            tensor = self._graph.tensors[name]
        return leave(self.exit, tensor, values)

    def _tensor(self, port: StreamPort) -> Tensor:
        """What the port carries; a systolic engine's port carries its bytes."""
        if self.engine is Engine.SYSTOLIC:
            return self._graph.tensors[port.tensor]
        return Tensor(port.tensor, port.shape, port.range)

    def _offset(self, tensor: Tensor) -> int:
        return (offset_of(tensor.range) or 0) if self.engine is Engine.SYSTOLIC else 0

    @cached_property
    def _graph(self) -> Graph:
        """The network as the engine computes it, from the folder's copy of the model."""
        record = _record(self.folder)
        path = self.folder / Path(str(record.get("model", "model"))).name
        if self.manifest.model is None or _sha256(path) != self.manifest.model["sha256"]:
            raise UsageError("is not the model that was built", where=str(path), hint=_HINT)
        graph = run_passes(load_graph(path, self.manifest.runtime), "systolic")
        if not {port.tensor for port in self.manifest.ports} <= graph.tensors.keys():
            raise UsageError("was made by another hwgen", where=str(self.folder), hint=_HINT)
        return graph

    @cached_property
    def _behind(self) -> Graph:
        """What the host computes: the network from the hardware's output on."""
        start = self._graph.tensors[self.manifest.outputs[0].tensor]
        rest = Graph(self._graph.name, self._graph.runtime)
        rest.add_input(Edge(start.name, start.name, start.shape, "int64"), start)
        for node in self._graph.nodes:
            if all(name in rest.tensors for name in node.inputs):
                rest.add(node)
        rest.add_output(self.exit)
        return rest


def _bytes_of(port: StreamPort) -> int:
    return port.beats * port.lanes * element_bytes(port.range.width)


def _record(folder: Path) -> dict[str, Any]:
    """design.json."""
    path = folder / "design.json"
    try:
        found = json.loads(path.read_text())
        if not isinstance(found, dict):
            raise ValueError("no object")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot be read: {error}", where=str(path), hint=_HINT) from error
    return found


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read: {error}", where=str(path), hint=_HINT) from error


def _sha256(path: Path) -> str:
    return hashlib.sha256(_bytes(path)).hexdigest()
