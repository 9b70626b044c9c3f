"""Connection against a model of the device in virtual time: nothing wrong is returned, and nothing hangs."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from line_model import IDLE, Line, ModelDevice, compute

from hwgen.runtime.connection import Connection
from hwgen.runtime.link import IDENTITY_BYTES, Counters, Identity, Request, encode_frame
from hwgen.support.errors import LinkError, UsageError

INPUTS, OUTPUTS = 20, 10


def inputs(count: int, seed: int = 0) -> list[bytes]:
    generator = random.Random(seed)
    return [generator.randbytes(INPUTS) for _ in range(count)]


def connected(line: Line, **options: float) -> Connection:
    return Connection(line, baud=1e6, **{"timeout": 0.05, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("queue", [1, 2])
def test_good_line(queue: int) -> None:
    device = ModelDevice(queue=queue)
    line = Line(device)
    link = connected(line)
    who = Identity.from_bytes(link.request(Request.IDENTIFY, answer=IDENTITY_BYTES))
    assert who == device.identity(0)
    given = inputs(600)
    start = line.now()
    seen = list(link.requests(Request.RUN, given, answer=OUTPUTS, seconds=0.001, queue=queue))
    assert seen == [compute(each, OUTPUTS) for each in given]
    assert link.sent_again == link.dropped == 0 and device.runs == 600
    # 31 bytes there; 1 ms, and 21 bytes back: one after the other, or at the same time
    assert (line.now() - start) / 600 == pytest.approx(31e-5 + 121e-5 if queue == 1 else 121e-5, rel=0.01)
    assert Counters.from_bytes(link.request(Request.STATUS, answer=16)).runs == 600


@pytest.mark.parametrize("queue", [1, 2])
@pytest.mark.parametrize(("rate", "resets"), [(0.001, 0.0), (0.01, 0.0), (0.03, 0.0), (0.002, 0.002)])
def test_thousands_of_faults(queue: int, rate: float, resets: float) -> None:
    """Whatever happens to bytes and device: answers are right, in their order, and come in bounded time."""
    count = 3000 if rate < 0.01 else 1000
    device = ModelDevice(queue=queue)
    line = Line(device, rate=rate, resets=resets, seed=queue)
    link = connected(line, retries=9)
    given = inputs(count, seed=1)
    got = failed = 0
    while got < count:
        start = line.now()
        source = iter(given[got:])
        try:
            for answer in link.requests(Request.RUN, source, answer=OUTPUTS, seconds=0.001, queue=queue):
                assert answer == compute(given[got], OUTPUTS), got
                assert line.now() - start < 60
                start = line.now()
                got += 1
        except LinkError:
            failed += 1
        assert line.now() - start < 120
    print(dict(line.happened), link.sent_again, link.dropped, failed)
    assert failed < (5 if rate < 0.02 else 300)  # one in five exchanges goes without a fault at 3 %
    assert sum(line.happened.values()) > 100 and link.sent_again > 20
    assert all(line.happened[kind] > 5 for kind in Line.KINDS)
    assert (line.happened["reset"] > 100) == bool(resets)


@pytest.mark.parametrize("queue", [1, 2])
def test_every_single_fault(queue: int) -> None:
    """One fault at each byte of request and answer, of each kind: the next request is right at once again."""
    frame = encode_frame(Request.RUN, bytes(INPUTS))
    back = encode_frame(0, bytes(OUTPUTS))
    for place in range(len(frame) + len(back)):
        for kind in ("flip", "drop", "double", "sync"):
            line = Once(ModelDevice(queue=queue), place, kind)
            link = connected(line)
            given = inputs(3, seed=place)
            got = list(link.requests(Request.RUN, given, answer=OUTPUTS, seconds=0.001, queue=queue))
            assert got == [compute(each, OUTPUTS) for each in given], (place, kind)
            # a byte too much between frames is nothing; all else costs one request, or the two under way
            assert link.sent_again <= queue and line.now() < 0.4, (place, kind)


class Once(Line):
    """One fault, at a byte counted over both directions."""

    def __init__(self, device: ModelDevice, place: int, kind: str) -> None:
        super().__init__(device)
        self.place, self.kind = place, kind

    def _through(self, byte: int) -> bytes:
        self.place -= 1
        if self.place != -1:
            return bytes([byte])
        return {"flip": bytes([byte ^ 4]), "drop": b"", "double": bytes([byte] * 2), "sync": b"\xa5\x5a\x00"}[
            self.kind
        ]


def test_late_answers_are_not_mixed_up() -> None:
    """A device that answers after the host's patience: the request's own answer is taken, another's never."""
    device = ModelDevice(busy=0.3)
    line = Line(device)
    link = connected(line)
    given = inputs(20)
    for each in given:
        assert link.request(Request.RUN, each, answer=OUTPUTS) == compute(each, OUTPUTS)
    assert link.sent_again > 10


def test_silence() -> None:
    device = ModelDevice()
    line = Line(device, rate=1.0)
    line.KINDS = ("drop",)
    link = connected(line, retries=3)
    with pytest.raises(LinkError, match="line: no answer in 4 tries; is the bitstream loaded"):
        link.request(Request.IDENTIFY, answer=IDENTITY_BYTES)
    assert line.now() == pytest.approx(0.05 * (1 + 2 + 4 + 8), rel=0.1)
    line.rate = 0
    assert link.request(Request.IDENTIFY, answer=IDENTITY_BYTES) == device.identity(0).to_bytes()


@pytest.mark.parametrize("baud", (0, -1.0, float("nan"), float("inf")))
def test_no_baud_rate(baud: float) -> None:
    with pytest.raises(UsageError, match="baud"):
        Connection(Line(ModelDevice()), baud=baud)


def test_noise_without_end() -> None:
    """A line on which bytes never cease: the times still end."""

    class Babble(Line):
        def read(self, seconds: float) -> bytes:
            self.time += min(seconds, 1e-3) + 1e-5
            return self.random.choice((b"\xa5\x5a\x00\x07\x0a\x00\x00", self.random.randbytes(9)))

    line = Babble(ModelDevice())
    with pytest.raises(LinkError, match="no good answer in 3 tries; is it the baud rate"):
        connected(line, retries=2).request(Request.RUN, bytes(INPUTS), answer=OUTPUTS)
    assert line.now() < 1


def test_others_answers_without_end() -> None:
    class Echo(Line):
        def read(self, seconds: float) -> bytes:
            self.time += 1e-3
            return encode_frame(0, bytes(OUTPUTS), self.random.randrange(256) | 1)

    line = Echo(ModelDevice())
    link = connected(line, retries=2)
    link._sequence = 99
    with pytest.raises(LinkError, match="no good answer in 3 tries"):
        link.request(Request.RUN, bytes(INPUTS), answer=OUTPUTS)
    assert line.now() < 2 and link.dropped > 50


def test_what_the_device_refuses() -> None:
    device = ModelDevice(boot=10.0)
    line = Line(device)
    link = connected(line)
    with pytest.raises(
        LinkError, match="no good program image for this bitstream; write it with `hwgen flash`"
    ):
        link.request(Request.RUN, bytes(INPUTS), answer=OUTPUTS)
    assert line.now() < 3 * IDLE
    device.ready_at = 0
    with pytest.raises(LinkError, match="does not know the request"):
        link.request(Request.RUN, bytes(INPUTS + 1), answer=OUTPUTS)
    assert link.request(Request.RUN, bytes(INPUTS), answer=OUTPUTS) == compute(bytes(INPUTS), OUTPUTS)


def test_an_answer_of_another_length_is_none() -> None:
    link = connected(Line(ModelDevice(outputs=OUTPUTS - 1)), retries=1)
    with pytest.raises(LinkError, match="no good answer"):
        link.request(Request.RUN, bytes(INPUTS), answer=OUTPUTS)
    assert link.dropped == 2


def test_a_frame_behind_half_a_frame() -> None:
    """Noise that looks like the beginning of a frame hides an answer only until the time is over."""

    class Hiding(Line):
        fresh = False

        def write(self, data: bytes) -> None:
            super().write(data)
            self.fresh = True

        def read(self, seconds: float) -> bytes:
            data = super().read(seconds)
            if data and self.fresh:
                self.fresh = False
                return b"\xa5\x5a\x00\x00\x0a\x00\x00" + data
            return data

    line = Hiding(ModelDevice())
    link = connected(line)
    for each in inputs(5):
        assert link.request(Request.RUN, each, answer=OUTPUTS) == compute(each, OUTPUTS)
    assert link.sent_again == 0


def test_slow_user() -> None:
    """Answers that wait for the user are not lost."""
    line = Line(ModelDevice(queue=2))
    link = connected(line)
    given = inputs(10)

    def slowly() -> Iterator[bytes]:
        for answer in link.requests(Request.RUN, given, answer=OUTPUTS, queue=2):
            line.time += 5.0
            yield answer

    assert list(slowly()) == [compute(each, OUTPUTS) for each in given]
    assert link.sent_again == 0
