"""Thousands of damaged requests over a simulated board's line: never a wrong answer, never a hang."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from designs import wanted
from line import Line

from hwgen.runtime.link import Request, Status, encode_frame
from hwgen.simulation import SimulatedBoard

pytestmark = pytest.mark.sim

RESET = 251  # sequence number of resets; those of runs are below


def flipped(frame: bytearray, r: random.Random) -> None:
    for _ in range(r.choice((1, 1, 2, 5))):
        frame[r.randrange(len(frame))] ^= 1 << r.randrange(8)


def dropped(frame: bytearray, r: random.Random) -> None:
    for _ in range(r.choice((1, 1, 3))):
        del frame[r.randrange(len(frame))]


def doubled(frame: bytearray, r: random.Random) -> None:
    at = r.randrange(len(frame))
    frame[at:at] = frame[at : at + r.choice((1, 1, 4))]


def cut(frame: bytearray, r: random.Random) -> None:
    del frame[r.randrange(1, len(frame)) :]


def swapped(frame: bytearray, r: random.Random) -> None:
    at = r.randrange(len(frame) - 1)
    frame[at : at + 2] = frame[at : at + 2][::-1]


def noisy(frame: bytearray, r: random.Random) -> None:
    at = r.choice((0, len(frame), r.randrange(len(frame))))
    frame[at:at] = r.choice((r.randbytes(r.randrange(1, 20)), b"\xa5\x5a", b"\xa5\x5a\x01\x00\xff\xff\xff"))


def header(frame: bytearray, r: random.Random) -> None:
    frame[r.randrange(7)] = r.randrange(256)


def again(frame: bytearray, r: random.Random) -> None:
    frame += bytes(frame)


def reset(frame: bytearray, r: random.Random) -> None:
    """A reset in mid-transfer, or while the request is computed."""
    at = r.choice((len(frame), r.randrange(len(frame))))
    frame[at:at] = encode_frame(Request.RESET, sequence=RESET)


DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flipped, dropped, doubled, cut, swapped, noisy, header, again, reset,
)  # fmt: skip


def faults(board: SimulatedBoard, digits: np.ndarray, count: int, seed: int) -> dict[Status, int]:
    """Sends `count` damaged requests, and a good one after each; how often which status was answered.

    An answer that says OK must be that of the one input that was sent under its number, whatever happened
    to the request; the good request behind must be answered, and be right.
    """
    r = random.Random(seed)
    expected = wanted(board.design, digits).astype(np.int8)
    seen = dict.fromkeys(Status, 0)
    with board, Line(board.port) as line:
        board.settle()
        for number in range(count):
            first, second = 2 * number % 250, 2 * number % 250 + 1
            a, b = r.randrange(len(digits)), r.randrange(len(digits))
            frame = bytearray(encode_frame(Request.RUN, digits[a].tobytes(), first))
            r.choice(DAMAGES)(frame, r)
            what = frame.hex()
            if number % 40 == 39:  # power fails in mid-transfer
                at = r.randrange(len(frame))
                line.send(bytes(frame[:at]))
                board.power_cycle()
                line.send(bytes(frame[at:]))
            else:
                line.send(bytes(frame))
            board.settle()
            line.send(encode_frame(Request.RUN, digits[b].tobytes(), second))
            *others, last = line.answers(second)
            assert last.payload == expected[b].tobytes(), f"behind {what}"
            for each in others:
                seen[each.status] += 1
                if each.status == Status.OK and each.sequence == RESET:
                    assert each.payload == b"", what
                elif each.status == Status.OK:
                    assert each.sequence == first and each.payload == expected[a].tobytes(), what
    return seen


def test_nothing_wrong_is_answered(board: SimulatedBoard, digits: np.ndarray) -> None:
    seen = faults(board, digits, 500, seed=1)
    assert seen[Status.OK] > 60  # requests that came twice, or with noise before or behind them
    assert seen[Status.BAD_CRC] > 100 and seen[Status.TRUNCATED] > 50 and seen[Status.BAD_REQUEST] > 5


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 7))
def test_nothing_wrong_is_answered_for_long(board: SimulatedBoard, digits: np.ndarray, seed: int) -> None:
    faults(board, digits, 3000, seed)


def test_noise_alone(board: SimulatedBoard, digits: np.ndarray) -> None:
    """Noise that never pauses, with sync bytes in it, and a good request after a pause."""
    r = random.Random(5)
    x, y = digits[3], wanted(board.design, digits[3:4])[0].astype(np.int8)
    with board, Line(board.port) as line:
        board.settle()
        for number in range(4):
            noise = bytearray(r.randbytes(8000))
            for _ in range(300):
                at = r.randrange(len(noise) - 9)
                noise[at : at + 7] = bytes((0xA5, 0x5A, r.randrange(5), number, r.randrange(90), 0, 0))
            line.send(bytes(noise))
            board.settle()
            line.send(encode_frame(Request.RUN, x.tobytes(), 250 + number))
            assert line.answers(250 + number)[-1].payload == y.tobytes()
