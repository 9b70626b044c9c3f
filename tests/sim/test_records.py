"""Words of streams: files for the players, records of the monitors, comparison as they grow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from records import Recorded, beats, pack, record_bytes, unpack


def port(width: int, lanes: int, signed: bool, shape=(3, 2, 12)) -> dict:
    return {"name": "p", "shape": list(shape), "lanes": lanes, "width": width, "signed": signed}


def samples(port: dict, count: int = 4) -> np.ndarray:
    low = -(1 << (port["width"] - 1)) if port["signed"] else 0
    x = np.random.default_rng(port["width"]).integers(
        low, low + (1 << port["width"]), (count, *port["shape"])
    )
    x.flat[:2] = low, low + (1 << port["width"]) - 1
    return x


def word(port: dict, values: list[int]) -> int:
    """A beat by the definition: lane 0 in the low bits."""
    mask = (1 << port["width"]) - 1
    return sum((int(value) & mask) << (lane * port["width"]) for lane, value in enumerate(values))


def records(port: dict, tensor: np.ndarray, first_cycle: int = 10) -> bytes:
    """What stream_monitor.v writes for these words, two clocks apart."""
    data = b""
    for index, values in enumerate(tensor.reshape(-1, port["lanes"])):
        data += word(port, values).to_bytes(record_bytes(port) - 4, "little")
        data += (first_cycle + 2 * index).to_bytes(4, "little")
    return data


@pytest.mark.parametrize(("width", "lanes"), [(1, 12), (8, 4), (8, 1), (5, 3), (13, 6), (32, 2), (33, 1)])
@pytest.mark.parametrize("signed", [True, False])
def test_words(width: int, lanes: int, signed: bool) -> None:
    p = port(width, lanes, signed)
    x = samples(p)
    size = (width * lanes + 7) // 8
    wanted = b"".join(word(p, values).to_bytes(size, "big") for values in x.reshape(-1, lanes))
    assert pack(p, x) == wanted
    values, cycles = unpack(p, records(p, x))
    assert np.array_equal(values.reshape(x.shape), x)
    assert list(cycles[:3]) == [10, 12, 14]
    assert beats(p) * len(x) == len(values)


def test_long_streams_are_unpacked_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    import records as module

    monkeypatch.setattr(module, "_CHUNK", 100)
    p = port(8, 4, True)
    x = samples(p)
    assert np.array_equal(unpack(p, records(p, x))[0].reshape(x.shape), x)
    assert len(pack(p, x)) == x.size


@pytest.mark.parametrize("steps", [(72,), (1, 17, 18, 19, 40, 72), tuple(range(1, 73))])
def test_recorded_grows(tmp_path: Path, steps: tuple[int, ...]) -> None:
    p = port(8, 4, True)
    x = samples(p)
    (tmp_path / "p.rec").write_bytes(records(p, x))
    recorded = Recorded(p, tmp_path, x, len(x))
    for count in steps:
        recorded.advance(count)
    assert recorded.mismatch is None
    assert recorded.compared == x.size
    assert recorded.starts == [10 + 36 * n for n in range(4)]
    assert recorded.ends == [44 + 36 * n for n in range(4)]


@pytest.mark.parametrize("steps", [(72,), (30, 72), (1, 2, 71, 72)])
def test_first_difference_is_located(tmp_path: Path, steps: tuple[int, ...]) -> None:
    p = port(8, 4, True)
    x = samples(p)
    got = x.copy()
    got[2, 1, 0, 7] = x[2, 1, 0, 7] ^ 1
    got[3, 0, 0, 0] ^= 1
    (tmp_path / "p.rec").write_bytes(records(p, got))
    recorded = Recorded(p, tmp_path, x, len(x))
    for count in steps:
        recorded.advance(count)
    place = 2 * 72 + (1 * 2 + 0) * 12 + 7
    assert recorded.mismatch == {
        "sample": 2, "y": 1, "x": 0, "channel": 7, "expected": x[2, 1, 0, 7], "got": got[2, 1, 0, 7],
        "cycle": 10 + 2 * (place // 4),
    }  # fmt: skip
    assert recorded.compared == place + 1


def test_records_that_are_missing_are_an_error(tmp_path: Path) -> None:
    p = port(8, 4, True)
    x = samples(p)
    (tmp_path / "p.rec").write_bytes(records(p, x)[:-1])
    with pytest.raises(OSError, match="shorter"):
        Recorded(p, tmp_path, x, len(x)).advance(72)
