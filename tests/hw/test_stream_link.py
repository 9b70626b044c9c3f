"""The unbuffered link: nothing wrong is ever answered, and the core stays in step whatever the line does."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from stream_link_bench import ABOUT, BIT, IDLE, Bench, Script, linked_mixer, mixed

from hwgen.hw.link.stream_link import StreamLink
from hwgen.runtime import link as host
from hwgen.runtime.link import Counters, Request, Response, Status
from hwgen.support.errors import UsageError

INPUTS, OUTPUTS, ID = 12, 5, 0xC0DE1234
BYTE = 10 * BIT  # clocks
SETTLE = IDLE + (INPUTS + OUTPUTS + 50) * BYTE  # clocks in which any request is answered


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return linked_mixer(tmp_path_factory.mktemp("stream_link"))


def start(**ports: int) -> Script:
    script = Script()
    script.set(**{"inputs": INPUTS, "outputs": OUTPUTS, "enable": 1, "design_id": ID, "stall": 0} | ports)
    return script


def ask(script: Script, request: bytes, settle: int = SETTLE) -> None:
    script.send(request)
    script.wait(settle)
    script.end()


def run_frame(data: bytes, sequence: int = 0) -> bytes:
    return host.encode_frame(Request.RUN, data, sequence)


def ok(data: bytes, outputs: int = OUTPUTS, sequence: int = 0) -> bytes:
    return host.encode_frame(Status.OK, mixed(data, outputs), sequence)


def only(status: Status, sequence: int = 0) -> bytes:
    return host.encode_frame(status, b"", sequence)


def identified(design_id: int, inputs: int, outputs: int) -> bytes:
    known = replace(ABOUT, design_id=design_id, inputs=inputs, outputs=outputs)
    return host.encode_frame(Status.OK, known.to_bytes())


def test_lengths_and_id_are_values(bench: Bench) -> None:
    script, wanted = start(), []
    generator = random.Random(1)
    for inputs, outputs in ((1, 1), (12, 5), (256, 1), (300, 4095), (4097, 2), (0x10001, 1)):
        script.set(inputs=inputs, outputs=outputs, design_id=inputs * 0x11111)
        for _ in range(2):
            data = generator.randbytes(inputs)
            ask(script, run_frame(data), SETTLE + outputs * (BYTE + 2))
            wanted.append((ok(data, outputs), False, False))
        ask(script, host.identify_request())
        wanted.append((identified(inputs * 0x11111 & 0xFFFFFFFF, inputs, outputs), False, False))
        for wrong in (inputs + 1, inputs ^ 0x100, inputs ^ 0x10000, inputs ^ 0x100000, inputs ^ 0x800000):
            ask(script, host.SYNC + bytes([Request.RUN, 0]) + wrong.to_bytes(3, "little") + bytes(9))
            wanted.append((only(Status.BAD_REQUEST), False, True))
    assert bench.run(script) == wanted


def status(script: Script) -> None:
    ask(script, host.encode_frame(Request.STATUS))


def counters(row: tuple[bytes, bool, bool]) -> Counters:
    response, _ = host.decode_response(row[0])
    assert response is not None
    return Counters.from_bytes(response.checked())


def test_counters(bench: Bench) -> None:
    """Clocks are those of the core alone; damaged requests are counted, NO_PROGRAM is not one."""
    script, data = start(), bytes(range(INPUTS))
    for _ in range(300):
        ask(script, run_frame(data))
        ask(script, run_frame(data)[:-1])
    status(script)
    status(script)
    script.set(enable=0)
    ask(script, run_frame(data))
    status(script)
    ask(script, host.encode_frame(Request.RESET, sequence=77))
    status(script)
    *_, first, second, _, off, reset, last = bench.run(script)
    clocks = counters(first).clocks
    assert 50 < clocks < 60  # the core works for 50 clocks; the line takes thousands for a request
    assert counters(first) == Counters(True, True, 300, 300 % 256, clocks)
    assert counters(second) == Counters(True, False, 300, 300 % 256, clocks)
    assert counters(off) == Counters(False, True, 300, 300 % 256, clocks)
    assert reset == (host.encode_frame(Status.OK, b"", 77), False, False)
    assert counters(last) == Counters(False, False, 0, 0, 0)


def test_without_a_program(bench: Bench) -> None:
    """The core's ports may be anything then; a program that comes later serves."""
    script = start(enable=0, inputs=0)
    wanted = []
    for data in (b"", bytes(INPUTS), bytes(300)):
        ask(script, run_frame(data))
        wanted.append((only(Status.NO_PROGRAM), False, True))
        ask(script, host.identify_request())
        wanted.append((identified(0, 0, 0), False, False))
    ask(script, host.encode_frame(9))
    wanted.append((only(Status.BAD_REQUEST), False, True))
    script.set(enable=1, inputs=INPUTS)
    ask(script, run_frame(bytes(INPUTS)))
    wanted.append((ok(bytes(INPUTS)), False, False))
    assert bench.run(script) == wanted


@pytest.mark.parametrize("kept", range(len(run_frame(bytes(INPUTS)))))
def test_truncated_anywhere(bench: Bench, kept: int) -> None:
    script = start()
    data = bytes(range(INPUTS))
    for _ in range(2):
        ask(script, run_frame(data)[:kept])
        ask(script, run_frame(data))
    broken = (only(Status.TRUNCATED), False, True) if kept >= 2 else (b"", False, False)
    assert bench.run(script)[1:] == [(ok(data), False, False), broken, (ok(data), False, False)]


def test_slow_core(bench: Bench) -> None:
    """A core that takes a byte before the next one is there loses nothing; later: an error."""
    data = bytes(range(7, 7 + INPUTS))
    frame, answers = run_frame(data), {}
    stops = [*range(0, 2 * BYTE + 10), 200, 2000]
    for place in (0, 3, INPUTS - 1):
        script = start()
        for stop in stops:
            script.send(frame[: 7 + place])
            script.wait(BIT)  # until the byte is through the receiver
            script.set(stall=stop)
            ask(script, frame[7 + place :], SETTLE + stop)
            ask(script, frame)
        rows = bench.run(script)
        assert set(rows[1::2]) == {(ok(data), False, False)}
        answers[place] = [data for data, *_ in rows[::2]]
    for given in answers.values():
        kept = given.count(ok(data))
        assert given[:kept] == [ok(data)] * kept and 2 * BYTE - 12 <= stops[kept] <= 2 * BYTE
        assert set(given[kept:]) <= {only(Status.BAD_CRC), only(Status.TRUNCATED)}


def test_stalled_at_the_end_of_a_broken_frame(bench: Bench) -> None:
    """The core is given what is missing also when it takes it late; the answer comes then."""
    data, script = bytes(range(INPUTS)), start()
    script.send(run_frame(data)[:9])
    script.set(stall=3 * IDLE)
    script.wait(3 * IDLE)
    script.end()
    script.wait(SETTLE)
    script.end()
    ask(script, run_frame(data))
    assert bench.run(script) == [
        (b"", True, False),
        (only(Status.TRUNCATED), False, True),
        (ok(data), False, False),
    ]


def test_a_second_request_before_the_answer_is_lost(bench: Bench) -> None:
    data, script = bytes(range(INPUTS)), start()
    ask(script, run_frame(data) + run_frame(bytes(INPUTS)), 2 * SETTLE)
    ask(script, run_frame(data))
    assert bench.run(script) == [(ok(data), False, False)] * 2


KINDS = (
    "flip",
    "flips",
    "drop",
    "double",
    "swap",
    "insert",
    "noise",
    "cut and go on",
    "length",
    "splice",
    "burst",
)


def damaged(frame: bytes, kind: str, generator: random.Random) -> bytes:
    """What arrives of a frame. Never the frame itself."""
    data = bytearray(frame)
    at = generator.randrange(len(data))
    match kind:
        case "flip":
            data[at] ^= 1 << generator.randrange(8)
        case "flips":
            for _ in range(generator.randrange(2, 9)):
                data[generator.randrange(len(data))] ^= generator.randrange(1, 256)
        case "drop":
            del data[at : at + generator.randrange(1, 4)]
        case "double":
            data[at:at] = data[at : at + generator.randrange(1, 4)]
        case "swap":
            at = generator.randrange(len(data) - 1)
            data[at : at + 2] = data[at + 1], data[at]
        case "insert":
            data[at:at] = generator.randbytes(generator.randrange(1, 4))
        case "noise":
            data = bytearray(generator.randbytes(generator.randrange(1, 40)))
        case "cut and go on":  # the host starts anew without a pause
            data = data[:at] + generator.randbytes(1) + bytearray(frame)
        case "length":
            data[4:7] = generator.randrange(1 << 24).to_bytes(3, "little")
        case "splice":  # a frame as payload
            data[7:22] = run_frame(generator.randbytes(4))
        case "burst":
            data[at : at + 3] = generator.randbytes(3)
    return bytes(data) if bytes(data) != frame else damaged(frame, kind, generator)


def test_thousands_of_damaged_requests(bench: Bench) -> None:
    """Each is answered with an error, or not at all, and the good one that follows with what belongs to it.

    A damaged byte leaves a good frame now and then: what is answered OK must belong to a frame that was sent.
    """
    generator = random.Random(5)
    script, cases = start(), []
    for number in range(4000):
        sent, good = generator.randbytes(INPUTS), generator.randbytes(INPUTS)
        kind = KINDS[number % len(KINDS)]
        bad = damaged(run_frame(sent, number % 256), kind, generator)
        ask(script, bad)
        ask(script, run_frame(good, -number % 256))
        cases.append((kind, sent, bad, good))
    rows = bench.run(script)
    assert len(rows) == 2 * len(cases)
    said: Counter[str] = Counter()
    for number, (kind, sent, bad, good) in enumerate(cases):
        first, second = rows[2 * number :][:2]
        assert second == (ok(good, sequence=-number % 256), False, False), (kind, bad)
        response, rest = host.decode_response(first[0])
        assert rest == b"" and (response is None) == (first[0] == b""), (kind, bad, first)
        if response is None:
            said["nothing"] += 1
        elif response.status is Status.OK:
            assert run_frame(sent, number % 256) in bad and response.sequence == number % 256, (kind, bad)
            assert response.payload == mixed(sent, OUTPUTS), (kind, bad)
            said["ok"] += 1
        else:
            assert response == Response(response.status, b"", response.sequence) and first[2], (kind, bad)
            said[response.status.name] += 1
    assert (
        said["ok"] < 200
        and min(said[name] for name in ("BAD_CRC", "BAD_REQUEST", "TRUNCATED", "nothing")) > 100
    )
    print(said)


def test_wrong_arguments() -> None:
    for sizes in ({"max_inputs": 0}, {"max_outputs": 0}, {"max_inputs": 1 << 24}):
        with pytest.raises(UsageError, match="does not fit a frame"):
            StreamLink(clocks_per_bit=8, idle_clocks=99, **sizes)
