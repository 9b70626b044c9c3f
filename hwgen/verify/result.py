"""What a simulation showed: per stream, per pattern and in all, and the one line that says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from hwgen.support.errors import MismatchError


@dataclass(frozen=True)
class StreamResult:
    """One stream under one pattern (an entry of `streams` in the result.json of sim/bench_core.py).

    words: transfers seen, of `expected_words`. compared: integers compared with the golden model.
    mismatch: None or {sample, y, x, channel, expected, got, cycle}. error: None or a protocol violation
    {what, cycle}. starts, ends: clock of the first and the last word of each sample.
    """

    port: str
    direction: str
    layer: str
    tensor: str
    words: int
    expected_words: int
    last: int | None
    compared: int
    mismatch: Mapping[str, int] | None
    error: Mapping[str, Any] | None
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def place(self) -> str:
        """For messages: the layer, and the port that shows it."""
        return f"{self.layer} ({self.port})" if self.layer else self.port


@dataclass(frozen=True)
class PatternResult:
    """One pattern: streams in layer order, clocks and wall time.

    distinct: number of different samples; they are repeated when `samples` is larger.
    """

    pattern: str
    seed: int
    distinct: int
    samples: int
    finished: bool
    cycles: int
    seconds: float
    stuck: Mapping[str, int] | None
    streams: tuple[StreamResult, ...]

    @classmethod
    def of(cls, data: Mapping[str, Any], seed: int, distinct: int) -> PatternResult:
        """From an entry of `runs` in result.json."""
        streams = tuple(
            StreamResult(**{**item, "starts": tuple(item["starts"]), "ends": tuple(item["ends"])})
            for item in data["streams"]
        )
        fields = {key: data[key] for key in ("samples", "finished", "cycles", "seconds", "stuck")}
        return cls(pattern=data["name"], seed=seed, distinct=distinct, streams=streams, **fields)

    @property
    def compared(self) -> int:
        """Integers compared."""
        return sum(stream.compared for stream in self.streams)

    @property
    def latency(self) -> int:
        """Clocks from the first input word taken to the last output word, first sample (0: none came)."""
        starts = [s.starts[0] for s in self.streams if s.direction == "in" and s.starts]
        ends = [s.ends[0] for s in self.streams if s.direction == "out" and s.ends]
        return max(ends) - min(starts) + 1 if starts and ends else 0

    @property
    def interval(self) -> int:
        """Clocks between inferences once the pipeline is full; 0 with fewer than three samples."""
        gaps: list[int] = []
        for stream in self.streams:
            if stream.direction == "out" and len(stream.ends) >= 3:
                steps = [b - a for a, b in zip(stream.ends, stream.ends[1:])]
                gaps.append(int(median(steps[len(steps) // 2 :])))
        return max(gaps, default=0)

    def failure(self) -> str | None:
        """One line: what went wrong, and where first. None if all is well."""
        found = [s for s in self.streams if s.mismatch is not None]
        broken = [s for s in self.streams if s.error is not None]
        if broken:
            worst = min(broken, key=_error_cycle)
            if not found or _error_cycle(worst) <= min(_mismatch_cycle(s) for s in found):
                assert worst.error is not None
                return f"{worst.place}: {worst.error['what']} at clock {worst.error['cycle']}{self._which}"
        if found:
            return self._mismatch(found[0])
        if self.stuck is not None:
            return self._stuck(self.stuck)
        for stream in self.streams:
            if stream.words != stream.expected_words:
                return f"{stream.place}: {stream.words} words instead of {stream.expected_words}{self._which}"
        return None

    @property
    def failure_cycle(self) -> int:
        """The clock to look at in a waveform: the first thing wrong, else the last transfer."""
        cycles = [_mismatch_cycle(s) for s in self.streams if s.mismatch is not None]
        cycles += [_error_cycle(s) for s in self.streams if s.error is not None]
        return min(cycles) if cycles else max((s.last or 0 for s in self.streams), default=self.cycles)

    @property
    def _which(self) -> str:
        return f" (pattern {self.pattern}, seed {self.seed})"

    def _mismatch(self, stream: StreamResult) -> str:
        at = stream.mismatch
        assert at is not None
        pixel = f"sample {at['sample'] % self.distinct}, y {at['y']}, x {at['x']}, channel {at['channel']}"
        values = f"expected {at['expected']}, got {at['got']}, clock {at['cycle']}"
        return f"{stream.place}: {pixel}: {values}{self._which}"

    def _stuck(self, at: Mapping[str, int]) -> str:
        waiting = [s for s in self.streams if s.words < s.expected_words]
        # A stream at the end of a sample may only be waiting for its layer's next frame.
        inside = [s for s in waiting if s.words % (s.expected_words // self.samples)]
        first = min(inside or waiting, key=lambda s: -1 if s.last is None else s.last)
        counts = ", ".join(f"{s.port} {s.words}/{s.expected_words}" for s in self.streams)
        when = "has moved no word at all" if first.last is None else f"stopped first, at clock {first.last}"
        silence = f"nothing moved for {at['idle']} clocks; words: {counts}"
        return f"{first.place}: stuck: {when}; {silence}{self._which}"


@dataclass(frozen=True)
class VerifyResult:
    """All patterns. simulator: its name and version; build_seconds is 0 when the build was reused."""

    patterns: tuple[PatternResult, ...]
    simulator: str
    build_seconds: float

    @property
    def exact(self) -> bool:
        """Whether every integer was equal and nothing else was wrong."""
        return all(result.failure() is None for result in self.patterns)

    @property
    def distinct(self) -> int:
        """Number of different samples (a pattern may repeat them)."""
        return max((min(result.samples, result.distinct) for result in self.patterns), default=0)

    @property
    def compared(self) -> int:
        """Integers compared, over all patterns."""
        return sum(result.compared for result in self.patterns)

    @property
    def cycles(self) -> int:
        """Clocks simulated."""
        return sum(result.cycles for result in self.patterns)

    @property
    def seconds(self) -> float:
        """Wall time of the simulations."""
        return sum(result.seconds for result in self.patterns)

    @property
    def latency(self) -> int:
        """Clocks of one inference in an idle core (pattern `steady`; 0 if it did not run)."""
        return next((result.latency for result in self.patterns if result.pattern == "steady"), 0)

    @property
    def interval(self) -> int:
        """Clocks between inferences without stalls (pattern `steady`; 0 if it did not run)."""
        return next((result.interval for result in self.patterns if result.pattern == "steady"), 0)

    def to_dict(self) -> dict[str, Any]:
        """Plain data with the derived figures."""
        return {
            "exact": self.exact,
            "samples": self.distinct,
            "compared": self.compared,
            "cycles": self.cycles,
            "cycles_per_inference": self.latency,
            "initiation_interval": self.interval,
            "simulator": self.simulator,
            "build_seconds": self.build_seconds,
            "seconds": self.seconds,
            "patterns": [
                {**asdict(result), "compared": result.compared, "failure": result.failure()}
                for result in self.patterns
            ],
        }


class RtlMismatch(MismatchError):
    """The RTL differs from the golden model, breaks the stream protocol or is stuck; `result` has it all.

    waveform: path of the dump around it, or None.
    """

    def __init__(
        self, what: str, result: VerifyResult, *, waveform: str | None = None, hint: str = ""
    ) -> None:
        self.result = result
        self.waveform = waveform
        super().__init__(what, hint=hint)


def _error_cycle(stream: StreamResult) -> int:
    assert stream.error is not None
    return int(stream.error["cycle"])


def _mismatch_cycle(stream: StreamResult) -> int:
    assert stream.mismatch is not None
    return stream.mismatch["cycle"]
