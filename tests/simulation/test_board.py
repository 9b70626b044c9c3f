"""A board's whole top behind a pseudo-terminal: real digits, real speed, power, and what goes wrong."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from designs import compiled, wanted
from line import Line

from hwgen.runtime.link import Identity, Request, Status, encode_frame
from hwgen.simulation import SimulatedBoard
from hwgen.support.errors import ToolError, UsageError

pytestmark = pytest.mark.sim


def test_digits_over_the_line(board: SimulatedBoard, digits: np.ndarray) -> None:
    """Every answer is the golden model's; then the board's clock stands still."""
    design = board.design
    expected = wanted(design, digits)
    with board, Line(board.port) as line:
        board.settle()  # a systolic engine has its program now
        line.send(encode_frame(Request.IDENTIFY, sequence=200))
        who = Identity.from_bytes(line.answers(200)[-1].payload)
        assert who.board == design.board.name and who.clock == round(board.clock_hz)
        assert (who.inputs, who.outputs) == (64, 10) and who.design_id
        for at, (x, y) in enumerate(zip(digits[:40], expected)):
            line.send(encode_frame(Request.RUN, x.tobytes(), at))
            (answer,) = line.answers(at)
            np.testing.assert_array_equal(np.frombuffer(answer.payload, dtype=np.int8), y)
        board.settle()
        before = board.clocks()
        time.sleep(0.2)
        assert board.clocks() == before
        assert board.clocks_per_second() > 1000


def test_hosts_come_and_go_and_power_is_cycled(board: SimulatedBoard, digits: np.ndarray) -> None:
    x, y = digits[7], wanted(board.design, digits[7:8])[0]
    request = encode_frame(Request.RUN, x.tobytes(), 1)
    with board:
        board.settle()
        for cut in (len(request), 30):
            with Line(board.port) as line:
                line.send(request[:cut])  # and leaves in the middle
        board.power_cycle()
        board.settle()
        with Line(board.port) as line:
            line.send(request)
            answers = line.answers(1)
            assert {answer.payload for answer in answers if answer.status == Status.OK} == {
                y.astype("i1").tobytes()
            }


def test_real_baud_rate(tmp_path: Path, digits: np.ndarray) -> None:
    """The line as on the board: 1 Mbaud, 30 clocks a bit, is another build."""
    design = compiled("systolic", tmp_path)
    with SimulatedBoard(design, baud=1e6) as board, Line(board.port) as line:
        board.settle()
        assert board.baud == 1e6
        before = board.clocks()
        line.send(encode_frame(Request.RUN, digits[0].tobytes(), 9))
        line.answers(9)
        assert board.clocks() - before > 75 * 10 * 30  # of the request alone
        assert not board.build()  # it is there
    with pytest.raises(UsageError, match="baud cannot be made"):
        SimulatedBoard(design, baud=29e6).build()


def test_ends_with_its_block_whatever_happens(board: SimulatedBoard) -> None:
    with pytest.raises(ToolError, match="simulated board: is not running; use it in a with statement"):
        board.clocks()
    with pytest.raises(KeyboardInterrupt), board:
        child = board._process._child  # type: ignore[union-attr]
        assert Path(board.port).exists()
        raise KeyboardInterrupt
    assert child.returncode == 0
    with board, pytest.raises(ToolError, match=r"simulator: ended with status -9"):
        os.kill(board._process._child.pid, signal.SIGKILL)  # type: ignore[union-attr]
        time.sleep(0.1)
        board.settle()
    with board:
        child = board._process._child  # type: ignore[union-attr]
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0


def test_wrong_clock_is_told(board: SimulatedBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The PLL's model knows what frequency it is to make."""
    with board:
        pass
    wrong = [word.replace("+sync_hz=", "+sync_hz=1") for word in board._argv]
    monkeypatch.setattr(board, "_argv", wrong)
    with pytest.raises(ToolError, match=r"it does not make the design's clock"), board:
        pass
