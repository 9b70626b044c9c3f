"""The one line that says what is wrong, from hand-made results; patterns' gates."""

from __future__ import annotations

from hwgen.verify.patterns import ALWAYS, BACK_PRESSURE, BURSTS, STEADY, Gate, seed_of
from hwgen.verify.result import PatternResult, StreamResult


def stream(port: str, words: int, last: int | None, expected: int = 40, **facts) -> StreamResult:
    values = {"mismatch": None, "error": None, "starts": (), "ends": (), "compared": 0, **facts}
    direction = {"i": "in", "o": "out"}.get(port, "tap")
    return StreamResult(port, direction, f"layer {port}", port, words, expected, last, **values)


def result(*streams: StreamResult, stuck: dict | None = None) -> PatternResult:
    return PatternResult("steady", 1, 2, 2, stuck is None, 500, 0.1, stuck, streams)


def test_all_well() -> None:
    assert result(stream("i", 40, 90), stream("o", 40, 95)).failure() is None


def test_stuck_blames_the_layer_that_stopped_inside_a_frame() -> None:
    # tap_0 stopped in the middle of a frame; tap_1 gives words only at a frame's end, o starved later.
    streams = (stream("i", 31, 80), stream("tap_0", 27, 70), stream("tap_1", 20, 55), stream("o", 25, 77))
    text = result(*streams, stuck={"cycle": 500, "idle": 400}).failure()
    assert text is not None
    assert text.startswith(
        "layer tap_0 (tap_0): stuck: stopped first, at clock 70; nothing moved for 400 clocks"
    )
    assert "i 31/40, tap_0 27/40, tap_1 20/40, o 25/40" in text


def test_stuck_blames_the_first_layer_that_never_spoke() -> None:
    streams = (stream("i", 20, 80), stream("tap_0", 0, None), stream("o", 0, None))
    text = result(*streams, stuck={"cycle": 500, "idle": 400}).failure()
    assert text is not None
    assert text.startswith("layer tap_0 (tap_0): stuck: has moved no word at all")


def test_earlier_layer_goes_before_earlier_clock() -> None:
    def wrong(cycle: int) -> dict:
        return {"sample": 0, "y": 0, "x": 0, "channel": 0, "expected": 1, "got": 2, "cycle": cycle}

    streams = (stream("tap_0", 40, 90, mismatch=wrong(80)), stream("o", 40, 95, mismatch=wrong(60)))
    text = result(*streams).failure()
    assert text is not None
    assert "layer tap_0" in text
    broken = stream("o", 40, 95, error={"what": "payload changed while it waited", "cycle": 50})
    assert "payload changed" in str(result(streams[0], broken).failure())


def test_gates_follow_the_pace() -> None:
    assert STEADY.output.settings(10, 1000, 7) == {"go": ALWAYS, "stop": 0, "seed": 7}
    pressed = BACK_PRESSURE.output.settings(10, 1000, 7)
    assert abs(pressed["go"] / ALWAYS - 0.8 * 10 / 1000) < 1e-4
    assert pressed["go"] + pressed["stop"] == ALWAYS
    bursts = BURSTS.input.settings(10, 1000, 7)
    assert bursts["go"] == bursts["stop"] == round(ALWAYS / 130)
    assert Gate(rate=0.5).settings(10, 5, 1)["go"] == ALWAYS // 2
    assert seed_of(1, "a") != seed_of(2, "a")
