"""verify_rtl on a core that can be asked to misbehave: each fault is caught, and named for what it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from faulty import FAULTS, SHAPE, WORDS, Faulty, manifest

from hwgen.emit.verilog import to_verilog
from hwgen.flow import tools
from hwgen.support.errors import ToolError, UsageError
from hwgen.verify import certificate
from hwgen.verify.patterns import BACK_PRESSURE, PATTERNS, RESET, STEADY, Gate, Pattern
from hwgen.verify.result import RtlMismatch
from hwgen.verify.rtl import Waveform, verify_rtl

pytestmark = pytest.mark.sim
SLOW_SINK = Pattern("slow sink", output=Gate(rate=0.5))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the core's Verilog, where its simulator is built once."""
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "faulty.v").write_text(to_verilog(Faulty(), "faulty"))
    return folder


def inputs(fault: str = "none", samples: int = 3) -> np.ndarray:
    x = np.random.default_rng(5).integers(-128, 77, (samples, *SHAPE))
    x[0, 0, 0, 0] = 100 + FAULTS.index(fault)
    return x


def verify(workshop: Path, x: np.ndarray, *patterns: Pattern, expected: np.ndarray | None = None, **options):
    triple = 3 * x
    values = {"triple": triple, "y": triple + 1 if expected is None else expected}
    options = {"patterns": patterns, **options}
    return verify_rtl([workshop / "faulty.v"], manifest(), {"x": x}, values, workshop / "build", **options)


def failure(workshop: Path, fault: str, *patterns: Pattern, **options) -> RtlMismatch:
    with pytest.raises(RtlMismatch) as caught:
        verify(workshop, inputs(fault), *patterns, **options)
    return caught.value


def test_sound_core_passes_every_pattern(workshop: Path) -> None:
    x = inputs(samples=6)
    seen = []
    result = verify(workshop, x, *PATTERNS, progress=lambda what, fraction: seen.append(fraction))
    assert result.exact
    assert [run.pattern for run in result.patterns] == [p.name for p in PATTERNS]
    samples = sum(run.samples for run in result.patterns)
    assert result.compared == samples * x[0].size * 4  # i, two taps, o
    assert result.interval == WORDS
    assert result.latency == WORDS + 2
    steady, pressed = (run.streams[-1] for run in result.patterns[:2])
    assert [b - a for a, b in zip(steady.ends, steady.ends[1:])] == [WORDS] * 5
    assert pressed.ends[-1] > steady.ends[-1] * 1.15
    assert result.distinct == 6
    again = verify(workshop, x, STEADY)
    assert again.build_seconds == 0

    paper = certificate.certificate(
        manifest(), [workshop / "faulty.v"], [certificate.rtl_level(result)], {"simulator": result.simulator}
    )
    paper = json.loads(json.dumps(paper))
    assert paper["exact"]
    assert paper["levels"][0]["compared"] == result.compared
    assert len(paper["verilog"]["faulty.v"]) == 64


def test_one_wrong_integer_is_named_and_drawn(workshop: Path, tmp_path: Path) -> None:
    x = inputs("off_by_one")
    x[2, 3, 1, 6] = 77
    with pytest.raises(RtlMismatch) as caught:
        verify(workshop, x, STEADY, waveform=Waveform(tmp_path / "wave.vcd"))
    text = str(caught.value)
    assert "plus (tap_1): sample 2, y 3, x 1, channel 6: expected 232, got 233" in text
    assert caught.value.exit_code == 7
    assert not caught.value.result.exact
    wave = (tmp_path / "wave.vcd").read_text()
    assert "tap_1_payload" in wave
    assert wave.count("\n#") > 50


def test_first_wrong_layer_is_blamed(workshop: Path) -> None:
    x = inputs()
    triple = 3 * x
    triple[1, 4, 0, 2] += 1
    with pytest.raises(RtlMismatch, match=r"times \(tap_0\): sample 1, y 4, x 0, channel 2"):
        verify_rtl(
            [workshop / "faulty.v"], manifest(), {"x": x}, {"triple": triple, "y": triple + 1},
            workshop / "build", patterns=(STEADY,),
        )  # fmt: skip


def test_dropped_word(workshop: Path) -> None:
    error = failure(workshop, "dropped", STEADY)
    assert "plus (tap_1): sample 0, y 1, x 1, channel 4" in str(error)


def test_payload_that_changes_while_it_waits(workshop: Path) -> None:
    assert "plus (o): payload changed while it waited" in str(failure(workshop, "changed", SLOW_SINK))


def test_valid_withdrawn(workshop: Path) -> None:
    assert "plus (o): valid was withdrawn before ready" in str(failure(workshop, "withdrawn", SLOW_SINK))


def test_dead_lock_names_who_stopped(workshop: Path) -> None:
    text = str(failure(workshop, "dead_lock", STEADY))
    assert "stuck" in text
    assert "i 10/60" in text or "i 11/60" in text
    assert "o 9/60" in text or "o 10/60" in text


def test_word_too_many(workshop: Path) -> None:
    text = str(failure(workshop, "repeated", STEADY))
    assert "plus (tap_1): 61 words instead of 60" in text


def test_state_that_survives_reset(workshop: Path) -> None:
    assert verify(workshop, inputs("not_reset"), STEADY).exact
    text = str(failure(workshop, "not_reset", RESET))
    assert "sample 0, y 0, x 0, channel 0" in text


def test_same_seed_same_clocks(workshop: Path) -> None:
    x = inputs()
    runs = [verify(workshop, x, SLOW_SINK, seed=seed).cycles for seed in (3, 3, 4)]
    assert runs[0] == runs[1] != runs[2]


def test_arrays_that_do_not_fit(workshop: Path) -> None:
    x = inputs()
    with pytest.raises(UsageError, match="no integers for tensor y"):
        verify_rtl([workshop / "faulty.v"], manifest(), {"x": x}, {}, workshop / "build")
    with pytest.raises(UsageError, match="must be"):
        verify(workshop, x[:, :4])
    with pytest.raises(UsageError, match="leave"):
        verify(workshop, x * 2)
    with pytest.raises(UsageError, match="samples"):
        verify(workshop, x, BACK_PRESSURE, expected=3 * x[:2] + 1)


def test_broken_verilog_is_told_in_verilators_words(tmp_path: Path) -> None:
    (tmp_path / "faulty.v").write_text("module faulty(input clk);\n assign nothing = ;\nendmodule\n")
    with pytest.raises(ToolError, match=r"verilator: .*faulty\.v:2") as caught:
        verify(tmp_path, inputs(), STEADY)
    assert caught.value.exit_code == 8


def test_no_compiler(workshop: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "_find", tools._find.__wrapped__)
    with pytest.raises(ToolError, match="needed for building the simulation"):
        verify(workshop, inputs(), BACK_PRESSURE)
