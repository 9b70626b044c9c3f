"""Token schedule of a stream pipeline: when every pixel of every tensor appears.

A token is one pixel (all its channels). A unit makes its output pixels in raster order; pixel p
starts once the pixel before it is done, the last input pixel it looks at has arrived, and every
consumer has room by the time it comes out. Those are maxima of earlier times, so the schedule is exact
for the given costs and found by firing whatever can fire. Join FIFOs are unbounded here and their largest
filling is recorded: a FIFO of that depth never fills, so it never blocks, and with unbounded FIFOs in front
of every join a pipeline of finite line buffers cannot dead-lock (each unit waits only for units
before it, or for a consumer that itself waits for nothing but what already arrived).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stage:
    """One unit of the pipeline, in tokens.

    inputs: names of the stages it reads. needed[p]: index of the last input pixel that output pixel
    p looks at; first[p]: index of the first input pixel still wanted when p starts (what lies before
    is free). interval: clocks per output pixel. latency: clocks from its last clock of work to the
    stream. capacity: input pixels it can hold; None for a join, whose FIFOs are to be found. queue:
    output pixels that it can hold itself, begun ones included.
    """

    name: str
    inputs: tuple[str, ...]
    needed: Sequence[int]
    first: Sequence[int]
    interval: float
    latency: int
    capacity: int | None
    queue: int = 0


@dataclass
class Schedule:
    """cycles: clocks from the first input pixel to the last output pixel of one frame. interval:
    clocks between frames in the steady state. depth[(join, input)]: pixels its FIFO must hold.
    busy[name]: clocks of work per frame. waits[name]: clocks of the first frame in which it waited for its
    inputs, and for its consumers. finish[name]: when each pixel of the first frame is out."""

    cycles: int
    interval: int
    depth: dict[tuple[str, str], int]
    busy: dict[str, int]
    waits: dict[str, tuple[int, int]]
    finish: dict[str, list[float]] = field(repr=False, default_factory=dict)


@dataclass
class _State:
    stage: Stage
    pixels_in: int
    start: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)  # when each output pixel is on the stream
    starved: float = 0.0  # in the first frame
    blocked: float = 0.0

    def split(self, token: int) -> tuple[int, int]:
        return divmod(token, len(self.stage.needed))

    def needed(self, token: int) -> int:
        frame, p = self.split(token)
        return frame * self.pixels_in + self.stage.needed[p]

    def first(self, token: int) -> int:
        frame, p = self.split(token)
        return frame * self.pixels_in + self.stage.first[p]


def schedule(stages: Sequence[Stage], frames: int = 3) -> Schedule:
    """Run `frames` frames through stages given in topological order; sources read nothing."""
    pixels = {stage.name: len(stage.needed) for stage in stages}
    states = {s.name: _State(s, pixels[s.inputs[0]] if s.inputs else 0) for s in stages}
    consumers: dict[str, list[_State]] = {s.name: [] for s in stages}
    for stage in stages:
        for name in stage.inputs:
            consumers[name].append(states[stage.name])
    progress = True
    while progress:
        progress = False
        for stage in stages:
            state = states[stage.name]
            while len(state.start) < frames * pixels[stage.name]:
                times = _fire_times(state, [states[name] for name in stage.inputs], consumers[stage.name])
                if times is None:
                    break
                able, fed, time = times
                if len(state.start) < pixels[stage.name]:
                    state.starved += fed - able
                    state.blocked += time - fed
                state.start.append(time)
                state.ready.append(time + stage.interval + stage.latency)
                progress = True
    last = states[stages[-1].name]
    total = frames * pixels[last.stage.name]
    if len(last.ready) < total:
        stuck = next(
            s.name
            for s in stages
            if s.capacity is not None and len(states[s.name].start) < frames * pixels[s.name]
        )
        raise ValueError(f"{stuck}: its input buffer is too small for its window")
    per_frame = pixels[last.stage.name]
    ends = [last.ready[(f + 1) * per_frame - 1] for f in range(frames)]
    return Schedule(
        cycles=round(ends[0]),
        interval=round(ends[-1] - ends[-2]) if frames > 1 else round(ends[0]),
        depth=_join_depths(states),
        busy={s.name: round(s.interval * pixels[s.name]) for s in stages},
        waits={s.name: (round(states[s.name].starved), round(states[s.name].blocked)) for s in stages},
        finish={s.name: states[s.name].ready[: pixels[s.name]] for s in stages},
    )


def _fire_times(
    state: _State, sources: list[_State], consumers: list[_State]
) -> tuple[float, float, float] | None:
    """When the next pixel could start after the one before, when its inputs are there, when it starts; None
    while that is not known yet."""
    token = len(state.start)
    time = able = state.start[-1] + state.stage.interval if state.start else 0.0
    for source in sources:
        wanted = state.needed(token)
        if wanted >= len(source.ready):
            return None
        time = max(time, source.ready[wanted] if wanted >= 0 else 0.0)
    fed = time
    for consumer in consumers:
        room = _room_time(consumer, token - state.stage.queue)
        if room is None:
            return None
        time = max(time, room - state.stage.latency)  # nothing leaves the unit before that
    return able, fed, time


def _room_time(consumer: _State, token: int) -> float | None:
    """When the consumer has room for input pixel `token`; None while that is not known yet."""
    if consumer.stage.capacity is None or token < consumer.stage.capacity:
        return 0.0
    oldest = token - consumer.stage.capacity  # must have been freed
    frame, inside = divmod(oldest, consumer.pixels_in)
    p = bisect_right(consumer.stage.first, inside)  # first output pixel that no longer wants it
    last = frame * len(consumer.stage.needed) + p - 1  # the one before it frees the place when it is done
    if last < 0:
        return 0.0
    return consumer.start[last] + consumer.stage.interval if last < len(consumer.start) else None


def _join_depths(states: dict[str, _State]) -> dict[tuple[str, str], int]:
    depths = {}
    for state in states.values():
        if state.stage.capacity is not None or len(state.stage.inputs) < 2:
            continue
        for name in state.stage.inputs:
            arrivals = states[name].ready
            filling = (bisect_right(arrivals, time) - token for token, time in enumerate(state.start))
            depths[state.stage.name, name] = max(filling, default=1)
    return depths
