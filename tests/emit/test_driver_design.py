"""The C driver that a design writes: the model's own inputs in, the model's own outputs out."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from device_model import ModelDevice
from test_driver import HERE, STRICT, played

import hwgen
from hwgen.cli.commands.driver import command
from hwgen.golden.run import execute
from hwgen.runtime import link

DIGITS = Path(__file__).parents[2] / "examples" / "digits" / "digits_small.tflite"

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc)")


def built(folder: Path, name: str) -> Path:
    program = folder / "program"
    about = [f"-DNAME=hwgen_{name}", f"-DUPPER=HWGEN_{name.upper()}"]
    about += ["-include", str(folder / "driver" / f"hwgen_{name}.h")]
    for source, flags in ((folder / "driver" / f"hwgen_{name}.c", STRICT), (HERE / "driver_main.c", [])):
        object_file = f"{folder}/{source.stem}.o"
        subprocess.run(["cc", *flags, *about, "-c", str(source), "-o", object_file], check=True)
    objects = [f"{folder}/hwgen_{name}.o", f"{folder}/driver_main.o"]
    subprocess.run(["cc", *objects, "-o", str(program)], check=True)
    return program


def test_stream_engine(tmp_path: Path) -> None:
    design = hwgen.compile(DIGITS, fps=2000, out=tmp_path)
    design.generate()
    graph, net = design.graph, design.net
    source, sink = graph.inputs[0].tensor, graph.outputs[0].tensor
    kind, made = graph.tensors[source], graph.tensors[sink]

    def compute(payload: bytes) -> bytes:
        x = link.unpack_tensor(payload, kind.range.width, kind.range.signed).reshape(1, *kind.shape)
        return link.pack_tensor(execute(graph, {source: x})[sink], made.range.width)

    device = ModelDevice(
        kind.size * link.element_bytes(kind.range.width), made.size * link.element_bytes(made.range.width),
        compute, design_id=int(net.sha256[:8], 16), every=2000,
    )  # fmt: skip
    x = net.random_inputs(12)[source].astype(np.int8)
    opened, runs, _ = played(built(tmp_path, "digits_small"), device, x, np.dtype(np.int8), made.size, ms=60)
    device.close()
    wanted = execute(graph, {source: x.astype(np.int64)})[sink].reshape(len(x), -1)
    assert opened == 0 and all(result == 0 for result, _ in runs)
    assert np.array_equal([output for _, output in runs], wanted)


def test_systolic_engine(tmp_path: Path) -> None:
    model = DIGITS.with_stem("digits_mobile")
    design = hwgen.compile(model, board="icebreaker", engine="systolic", out=tmp_path)
    design.generate()
    image = design.lowered.image
    source, sink = design.lowered.graph.inputs[0].tensor, design.lowered.outputs[0]
    tensors = design.lowered.graph.tensors

    def compute(payload: bytes) -> bytes:
        given = np.frombuffer(payload, np.int8).astype(np.int64) + design.lowered.where[source].offset
        y = execute(design.lowered.graph, {source: given.reshape(1, *tensors[source].shape)}, keep=True)[sink]
        return (y - design.lowered.where[sink].offset).astype(np.int8).tobytes()

    device = ModelDevice(
        image.inputs, image.outputs, compute, design_id=int.from_bytes(image.to_bytes()[28:32], "little")
    )
    x = design.net.random_inputs(5)[source]
    kinds = [np.dtype(np.int8 if tensors[name].range.lo < 0 else np.uint8) for name in (source, sink)]
    program = built(tmp_path, "digits_mobile")
    opened, runs, _ = played(program, device, x.astype(kinds[0]), kinds[1], tensors[sink].size, ms=60)
    device.close()
    wanted = execute(design.lowered.graph, {source: x}, keep=True)[sink].reshape(len(x), -1)
    assert opened == 0 and all(result == 0 for result, _ in runs)
    assert np.array_equal([output for _, output in runs], wanted)


def test_command(tmp_path: Path) -> None:
    hwgen.compile(DIGITS, fps=2000, out=tmp_path).generate()
    header = tmp_path / "driver" / "hwgen_digits_small.h"
    text = header.read_text()
    shutil.rmtree(tmp_path / "driver")
    done = CliRunner().invoke(command, [str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0 and "hwgen_digits_small.c" in done.output
    assert header.read_text() == text
