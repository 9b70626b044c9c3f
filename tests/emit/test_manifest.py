"""manifest.json and the bench shell that is made from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwgen.emit.manifest import Manifest, StreamPort
from hwgen.emit.testbench import bench_verilog, write_testbench
from hwgen.ir.graph import Graph
from hwgen.ir.tensor import Affine, Edge, Tensor
from hwgen.layers.reshape.op import Reshape
from hwgen.numeric.ranges import Range
from hwgen.support.errors import UsageError


def graph() -> Graph:
    g = Graph("net", "tflm")
    g.add_input(
        Edge("audio", "x", (2, 6), "float32", Affine(0.5, -3)), Tensor("x", (1, 2, 6), Range(-128, 127))
    )
    g.add(Reshape(name="flat", inputs=("x",), output="y", shape=(1, 1, 12)))
    g.add_output(Edge("scores", "y", (12,), "int8"))
    return g


def manifest(**changes) -> Manifest:
    g = graph()
    ports = [StreamPort.of("i", "in", g, "x", 2), StreamPort.of("o", "out", g, "y", 4)]
    taps = [StreamPort.of("tap_0", "tap", g, "y", 4)]
    return Manifest.of(g, changes.get("core", "net"), ports, taps, interval=6)


def test_round_trip(tmp_path: Path) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(b"abc")
    g = graph()
    facts = Manifest.of(
        g, "net", [StreamPort.of("i", "in", g, "x", 2), StreamPort.of("o", "out", g, "y", 4)], model=model
    )
    facts.write(tmp_path / "manifest.json")
    again = Manifest.read(tmp_path / "manifest.json")
    assert again.to_dict() == facts.to_dict()
    data = json.loads((tmp_path / "manifest.json").read_text())
    assert data["schema"] == 2
    assert data["model"]["file"] == "net.tflite"
    assert data["model"]["sha256"].startswith("ba7816bf")
    assert data["ports"][0] == {
        "name": "i", "direction": "in", "tensor": "x", "layer": "", "shape": [1, 2, 6], "lanes": 2,
        "width": 8, "signed": True, "range": [-128, 127], "order": "HWC",
    }  # fmt: skip
    assert data["ports"][1]["layer"] == "flat"
    assert data["layers"][0]["kind"] == "reshape"
    assert data["edges"][0]["port"] == "i"
    assert (data["edges"][0]["scale"], data["edges"][0]["zero_point"]) == (0.5, -3)
    assert data["edges"][1]["scale"] is None


def test_lanes_divide_channels() -> None:
    with pytest.raises(ValueError, match="do not divide"):
        StreamPort.of("i", "in", graph(), "x", 4)


@pytest.mark.parametrize(
    "change", [{"schema": 1}, {"edges": [{}]}, {"ports": [{}]}, {"ports": 5}, {"clock": None, "schema": None}]
)
def test_what_is_no_manifest(change: dict) -> None:
    with pytest.raises(UsageError, match="manifest"):
        Manifest.from_dict({**manifest().to_dict(), **change})


def test_unreadable_manifest(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        Manifest.read(tmp_path / "manifest.json")


def test_bench_joins_every_stream() -> None:
    text = bench_verilog(manifest())
    assert "net dut (" in text
    for port in ("i", "o", "tap_0"):
        assert f".{port}_payload({port}_payload)" in text
        assert f'.NAME("{port}")' in text
    assert ".tap_0_ready" not in text


def test_names_that_cannot_stand_in_verilog(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot stand in Verilog"):
        bench_verilog(manifest(core="net; endmodule"))
    with pytest.raises(UsageError, match="cannot stand in a makefile"):
        write_testbench(tmp_path, manifest(), "$(shell x).v", {})
