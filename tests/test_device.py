"""hwgen.Device against a model of the board: the model's own arrays in and out, from a build folder alone."""

from __future__ import annotations

import os
import sys
import threading
import tty
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hwgen
from hwgen.compress.tflite_file import Quantization
from hwgen.compress.tflite_writer import TfliteWriter
from hwgen.golden.run import execute
from hwgen.runtime.classes import read_labels, top
from hwgen.runtime.link import Counters, Engine, pack_tensor, unpack_tensor
from hwgen.support.errors import LinkError, UsageError

sys.path.insert(0, str(Path(__file__).parent / "runtime"))
from line_model import Line, ModelDevice


def network(softmax: bool = True) -> bytes:
    """Convolution, pooling, dense, perhaps softmax, on a 4x4 image; integers at both ends."""
    rng = np.random.default_rng(3)
    writer = TfliteWriter()
    x = writer.input((1, 4, 4, 1), Quantization(0.05, -3))
    y = writer.conv(
        x, rng.integers(-127, 128, (4, 3, 3, 1)), [0.01, 0.02, 0.005, 0.01], rng.integers(-500, 500, 4),
        Quantization(0.1, -128), activation="RELU",
    )  # fmt: skip
    y = writer.pool("MAX", y, (2, 2), (2, 2), padding="VALID")
    y = writer.reshape(y, (1, 16))
    weights, bias = rng.integers(-127, 128, (3, 16)), rng.integers(-99, 99, 3)
    y = writer.dense(y, weights, [0.002], bias, Quantization(0.02, 5))
    writer.output(writer.softmax(y) if softmax else y)
    return writer.finish()


class Built:
    """A build folder, and a model of the board that runs it."""

    def __init__(self, folder: Path, engine: str, board: str) -> None:
        model = folder / "small.tflite"
        model.write_bytes(network())
        self.net = hwgen.load(model)
        self.folder = folder / "build"
        self.design = hwgen.compile(self.net, board, engine=engine, out=self.folder)
        self.design.generate()
        model.unlink()  # the folder is enough
        self.engine = Engine.SYSTOLIC if engine == "systolic" else Engine.STREAM
        self.x = np.random.default_rng(4).integers(-128, 128, (9, 4, 4, 1)).astype(np.int8)

    def board(self, **options: object) -> ModelDevice:
        if self.engine is Engine.STREAM:
            known = {"design_id": int(self.net.sha256[:8], 16), "work": self._stream}
        else:
            image = self.design.image
            known = {"design_id": int.from_bytes(image[28:32], "little"), "work": self._systolic}
        return ModelDevice(inputs=16, outputs=3, engine=self.engine, **{**known, **options})

    def _stream(self, payload: bytes, outputs: int) -> bytes:
        graph = self.design.graph
        values = unpack_tensor(payload, 8, True).reshape(1, 4, 4, 1)
        return pack_tensor(execute(graph, {graph.inputs[0].tensor: values})[graph.outputs[0].tensor], 8)

    def _systolic(self, payload: bytes, outputs: int) -> bytes:
        lowered = self.design.lowered
        graph, name = lowered.graph, lowered.outputs[0]
        values = {graph.inputs[0].tensor: unpack_tensor(payload, 8, True).reshape(1, 4, 4, 1)}
        found = execute(graph, values, keep=True)[name] - lowered.where[name].offset
        return pack_tensor(found, 8)


@pytest.fixture(scope="module", params=["stream", "systolic"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    board = {"stream": "ulx3s-85f", "systolic": "icebreaker"}[request.param]
    return Built(tmp_path_factory.mktemp(request.param), request.param, board)


@pytest.mark.parametrize("queue", [1, 2])
def test_arrays_are_the_models(built: Built, queue: int) -> None:
    """A lossy line: every answer is the golden model's, of its type and shape."""
    line = Line(built.board(queue=queue), rate=0.003, seed=queue)
    told: list[float | None] = []
    with hwgen.Device(line, built.folder, retries=9) as device:
        assert device.identity.engine is built.engine and device.identity.board == "model"
        want = built.net.run(built.x)
        for _ in range(20):
            given = device.run(built.x, progress=lambda what, share: told.append(share))
            assert given.dtype == want.dtype == np.int8 and given.shape == want.shape == (9, 3)
            assert given.tolist() == want.tolist()
        single = device.run(built.x[3])
        assert single.shape == (3,) and single.tolist() == want[3].tolist()
        assert device.run(built.x[:0]).shape == (0, 3)
        later = [device.run_async(built.x[k : k + 2]) for k in range(6)]
        assert [each.result().tolist() for each in later] == [want[k : k + 2].tolist() for k in range(6)]
        assert device.status().runs >= 20 * 9 and device.connection.sent_again > 5
        assert told[:9] == [(k + 1) / 9 for k in range(9)]
    assert line.closed


def test_labels(built: Built, tmp_path: Path) -> None:
    scores = [3, 9, 9, -1]
    assert [(each.index, each.label, each.score) for each in top(scores, 3)] == [
        (1, "1", 9.0), (2, "2", 9.0), (0, "0", 3.0)
    ]  # fmt: skip
    (tmp_path / "names").write_text("zero\none \ntwo\nthree\n")
    names = read_labels(tmp_path / "names")
    assert top(np.array([scores]), 1, names)[0].label == "one"
    with pytest.raises(UsageError, match="labels: 2 labels for 4 classes"):
        top(scores, 1, names[:2])
    with pytest.raises(UsageError, match="cannot be read"):
        read_labels(tmp_path / "no")
    (built.folder / "labels.txt").write_text("a\nb\nc\n")
    with hwgen.Device(Line(built.board()), built.folder) as device:
        scores = device.run(built.x)
        best = [built.net.run(built.x)[k].argmax() for k in range(9)]
        assert [each[0].label for each in device.top(scores, 2)] == ["abc"[k] for k in best]


def test_another_design(built: Built) -> None:
    line = Line(built.board(design_id=0xABCDEF01))
    with pytest.raises(LinkError, match=r"the board runs design abcdef01, the folder has .*; hwgen flash"):
        hwgen.Device(line, built.folder)
    assert line.closed
    with pytest.raises(LinkError, match="the board has no good program"):
        hwgen.Device(Line(built.board(boot=99.0)), built.folder)
    other = Engine.STREAM if built.engine is Engine.SYSTOLIC else Engine.SYSTOLIC
    board = built.board()
    board.engine = other
    with pytest.raises(LinkError, match=f"the board has the {other.name.lower()} engine"):
        hwgen.Device(Line(board), built.folder)
    board = built.board()
    board.inputs = 17
    with pytest.raises(LinkError, match="takes and gives 17 and 3 bytes, the folder 16 and 3"):
        hwgen.Device(Line(board), built.folder)


def test_a_request_in_the_middle_of_a_batch_is_refused(built: Built) -> None:
    """It would wait for itself for ever."""
    with hwgen.Device(Line(built.board()), built.folder) as device:
        with pytest.raises(UsageError, match="a batch is under way"):
            device.run(built.x, progress=lambda what, share: device.status() and None)
        assert device.status().ready and len(device.run(built.x)) == len(built.x)


def test_wrong_arrays(built: Built) -> None:
    with hwgen.Device(Line(built.board()), built.folder) as device:
        with pytest.raises(UsageError, match=r"shape \(N, 4, 4, 1\)"):
            device.run(np.zeros((2, 4, 5, 1), np.int8))
        with pytest.raises(UsageError, match="must be int8, not float64"):
            device.run(np.zeros((2, 4, 4, 1)))
        assert device.run(built.x).tolist() == built.net.run(built.x).tolist()


def test_without_a_folder() -> None:
    board = ModelDevice()
    with hwgen.Device(Line(board)) as device:
        assert device.identity == board.identity(0)
        with pytest.raises(UsageError, match="give the folder"):
            device.run(np.zeros(3))
        with pytest.raises(UsageError, match="an input has 20 bytes, not 3"):
            list(device.run_bytes([b"abc"]))
        assert len(list(device.run_bytes([bytes(20)] * 3))) == 3
        assert device.status() == Counters(True, False, 3, 0, 4321)


def test_reset_waits_for_the_program(built: Built) -> None:
    board = built.board(boot=1.5)
    board.ready_at = 0.0
    line = Line(board)
    with hwgen.Device(line, built.folder) as device:
        device.run(built.x)
        device.reset()
        assert line.now() > 1.5 and device.status().runs == 0
        board.boot = 1e9
        with pytest.raises(LinkError, match="no good program 2 s after a reset; write it with"):
            device.reset(seconds=2)


def test_folders_that_are_none(tmp_path: Path, built: Built) -> None:
    with pytest.raises(UsageError, match="is no build folder; run `hwgen build` first"):
        hwgen.Device(Line(ModelDevice()), tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UsageError, match="not a manifest"):
        hwgen.Device(Line(ModelDevice()), tmp_path)
    (tmp_path / "manifest.json").write_text((built.folder / "manifest.json").read_text())
    with pytest.raises(UsageError, match=r"design.json: cannot be read"):
        hwgen.Device(Line(ModelDevice()), tmp_path)


def test_no_such_port() -> None:
    with pytest.raises(LinkError, match=r"/dev/ttyNone: no such serial port; (there are|this computer)"):
        hwgen.Device("/dev/ttyNone")


class Terminal:
    """A pseudo-terminal with a function behind it: bytes in, bytes out."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.mine, theirs = os.openpty()
        tty.setraw(theirs)
        self.port = os.ttyname(theirs)
        self._answer = answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            while data := os.read(self.mine, 4096):
                os.write(self.mine, self._answer(data))
        except OSError:
            return


def test_through_a_terminal(built: Built) -> None:
    """pyserial's own code: the model of the board behind a pseudo-terminal, bytes lost."""
    device, count = built.board(), 0

    def answer(data: bytes) -> bytes:
        nonlocal count
        line = Line(device)
        line.time = device.free + 1.0  # idle
        for byte in data:
            count += 1
            if count % 131 == 0:
                line.time += 1.0  # a pause ends the frame that lacks a byte
                device.advance(line.time)
            else:
                line.time += 1e-5
                device.take(byte, line.time)
        return line.read(10.0)

    terminal = Terminal(answer)
    with hwgen.Device(terminal.port, built.folder, timeout=0.04) as board:
        assert board.run(built.x).tolist() == built.net.run(built.x).tolist()
        assert board.connection.sent_again > 0


def test_a_terminal_without_a_board() -> None:
    terminal = Terminal(lambda data: b"")
    with pytest.raises(LinkError, match="no answer in 4 tries"):
        hwgen.Device(terminal.port, timeout=0.04)
    terminal = Terminal(lambda data: data)  # an echo
    with pytest.raises(LinkError, match="in 4 tries; is it the baud rate"):
        hwgen.Device(terminal.port, timeout=0.04)
