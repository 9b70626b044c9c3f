"""Commands and messages of the device under test, as the reference answers them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from fakes import KEYWORDS, STEP, Clock, Device

from hwgen.mlperf.dut import Dut
from hwgen.support.errors import LinkError

INPUT = bytes(range(1, 13)) + bytes(478)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def dut(said: list[str]) -> Dut:
    return Dut("fake", KEYWORDS, Device(), Clock(), said.append)


def ask(dut: Dut, said: list[str], text: str) -> list[str]:
    """Lines between a command and its m-ready."""
    said.clear()
    dut.receive(text.encode() + b"%")
    assert said[-1] == "m-ready" and said.count("m-ready") == 1
    return said[:-1]


def load(dut: Dut, said: list[str], data: bytes = INPUT) -> None:
    assert ask(dut, said, f"db load {len(data)}") == [f"m-[Expecting {len(data)} bytes]"]
    for at in range(0, len(data), 31):
        answer = ask(dut, said, f"db {data[at : at + 31].hex()}")
        assert answer == (["m-load-done"] if at + 31 >= len(data) else [])


def test_start(dut: Dut, said: list[str]) -> None:
    dut.start()
    assert said == ["m-timestamp-mode-performance", "m-lap-us-1000", "m-init-done", "m-ready"]


def test_who_is_there(dut: Dut, said: list[str]) -> None:
    (name,) = ask(dut, said, "name")
    assert re.fullmatch(r"m-name-dut-\[([^]]+)]", name)[1] == "fake"
    assert ask(dut, said, "profile") == ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]"]
    assert ask(dut, said, "timestamp") == ["m-lap-us-1000"]
    assert len(ask(dut, said, "help")) > 5


def test_inference(dut: Dut, said: list[str]) -> None:
    load(dut, said)
    results = "m-results-[" + ",".join(f"{(k + 128) / 256:.3f}" for k in range(1, 13)) + "]"
    assert ask(dut, said, "infer 3 2") == [
        "m-warmup-start-2", "m-warmup-done", "m-infer-start-3", f"m-lap-us-{1000 + 2 * STEP}",
        f"m-lap-us-{1000 + 5 * STEP}", "m-infer-done", results,
    ]  # fmt: skip
    assert dut.device.runs == 5
    assert ask(dut, said, "results") == [results]


@pytest.mark.parametrize(("command", "runs"), [("infer", 11), ("infer 4", 14), ("infer 4 0", 4)])
def test_how_often(dut: Dut, said: list[str], command: str, runs: int) -> None:
    load(dut, said)
    ask(dut, said, command)
    assert dut.device.runs == runs


@pytest.mark.parametrize(
    "command", ["infer 0", "infer -1", "infer x", "infer 1 -1", "infer 1 x", "infer 99999999999", "infer --5"]
)
def test_infer_that_is_none(dut: Dut, said: list[str], command: str) -> None:
    load(dut, said)
    (answer,) = ask(dut, said, command)
    assert answer.startswith("e-[Command 'infer'") and dut.device.runs == 0


def test_buffer(dut: Dut, said: list[str]) -> None:
    ask(dut, said, "db load 10")
    ask(dut, said, "db 0001fF")
    assert ask(dut, said, "db print") == ["m-buffer-00-01-ff"]
    # what is beyond the buffer is not looked at
    assert ask(dut, said, "db 030405060708090a0b0c") == ["m-load-done"]
    assert ask(dut, said, "db print") == ["m-buffer-00-01-ff-03-04-05-06-07", "m-buffer-08-09"]
    assert ask(dut, said, "db 0d")[0].startswith("e-[Nothing is to be loaded")


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("db", "requires a subcommand"),
        ("db load", "requires the number"),
        ("db load x", "requires the number"),
        ("db load 0", "requires the number"),
        ("db load --5", "requires the number"),
        ("db load 491", "more than the 490"),
        ("db abc", "pairs of hex"),
        ("db zz", "pairs of hex"),
        ("db a b c", "requires a subcommand"),
        ("infer 1", "490 bytes, not 0"),
        ("results", "nothing has been inferred"),
        ("", "Unknown command"),
        ("reboot [x]", "Unknown command: reboot (x)"),
    ],
)
def test_errors_end_with_ready(dut: Dut, said: list[str], command: str, error: str) -> None:
    (answer,) = ask(dut, said, command)
    assert re.fullmatch(r"e-\[[^]]*]", answer) and error in answer


def test_commands_in_pieces_and_in_one(dut: Dut, said: list[str]) -> None:
    for byte in b"\r\nname%":
        dut.receive(bytes([byte]))
    assert said == ["m-name-dut-[fake]", "m-ready"]
    said.clear()
    dut.receive(b"name%profile%na")
    assert said.count("m-ready") == 2
    dut.receive(b"me%")
    assert said[-2:] == ["m-name-dut-[fake]", "m-ready"]


def test_noise_is_no_flood(dut: Dut, said: list[str]) -> None:
    for _ in range(50):
        dut.receive(bytes(range(128, 256)) * 80)
    assert not said
    dut.receive(b"%")
    assert said[-1] == "m-ready" and len(said) == 2 and len(said[0]) < 200
    assert ask(dut, said, "name") == ["m-name-dut-[fake]"]


def test_a_board_that_fails_is_told(dut: Dut, said: list[str]) -> None:
    def fail(x: np.ndarray) -> np.ndarray:
        raise LinkError("no answer [at all]", where="/dev/ttyUSB0")

    load(dut, said)
    dut.device.compute = fail
    answer = ask(dut, said, "infer 1 0")
    assert answer[-1] == "e-[/dev/ttyUSB0: no answer (at all)]"
    assert ask(dut, said, "name") == ["m-name-dut-[fake]"]
