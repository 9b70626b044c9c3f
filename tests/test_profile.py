"""What a simulated board says of its time, against the plan; without a board, what is made of such words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hwgen
from hwgen import pipeline, profile, report
from hwgen.compress.tflite_file import Quantization
from hwgen.compress.tflite_writer import TfliteWriter
from hwgen.device import Device
from hwgen.profile import Profile
from hwgen.report.folder import PROFILE
from hwgen.runtime.link import Counters, Engine, Identity, UnitCounters
from hwgen.simulation import SimulatedBoard
from hwgen.streamed import StreamDesign
from hwgen.support.errors import UsageError

Q = Quantization(0.05, -3)


def chain() -> bytes:
    """Pad, columns, convolution, pool, dense, softmax: one after the other."""
    rng = np.random.default_rng(3)
    writer = TfliteWriter()
    x = writer.input((1, 9, 9, 1), Q)
    y = writer.conv(x, rng.integers(-127, 128, (4, 3, 3, 1)), [0.01] * 4, rng.integers(-500, 500, 4), Q)
    y = writer.pool("MAX", y, (3, 3), (2, 2))
    y = writer.reshape(y, (1, 64))
    y = writer.dense(y, rng.integers(-127, 128, (3, 64)), [0.002], rng.integers(-99, 99, 3), Q)
    writer.output(writer.softmax(y))
    return writer.finish()


def branches() -> bytes:
    """Ways that part and meet, and a window that takes more than it gives."""
    rng = np.random.default_rng(4)
    writer = TfliteWriter()
    x = writer.input((1, 7, 7, 4), Q)
    y = writer.depthwise(x, rng.integers(-127, 128, (3, 3, 4)), [0.01] * 4, rng.integers(-500, 500, 4), Q)
    z = writer.conv(y, rng.integers(-127, 128, (4, 1, 1, 4)), [0.01] * 4, rng.integers(-500, 500, 4), Q)
    y = writer.add(x, z, Q)
    y = writer.concat([y, z])
    y = writer.conv(y, rng.integers(-127, 128, (2, 1, 1, 8)), [0.01] * 2, None, Q, stride=(3, 3))
    y = writer.mean(y, Q)
    y = writer.reshape(y, (1, 2))
    writer.output(writer.argmax(y))
    return writer.finish()


def simulated(model: Path, folder: Path, fps: float | None) -> tuple[StreamDesign, list[Profile]]:
    """The profile of two inferences, of which the second begins anew."""
    design = hwgen.compile(model, fps=fps, out=folder, profile=True)
    assert isinstance(design, StreamDesign)
    design.generate()
    with SimulatedBoard(design) as board, Device(board.port, folder) as device:
        return design, [profile.measure(device, folder) for _ in range(2)]


def agrees(design: StreamDesign, measured: Profile) -> None:
    """Clocks of work to the last one; of waiting, and of all, as near as a schedule of whole pixels is, and
    its latencies, which are round numbers."""
    assert list(measured.units) == list(design.plan.units)
    allowed = measured.clocks / 50 + 35 * len(measured.units)
    assert abs(measured.clocks - measured.clocks_planned) < allowed
    for name, unit in design.plan.units.items():
        times, planned = measured.units[name], measured.planned[name]
        assert planned.busy == unit.cycles
        if unit.node.kind == "softmax":
            assert 0.8 * unit.cycles < times.busy <= unit.cycles
        else:
            assert times.busy == unit.cycles, name
        assert times.busy + times.input + times.output <= measured.clocks
        assert abs(times.input - planned.input) < allowed, (name, times, planned)
        assert abs(times.output - planned.output) < allowed, (name, times, planned)
    assert not measured.surprises
    busiest = max(design.plan.units, key=lambda name: design.plan.units[name].cycles)
    assert measured.bottleneck == busiest


@pytest.mark.parametrize(("network", "fps"), [(chain, 40_000), (branches, 30_000)])
def test_units_work_as_planned(network: Callable[[], bytes], fps: float | None, tmp_path: Path) -> None:
    model = tmp_path / "small.tflite"
    model.write_bytes(network())
    design, profiles = simulated(model, tmp_path / "build", fps)
    for measured in profiles:
        agrees(design, measured)
    assert profiles[0] == profiles[1]
    kept = json.loads((tmp_path / "build" / PROFILE).read_text())
    assert kept == profiles[1].as_dict()
    assert kept["units"].keys() == kept["predicted"]["units"].keys()


def words(*units: tuple[int, int, int], clocks: int = 1000) -> bytes:
    """An answer to STATUS."""
    counted = tuple(UnitCounters(*unit) for unit in units)
    return Counters(True, False, 1, 0, clocks, counted).to_bytes()


class Answers:
    """A board that answers STATUS with given words, and RUN with anything."""

    def __init__(self, status: bytes, engine: Engine = Engine.STREAM) -> None:
        self.counters = Counters.from_bytes(status)
        self.identity = Identity(engine, (0, 0, 0), 1, 2, 3, 4, "toy")
        self.seen: list[np.ndarray] = []

    def run(self, x: np.ndarray) -> np.ndarray:
        self.seen.append(x)
        return x

    def status(self) -> Counters:
        return self.counters


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profiled design, generated."""
    folder = tmp_path_factory.mktemp("profiled")
    (folder / "small.tflite").write_bytes(chain())
    design = hwgen.compile(folder / "small.tflite", fps=40_000, out=folder / "build", profile=True)
    design.generate()
    return folder / "build"


def planned(folder: Path) -> dict[str, int]:
    return {layer["name"]: layer["cycles"] for layer in report.read(folder)["layers"]}


def test_a_layer_that_works_more_is_named(folder: Path) -> None:
    work = planned(folder)
    units = [(clocks, 10, 20) for clocks in work.values()]
    as_planned = profile.measure(Answers(words(*units)), folder)
    assert not as_planned.surprises and "not at work as planned" not in str(as_planned)
    units[2] = (units[2][0] + 1, 10, 20)
    name = list(work)[2]
    assert profile.measure(Answers(words(*units)), folder).surprises == [name]
    assert f"{name}: not at work as planned" in str(profile.measure(Answers(words(*units)), folder))


def test_a_softmax_may_take_less(folder: Path) -> None:
    units = [(clocks, 0, 0) for clocks in planned(folder).values()]
    for more, surprised in ((-1, False), (0, False), (1, True)):
        units[-1] = (list(planned(folder).values())[-1] + more, 0, 0)
        assert bool(profile.measure(Answers(words(*units)), folder).surprises) == surprised


def test_the_link_is_named_where_it_is_slower(folder: Path) -> None:
    units = [(clocks, 0, 0) for clocks in planned(folder).values()]
    assert "the link" not in str(profile.measure(Answers(words(*units)), folder))
    units[0] = (units[0][0], 100_000, 0)
    assert "waits 100,000 clocks" in str(profile.measure(Answers(words(*units)), folder))


def test_input_is_what_the_model_takes(folder: Path) -> None:
    board = Answers(words(*[(1, 1, 1)] * len(planned(folder))))
    profile.measure(board, folder)
    (x,) = board.seen
    assert x.shape == (9, 9, 1) and x.dtype == np.int8


def test_a_board_without_counters(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--profile"):
        profile.measure(Answers(words()), folder)
    with pytest.raises(UsageError, match="no report"):
        profile.measure(Answers(words()), tmp_path)


def test_without_profile_there_is_no_trace_of_it(folder: Path, tmp_path: Path) -> None:
    """The hardware is that of before; made again from its folder, a profiled design is the same."""
    model = folder.parent / "small.tflite"
    plain = hwgen.compile(model, fps=40_000, out=tmp_path / "plain")
    profiled = pipeline.reopen(folder)
    assert isinstance(plain, StreamDesign) and isinstance(profiled, StreamDesign)
    assert "profile" not in plain.verilog and plain.core().profile_words == 0
    assert plain.top().link.about.words == 4
    assert profiled.options.profile and profiled.core().profile_words == 3 * len(profiled.plan.units)
    assert profiled.verilog == (folder / "rtl" / f"{profiled.name}.v").read_text()


def test_more_units_than_the_board_can_tell_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = folder.parent / "small.tflite"
    monkeypatch.setattr("hwgen.streamed.MOST_UNITS", len(planned(folder)))
    hwgen.compile(model, fps=40_000, profile=True)
    monkeypatch.setattr("hwgen.streamed.MOST_UNITS", len(planned(folder)) - 1)
    with pytest.raises(UsageError, match="--profile"):
        hwgen.compile(model, fps=40_000, profile=True)
    hwgen.compile(model, fps=40_000)


def test_the_systolic_engine_has_no_counters(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="stream engine"):
        hwgen.compile(folder.parent / "small.tflite", "icebreaker", engine="systolic", profile=True)


def test_one_board_at_a_time(hwgen_command: Callable[..., tuple[int, str, str]], folder: Path) -> None:
    code, _, told = hwgen_command("profile", folder, "--simulate", "--port", "/dev/null")
    assert code and "--port" in told


@pytest.mark.slow
def test_digits_by_the_command_line(
    hwgen_command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    model = Path(__file__).parents[1] / "examples" / "digits" / "digits.tflite"
    code, _, told = hwgen_command("generate", model, "--fps", 10_000, "--profile", "-o", tmp_path)
    assert code == 0, told
    code, shown, told = hwgen_command("profile", tmp_path, "--simulate", "--json")
    assert code == 0, told
    result = json.loads(shown)
    planned = result["predicted"]
    softmax = list(result["units"])[-1]
    for name, times in result["units"].items():
        if name != softmax:
            assert times["busy"] == planned["units"][name]["busy"], name
    assert result["units"][softmax]["busy"] <= planned["units"][softmax]["busy"]
    assert abs(result["clocks"] - planned["clocks"]) < planned["clocks"] / 20
    assert result["bottleneck"] == max(planned["units"], key=lambda name: planned["units"][name]["busy"])
