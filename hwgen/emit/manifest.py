"""manifest.json: everything that somebody who connects, simulates or drives a core has to know.

Schema 2 (JSON object):

- ``schema`` 2, ``hwgen`` its version, ``core`` name of the Verilog module, ``clock`` and ``reset`` (rising
  edge; active high, synchronous; not needed after configuration of an FPGA);
- ``model``: ``{"file", "sha256"}`` of the model file or null; ``runtime``: the rule that the integers follow;
- ``interval``: planned clocks between inferences, or null;
- ``ports``: the streams. Each is ``<name>_payload``, ``<name>_valid``, ``<name>_ready`` in the Verilog.
  ``direction`` "in" or "out", ``tensor``, ``layer`` (what makes it, "" for an input), ``shape`` [H, W, C],
  ``lanes`` elements a beat (a divisor of C), ``width`` bits and ``signed`` of each, ``range`` [lo, hi] of
  the values, ``order`` "HWC": channel runs fastest, channel 0 of a beat in the low bits. Payload is held
  while valid and not ready; valid never waits for ready; frames follow back to back without markers;
- ``taps``: the same with direction "tap": ``<name>_payload`` is a word of an inner stream in each clock in
  which ``<name>_valid`` is high; there is no ready. In the order of the layers;
- ``layers``: ``name``, ``kind``, ``inputs``, ``output`` (tensors), ``shape``, ``range``, ``macs``,
  ``weights``, ``description``, in the order of computation;
- ``edges``: how the model's user sees inputs and outputs, and what the host does there (emit/edges.py);
- ``axi_stream``: the core as an AXI4-Stream peripheral (emit/axi.py), or null.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from hwgen.emit.edges import EdgeEntry
from hwgen.ir.graph import Graph
from hwgen.ir.tensor import Shape, Tensor
from hwgen.numeric.ranges import Range
from hwgen.support.errors import UsageError
from hwgen.support.files import write_atomic

SCHEMA = 2
ORDER = "HWC"


@dataclass(frozen=True)
class StreamPort:
    """A stream at the core's edge, or a tap on an inner one. ValueError if it contradicts itself."""

    name: str
    direction: str  # "in", "out" or "tap"
    tensor: str
    shape: Shape
    lanes: int
    range: Range
    layer: str = ""

    def __post_init__(self) -> None:
        if self.direction not in ("in", "out", "tap"):
            raise ValueError(f"{self.name}: direction must be in, out or tap, not {self.direction!r}")
        if self.lanes < 1 or self.shape[2] % self.lanes:
            raise ValueError(f"{self.name}: {self.lanes} lanes do not divide {self.shape[2]} channels")

    @property
    def bits(self) -> int:
        """Width of the payload."""
        return self.lanes * self.range.width

    @property
    def beats(self) -> int:
        """Words of one sample."""
        return self.shape[0] * self.shape[1] * self.shape[2] // self.lanes

    def to_dict(self) -> dict[str, Any]:
        """As in the schema."""
        return {
            "name": self.name,
            "direction": self.direction,
            "tensor": self.tensor,
            "layer": self.layer,
            "shape": list(self.shape),
            "lanes": self.lanes,
            "width": self.range.width,
            "signed": self.range.signed,
            "range": [self.range.lo, self.range.hi],
            "order": ORDER,
        }

    @classmethod
    def of(cls, name: str, direction: str, graph: Graph, tensor: str, lanes: int) -> StreamPort:
        """Port `name` that carries a tensor of the graph."""
        what: Tensor = graph.tensors[tensor]
        made_by = graph.producer(tensor)
        return cls(name, direction, tensor, what.shape, lanes, what.range, made_by.name if made_by else "")


@dataclass(frozen=True)
class LayerEntry:
    """One node of the graph, for people and reports."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    output: str
    shape: Shape
    range: tuple[int, int]
    macs: int
    weights: int
    description: str


@dataclass(frozen=True)
class Manifest:
    """The schema above as an object."""

    core: str
    runtime: str
    ports: tuple[StreamPort, ...]
    taps: tuple[StreamPort, ...] = ()
    layers: tuple[LayerEntry, ...] = ()
    edges: tuple[EdgeEntry, ...] = ()
    model: Mapping[str, str] | None = None
    interval: int | None = None
    axi_stream: Mapping[str, Any] | None = None
    clock: str = "clk"
    reset: str = "rst"
    hwgen: str = field(default_factory=lambda: version())

    def __post_init__(self) -> None:
        names = [port.name for port in (*self.ports, *self.taps)]
        if len(set(names)) != len(names):
            raise ValueError("two ports of a manifest have the same name")

    @property
    def inputs(self) -> list[StreamPort]:
        """Streams into the core."""
        return [port for port in self.ports if port.direction == "in"]

    @property
    def outputs(self) -> list[StreamPort]:
        """Streams out of the core."""
        return [port for port in self.ports if port.direction == "out"]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as in the schema."""
        return {
            "schema": SCHEMA,
            "hwgen": self.hwgen,
            "core": self.core,
            "clock": self.clock,
            "reset": self.reset,
            "model": dict(self.model) if self.model else None,
            "runtime": self.runtime,
            "interval": self.interval,
            "ports": [port.to_dict() for port in self.ports],
            "taps": [port.to_dict() for port in self.taps],
            "layers": [_plain(asdict(layer)) for layer in self.layers],
            "edges": [_plain(edge.to_dict()) for edge in self.edges],
            "axi_stream": dict(self.axi_stream) if self.axi_stream else None,
        }

    def to_json(self) -> str:
        """Text of manifest.json."""
        return json.dumps(self.to_dict(), indent=1) + "\n"

    def write(self, path: Path) -> None:
        """Write manifest.json; it appears whole or not at all."""
        write_atomic(path, self.to_json())

    @classmethod
    def of(
        cls,
        graph: Graph,
        core: str,
        ports: list[StreamPort],
        taps: list[StreamPort] | None = None,
        *,
        model: Path | None = None,
        interval: int | None = None,
    ) -> Manifest:
        """Manifest of a core that computes `graph`."""
        layers = tuple(
            LayerEntry(
                node.name,
                node.kind,
                tuple(node.inputs),
                node.output,
                graph.tensors[node.output].shape,
                (graph.tensors[node.output].range.lo, graph.tensors[node.output].range.hi),
                int(node.macs(graph.node_inputs(node))),
                int(node.weight_count()),
                node.describe(),
            )
            for node in graph.nodes
        )
        by_tensor = {(port.direction, port.tensor): port.name for port in ports}
        edges = tuple(
            EdgeEntry(by_tensor.get((direction, edge.tensor)), edge)
            for direction, side in (("in", graph.inputs), ("out", graph.outputs))
            for edge in side
        )
        source = {"file": model.name, "sha256": file_sha256(model)} if model is not None else None
        return cls(core, graph.runtime, tuple(ports), tuple(taps or ()), layers, edges, source, interval)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Manifest:
        """Back from plain data. UsageError if it is no manifest of this schema."""
        try:
            if data["schema"] != SCHEMA:
                raise UsageError(
                    f"schema {data['schema']!r} is not {SCHEMA}",
                    where="manifest",
                    hint="run `hwgen generate` again",
                )
            return cls(
                core=data["core"],
                runtime=data["runtime"],
                ports=tuple(_port(item) for item in data["ports"]),
                taps=tuple(_port(item) for item in data["taps"]),
                layers=tuple(_layer(item) for item in data["layers"]),
                edges=tuple(EdgeEntry.from_dict(item) for item in data["edges"]),
                model=data["model"],
                interval=data["interval"],
                axi_stream=data.get("axi_stream"),
                clock=data["clock"],
                reset=data["reset"],
                hwgen=data["hwgen"],
            )
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise UsageError(f"not a manifest ({type(error).__name__}: {error})", where="manifest") from error

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read manifest.json. UsageError if it cannot be read."""
        try:
            data = json.loads(Path(path).read_text())
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot be read: {error}", where=str(path)) from error
        return cls.from_dict(data)


def version() -> str:
    """hwgen's version; "unknown" in a checkout that is not installed."""
    try:
        return metadata.version("hwgen")
    except metadata.PackageNotFoundError:
        return "unknown"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's contents, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _port(item: Mapping[str, Any]) -> StreamPort:
    height, width, channels = item["shape"]
    return StreamPort(
        item["name"],
        item["direction"],
        item["tensor"],
        (height, width, channels),
        item["lanes"],
        Range(*item["range"]),
        item["layer"],
    )


def _layer(item: Mapping[str, Any]) -> LayerEntry:
    height, width, channels = item["shape"]
    low, high = item["range"]
    values = {
        **item,
        "shape": (height, width, channels),
        "range": (low, high),
        "inputs": tuple(item["inputs"]),
    }
    return LayerEntry(**values)


def _plain(value: Any) -> Any:
    """Tuples to lists, as they come back from JSON."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
