"""The C driver: compiled without a warning, run against a model of the board over lines that damage bytes."""

from __future__ import annotations

import shutil
import socket
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from device_model import ModelDevice

from hwgen.emit.driver import PROTOCOL, Traffic, driver, write_driver
from hwgen.emit.edges import EdgeEntry
from hwgen.emit.manifest import Manifest, StreamPort
from hwgen.golden import edges as golden
from hwgen.ir.tensor import Affine, Edge, HostChain, HostSoftmax, HostSteps, Tensor
from hwgen.numeric.ranges import Range
from hwgen.runtime import link
from hwgen.support.errors import UsageError

HERE = Path(__file__).parent
DESIGN = 0xC0DE1234
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-O1"]
INT8 = Range(-128, 127)

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc)")


def manifest(source: Range, sink: Range, shapes=((1, 1, 12), (1, 1, 5)), edges=()):
    ports = tuple(
        StreamPort(name, direction, f"{name}0", shape, 1, values)
        for name, direction, shape, values in (("i", "in", shapes[0], source), ("o", "out", shapes[1], sink))
    )
    entries = tuple(EdgeEntry("i" if edge.tensor == "i0" else "o", edge) for edge in edges)
    return Manifest("core", "tflm", ports, edges=entries)


def compiled(folder: Path, facts: Manifest, traffic: Traffic | None = None, **types: str) -> Path:
    """The driver and its test program; types: C types of the model's input and output."""
    header, source = write_driver(folder, facts, traffic or Traffic("core", DESIGN))
    assert header.name == "hwgen_core.h"
    program = folder / "program"
    objects = []
    for file, flags in ((source, STRICT), (HERE / "driver_main.c", ["-std=gnu99", "-Wall", "-Werror"])):
        flags = [*flags, "-include", str(header), "-DNAME=hwgen_core", "-DUPPER=HWGEN_CORE"]
        flags += [f"-DMODEL_{side.upper()}={ctype}" for side, ctype in types.items()]
        objects.append(folder / f"{file.stem}.o")
        done = subprocess.run(
            ["cc", *flags, "-c", str(file), "-o", str(objects[-1])], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[:3000]
    subprocess.run(["cc", *map(str, objects), "-o", str(program)], check=True)
    return program


def ctype(values: Range) -> np.dtype:
    signed, width = values.lo < 0, max(abs(values.lo + 1), values.hi).bit_length() + (values.lo < 0)
    size = next(size for size in (8, 16, 32, 64) if size >= width)
    return np.dtype(f"{'' if signed else 'u'}int{size}")


def played(program: Path, device: ModelDevice, x: np.ndarray, output: np.dtype, count: int, ms=40, tries=30):
    """What the program says: the result of opening, (result, outputs) for each input, what comes behind."""
    descriptor = device.host.fileno()
    done = subprocess.run(
        [program, "run", str(ms), str(tries), str(descriptor)],
        input=x.tobytes(), capture_output=True, pass_fds=[descriptor], timeout=120,
    )  # fmt: skip
    assert done.returncode == 0
    said = done.stdout
    size = 1 + count * output.itemsize
    runs = [said[1 + k * size : 1 + (k + 1) * size] for k in range(len(x) if said[0] == 0 else 0)]
    pairs = [(each[0], np.frombuffer(each[1:], output)) for each in runs]
    return said[0], pairs, said[1 + len(runs) * size :]


def mixing(facts: Manifest, seed: int = 3):
    """A stand-in for a network: every output depends on all input bytes."""
    (sink,) = facts.outputs
    span = sink.range.hi - sink.range.lo + 1
    width = sink.range.width

    def values(payload: bytes) -> np.ndarray:
        state = np.random.default_rng(zlib.crc32(payload) + seed)
        words = (int.from_bytes(state.bytes(9), "little") for _ in range(sink.shape[2]))
        kind = np.int64 if sink.range.lo < 0 else np.uint64
        return np.array([sink.range.lo + word % span for word in words], kind)

    return values, lambda payload: link.pack_tensor(values(payload), width)


@pytest.mark.parametrize(
    ("source", "sink"),
    [
        (INT8, INT8),
        (Range(0, 255), Range(0, 9)),
        (Range(0, 1), Range(-70_000, 70_000)),  # 18 bits travel in three bytes
        (Range(-300, 300), Range(0, 1000)),
        (Range(0, 100_000), Range(-(1 << 35), 1 << 34)),  # 36 bits travel in five
        (Range(-(1 << 31), (1 << 31) - 1), Range(0, (1 << 64) - 1)),
        (Range(-4, 3), Range(-(1 << 63), (1 << 63) - 1)),
    ],
)
def test_every_width_travels(tmp_path: Path, source: Range, sink: Range) -> None:
    facts = manifest(source, sink)
    program = compiled(tmp_path, facts)
    generator = np.random.default_rng(1)
    x = generator.integers(source.lo, source.hi, (6, 12), endpoint=True).astype(ctype(source))
    x[0], x[1] = source.lo, source.hi
    values, compute = mixing(facts)
    sizes = [12 * link.element_bytes(source.width), 5 * link.element_bytes(sink.width)]
    device = ModelDevice(*sizes, compute, design_id=DESIGN)
    opened, runs, rest = played(program, device, x, ctype(sink), 5)
    device.close()
    assert opened == 0
    for given, (result, output) in zip(x, runs, strict=True):
        assert result == 0
        expected = values(link.pack_tensor(given, source.width))
        assert [int(v) for v in output] == [int(v) for v in expected]
    words = np.frombuffer(rest[1:25], np.uint32)
    assert rest[0] == 0 and words.tolist() == [1, 6, 0, 1234, 0, 0]
    assert rest[25] == 0 and device.resets == 1
    assert int.from_bytes(rest[26:], "little") == 0  # no retries


@pytest.mark.parametrize("every", [800, 120, 15])
def test_nothing_wrong_comes_through_a_bad_line(tmp_path: Path, every: int) -> None:
    facts = manifest(INT8, Range(-300, 300), ((1, 1, 40), (1, 1, 20)))
    program = compiled(tmp_path, facts)
    x = np.random.default_rng(2).integers(-128, 127, (150, 40), endpoint=True).astype(np.int8)
    values, compute = mixing(facts)
    device = ModelDevice(40, 40, compute, design_id=DESIGN, every=every)
    tries = 3 if every == 15 else 60
    opened, runs, rest = played(program, device, x, np.dtype(np.int16), 20, ms=12, tries=tries)
    device.close()
    if opened:  # so bad a line may not even let the identity through
        assert every == 15
        return
    good = 0
    for given, (result, output) in zip(x, runs, strict=True):
        if result == 0:
            good += 1
            assert np.array_equal(output, values(given.tobytes()))
        else:
            assert every == 15 and not output.any()  # given up, and nothing of it left
    assert good == len(x) or every == 15
    assert device.inward.damaged + device.outward.damaged > 15
    if every != 15:
        assert int.from_bytes(rest[26:], "little") > 5  # it did cost retries


def test_late_answers_are_not_taken_for_the_next(tmp_path: Path) -> None:
    """The board answers now and then only after the host has asked again."""
    facts = manifest(INT8, INT8)
    program = compiled(tmp_path, facts)
    x = np.random.default_rng(3).integers(-128, 127, (40, 12), endpoint=True).astype(np.int8)
    values, compute = mixing(facts)
    device = ModelDevice(12, 5, compute, design_id=DESIGN, late=lambda run: 0.035 if run % 5 == 4 else 0)
    opened, runs, _ = played(program, device, x, np.dtype(np.int8), 5, ms=20)
    device.close()
    assert opened == 0
    for given, (result, output) in zip(x, runs, strict=True):
        assert result == 0 and np.array_equal(output, values(given.tobytes()))
    assert device.runs > len(x) or device.resets


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"design_id": DESIGN + 1}, 4),
        ({"protocol": 3}, 4),
        ({"inputs": 11}, 4),
        ({"design_id": 0, "inputs": 0, "outputs": 0}, 3),
        ({"every": 1}, 1),
    ],
)
def test_opening_what_is_not_ours(tmp_path: Path, settings: dict, expected: int) -> None:
    program = compiled(tmp_path, manifest(INT8, INT8))
    options = {"design_id": DESIGN, "inputs": 12, "outputs": 5, "compute": lambda payload: None, **settings}
    device = ModelDevice(**options)
    opened, _, _ = played(program, device, np.zeros((0, 12), np.int8), np.dtype(np.int8), 5, ms=8, tries=3)
    device.close()
    assert opened == expected


def test_no_program_and_no_board(tmp_path: Path) -> None:
    program = compiled(tmp_path, manifest(INT8, INT8))
    x = np.zeros((1, 12), np.int8)
    device = ModelDevice(12, 5, lambda payload: None, design_id=DESIGN)
    opened, runs, _ = played(program, device, x, np.dtype(np.int8), 5, ms=10, tries=2)
    device.close()
    assert opened == 0 and runs[0][0] == 3 and not runs[0][1].any()
    silent = ModelDevice(12, 5, lambda payload: None, late=lambda run: 1.0)
    opened, _, _ = played(program, silent, x, np.dtype(np.int8), 5, ms=10, tries=2)
    silent.close()
    assert opened == 1


def test_profile_words_beyond_what_is_asked_for(tmp_path: Path) -> None:
    program = compiled(tmp_path, manifest(INT8, INT8))
    device = ModelDevice(12, 5, lambda payload: None, design_id=DESIGN, words=10)
    opened, _, rest = played(program, device, np.zeros((0, 12), np.int8), np.dtype(np.int8), 5)
    device.close()
    assert opened == 0 and rest[0] == 0
    assert np.frombuffer(rest[1:25], np.uint32).tolist() == [1, 0, 0, 1234, 100, 101]


INPUTS = {
    "away": Edge("x", "i0", (4, 3), "float32", Affine(0.0473, -7, "away")),
    "even": Edge("x", "i0", (4, 3), "float32", Affine(0.25, 3, "even")),
    "whole": Edge("x", "i0", (12,), "float32", Affine(1.0, 0, "none")),
    "int8": Edge("x", "i0", (12,), "int8"),
    "int32": Edge("x", "i0", (12,), "int32"),
    "order": Edge("x", "i0", (3, 2, 2), "int8", spread=(3, 2, 2), axes=(1, 2, 0)),
    "steps": Edge(
        "x", "i0", (3, 2, 2), "float32", spread=(3, 2, 2), axes=(1, 2, 0),
        steps=HostSteps(
            ((-1.5, -0.25, 0.1, 3.0), (-float("inf"), 0.0, 1.0, float("inf")), (2.5,)), (-5, 4, 0), (1, -1, 1)
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INPUTS)
def test_quantise(tmp_path: Path, name: str) -> None:
    edge = INPUTS[name]
    shape = (2, 2, 3) if edge.spread else (1, 1, 12)
    values = Range(-100, 127)
    facts = manifest(values, INT8, (shape, (1, 1, 5)), [edge])
    kind = {"float32": "float", "int8": "int8_t", "int32": "int32_t"}[edge.dtype]
    program = compiled(tmp_path, facts, input=kind)
    generator = np.random.default_rng(4)
    if edge.dtype == "float32" and name != "whole":
        x = generator.normal(0, 4, (400, *edge.shape)).astype(np.float32)
        x[1] = np.float32(1e30)
        x[2] = np.float32(-1e30)
        step = np.float32(edge.affine.scale if edge.affine else 0.25)
        x[3:100] = (generator.integers(-200, 200, x[3:100].shape) * step / 2).astype(np.float32)  # halves
    else:
        x = generator.integers(-100, 127, (400, *edge.shape), endpoint=True).astype(edge.dtype)
    tensor = Tensor("i0", shape, values)
    expected = golden.enter(edge, tensor, x).reshape(400, -1)
    done = subprocess.run([program, "enter"], input=x.tobytes(), capture_output=True, check=True)
    said = np.frombuffer(done.stdout, np.uint8).reshape(400, 13)
    assert not said[:, 0].any()
    assert np.array_equal(said[:, 1:].view(np.int8), expected)
    bad = {"float32": [np.nan, np.inf] if name != "whole" else [0.5, 128, -101, np.nan], "int8": [-101],
           "int32": [128, -101, 1 << 20]}[edge.dtype]  # fmt: skip
    for value in bad:
        spoilt = x[:1].copy()
        spoilt.reshape(-1)[7] = value
        with pytest.raises(UsageError):
            golden.enter(edge, tensor, spoilt)
        done = subprocess.run([program, "enter"], input=spoilt.tobytes(), capture_output=True, check=True)
        assert done.stdout[0] == 5


OUTPUTS = {
    "affine": Edge("y", "o0", (12,), "float32", Affine(0.0173, 11)),
    "order": Edge("y", "o0", (3, 2, 2), "float32", Affine(0.0173, -3), spread=(3, 2, 2), axes=(1, 2, 0)),
    "int8": Edge("y", "o0", (12,), "int8"),
    "int64": Edge("y", "o0", (3, 2, 2), "int64", spread=(3, 2, 2), axes=(1, 2, 0)),
    "chain": Edge(
        "y", "o0", (3, 2, 2), "float32", spread=(3, 2, 2), axes=(1, 2, 0),
        chain=HostChain(
            (1.0, 2.0, -3.0), (0.1,),
            (("mul", (1.7, -0.3, 2.0)), ("add", (0.1,)), ("rsub", (3.0,)), ("max", (-4.0,)),
             ("min", (5.0, 6.0, 7.0)), ("rdiv", (1.1,)), ("div", (3.0,)), ("sub", (1.0,))),
        ),
    ),
    "qlinear": Edge(
        "y", "o0", (3, 2, 2), "float32", Affine(0.3, 5), spread=(3, 2, 2), axes=(1, 2, 0),
        softmax=HostSoftmax(0, Affine(1 / 256, -128), -128, 127, from_integers=True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OUTPUTS)
def test_dequantise(tmp_path: Path, name: str) -> None:
    edge = OUTPUTS[name]
    shape = (2, 2, 3) if edge.spread else (1, 1, 12)
    facts = manifest(INT8, INT8, ((1, 1, 12), shape), [edge])
    kind = {"float32": "float", "int8": "int8_t", "int64": "int64_t"}[edge.dtype]
    program = compiled(tmp_path, facts, output=kind)
    q = np.random.default_rng(5).integers(-128, 127, (400, 12), endpoint=True).astype(np.int8)
    with np.errstate(divide="ignore"):
        expected = golden.leave(edge, Tensor("o0", shape, INT8), q.astype(np.int64).reshape(400, *shape))
    done = subprocess.run([program, "leave"], input=q.tobytes(), capture_output=True, check=True)
    assert np.array_equal(np.frombuffer(done.stdout, edge.dtype).reshape(expected.shape), expected)


@pytest.mark.parametrize("quantised", [None, Affine(1 / 256, 0)])
@pytest.mark.parametrize("axis", [0, 2])
def test_float_softmax(tmp_path: Path, quantised: Affine | None, axis: int) -> None:
    """As near to the model as its runtime itself: a few float32 units, or a step of what it rounds to."""
    edge = Edge("y", "o0", (2, 2, 3), "float32", Affine(0.11, -3), softmax=HostSoftmax(axis, quantised))
    facts = manifest(INT8, INT8, ((1, 1, 12), (2, 2, 3)), [edge])
    program = compiled(tmp_path, facts, output="float")
    q = np.random.default_rng(6).integers(-128, 127, (300, 12), endpoint=True).astype(np.int8)
    expected = golden.leave(edge, Tensor("o0", (2, 2, 3), INT8), q.astype(np.int64).reshape(300, 2, 2, 3))
    done = subprocess.run([program, "leave"], input=q.tobytes(), capture_output=True, check=True)
    seen = np.frombuffer(done.stdout, np.float32).reshape(expected.shape)
    if quantised is None:
        assert np.allclose(seen, expected, rtol=1e-6, atol=1e-12)
    else:
        assert np.abs(seen - expected).max() <= quantised.scale
        assert np.mean(seen != expected) < 0.01


def test_bytes_of_the_systolic_engine(tmp_path: Path) -> None:
    """Unsigned tensors travel as signed bytes there."""
    facts = manifest(INT8, INT8, edges=[Edge("x", "i0", (12,), "uint8")])
    traffic = Traffic("core", DESIGN, (128, 100), (Range(0, 255), Range(0, 200)))
    program = compiled(tmp_path, facts, traffic, input="uint8_t")
    x = np.random.default_rng(7).integers(0, 255, (5, 12), endpoint=True).astype(np.uint8)
    entered = subprocess.run([program, "enter"], input=x.tobytes(), capture_output=True, check=True).stdout
    assert np.array_equal(np.frombuffer(entered, np.uint8).reshape(5, 13)[:, 1:], x)
    values, compute = mixing(manifest(INT8, Range(-100, 100)))
    device = ModelDevice(12, 5, compute, design_id=DESIGN)
    opened, runs, _ = played(program, device, x, np.dtype(np.uint8), 5)
    device.close()
    assert opened == 0
    for given, (result, output) in zip(x, runs, strict=True):
        travelled = (given.astype(int) - 128).astype(np.int8).tobytes()
        assert result == 0 and np.array_equal(output, values(travelled) + 100)


def test_frames_are_those_of_the_link(tmp_path: Path) -> None:
    """What the driver sends first is what the host's own side would send."""
    program = compiled(tmp_path, manifest(INT8, INT8))
    host, board = socket.socketpair()
    done = subprocess.run(
        [program, "run", "5", "1", str(host.fileno())], input=b"", pass_fds=[host.fileno()], check=True,
        capture_output=True,
    )  # fmt: skip
    assert done.stdout == b"\1"
    assert board.recv(99) == link.encode_frame(link.Request.IDENTIFY, sequence=1)
    host.close()
    board.close()
    assert link.PROTOCOL == PROTOCOL


def test_what_cannot_stand_in_c() -> None:
    facts = manifest(INT8, INT8)
    for name in ("*/ int", "Ümlaut", ""):
        with pytest.raises(UsageError, match="cannot stand in C"):
            driver(facts, Traffic(name, DESIGN))
    with pytest.raises(UsageError, match="one input and one output"):
        driver(Manifest("core", "tflm", facts.ports[:1]), Traffic("core", DESIGN))
