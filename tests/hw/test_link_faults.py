"""The host's Connection and the hardware's links, between them a line that damages bytes, and resets."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from link_host import Increment
from stream_link_bench import ABOUT, BIT, IDLE, Bench, linked_mixer, mixed

from hwgen.emit.verilog import to_verilog
from hwgen.hw.link.link import Link
from hwgen.numeric.ranges import Range
from hwgen.runtime.connection import Connection
from hwgen.runtime.link import IDENTITY_BYTES, Counters, Identity, Request
from hwgen.support.errors import LinkError

sys.path.insert(0, str(Path(__file__).parents[1] / "runtime"))
from line_model import Line, ModelDevice

CLOCK = 2e-5  # seconds in the host's time: the shortest patience is 2,000 clocks
BAUD = 1 / (BIT * CLOCK)
STEP = 200  # clocks between looks at what has come
INPUTS, OUTPUTS = 12, 5


class LiveLine(Line):
    """A line to a simulation that runs while it is written to or waited for."""

    def __init__(
        self, process: subprocess.Popen[str], *, rate: float = 0.0, resets: float = 0.0, seed: int = 1
    ) -> None:
        super().__init__(ModelDevice(), rate=rate, resets=resets, seed=seed)
        self.process = process

    def write(self, data: bytes) -> None:
        for byte in data:
            for each in self._through(byte):
                self._do(f"b {each}", 10 * BIT)
            if self.resets and self.random.random() < self.resets:
                self.happened["reset"] += 1
                self._do(f"r {self.random.randrange(1, 99)}", 50)

    def read(self, seconds: float) -> bytes:
        until = self.time + seconds
        while True:
            self._do("e 0", 0)
            assert self.process.stdin is not None and self.process.stdout is not None
            self.process.stdin.flush()
            text = self.process.stdout.readline().rsplit(" ", 2)[0].replace("--", "00")
            data = b"".join(self._through(byte) for byte in bytes.fromhex(text))
            if data or self.time >= until:
                return data
            if self.resets and self.random.random() < self.resets:
                self.happened["reset"] += 1
                self._do(f"r {self.random.randrange(1, 99)}", 50)
            self._do(f"w {STEP}", STEP)

    def _do(self, command: str, clocks: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.time += clocks * CLOCK


class Buffered(wiring.Component):
    """The buffered link, two requests at a time, with a core that adds one to each byte."""

    def __init__(self) -> None:
        super().__init__({"rx": In(1, init=1), "tx": Out(1), "busy": Out(1), "error": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        core = Increment(Range(-128, 127), 1)
        layout = core.i.payload.shape()
        about = Identity(ABOUT.engine, (1, 2, 3), 1, 2, 0, 0, "buffered", queue=2)
        m.submodules.core = core
        m.submodules.link = link = Link(
            layout, layout, about, inputs=INPUTS, outputs=INPUTS, clocks_per_bit=BIT, idle_clocks=IDLE
        )
        wiring.connect(m, link.o, core.i)
        wiring.connect(m, core.o, link.i)
        m.d.comb += link.rx.eq(self.rx)
        m.d.comb += [getattr(self, name).eq(getattr(link, name)) for name in ("tx", "busy", "error")]
        return m


@pytest.fixture(scope="module", params=["stream", "buffered"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "buffered":
        return Bench(folder, to_verilog(Buffered(), "top"))
    return linked_mixer(folder)


@pytest.fixture
def process(bench: Bench) -> Iterator[subprocess.Popen[str]]:
    process = bench.start()
    assert process.stdin is not None
    if "stall" in (bench.folder / "top.v").read_text():
        process.stdin.write(f"p 0 {INPUTS}\np 1 {OUTPUTS}\np 2 1\np 3 77\n")
    yield process
    process.stdin.close()
    process.wait()


@pytest.mark.sim
@pytest.mark.parametrize(("rate", "resets"), [(0.006, 0.0), (0.02, 0.0), (0.003, 0.003)])
def test_thousands_of_faults(process: subprocess.Popen[str], rate: float, resets: float) -> None:
    """Whatever happens to bytes and device, what comes out is right, in its order, in bounded time."""
    line = LiveLine(process, seed=int(rate * 1e4))
    link = Connection(line, baud=BAUD, timeout=0.04, retries=9)
    who = Identity.from_bytes(link.request(Request.IDENTIFY, answer=IDENTITY_BYTES))
    assert who.inputs == INPUTS
    line.rate, line.resets = rate, resets
    generator, count = random.Random(7), 700 if rate < 0.02 else 300
    given = [generator.randbytes(INPUTS) for _ in range(count)]
    got = failed = 0
    while got < count:
        start = line.now()
        try:
            for answer in link.requests(
                Request.RUN, iter(given[got:]), answer=who.outputs, seconds=0.01, queue=who.queue
            ):
                wanted = mixed(given[got], OUTPUTS) if who.board == "mixer" else bytes(
                    (byte + 1) % 256 for byte in given[got]
                )  # fmt: skip
                assert answer == wanted, got
                assert line.now() - start < 100
                start = line.now()
                got += 1
        except LinkError:
            failed += 1
        assert line.now() - start < 200
    print(who.board, dict(line.happened), link.sent_again, link.dropped, failed)
    assert sum(line.happened.values()) > 60 and link.sent_again > 60
    assert failed < (3 if rate < 0.02 else 30)
    line.rate = line.resets = 0
    again = link.sent_again
    counters = Counters.from_bytes(link.request(Request.STATUS, answer=16))
    assert counters.ready and (resets or counters.runs >= count) and link.sent_again <= again + 1
