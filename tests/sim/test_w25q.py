"""The flash's model alone: the data sheet's commands, and what it must not accept.

W25Q128JV data sheet, revision F (March 27, 2018): instruction table 8.1.2, status register-2 bit 1 is QE
(7.1), fast read quad I/O 8.2 (M5-4 = 10 reads on without a command), tRES1 and tSHSL2 in 9.6.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "hw" / "systolic"))

from flashbench import build, hex_file, run

CONTENT = bytes(range(7, 135))
OFFSET = 0x123400
WAKE = 20
_BENCH = f"""module bench(input clk);
  reg [15:0] stimulus [0:4095]; reg [8*200-1:0] file; integer t = 0;
  initial begin
    for (t = 0; t < 4096; t = t + 1) stimulus[t] = 16'hffff;
    t = 0;
    if ($value$plusargs("stimulus=%s", file)) $readmemh(file, stimulus);
  end
  wire [15:0] now = stimulus[t];  // end, -, /CS, SCK, enables, data
  wire [3:0] io;
  assign io[0] = now[4] ? now[0] : 1'bz;
  assign io[1] = now[5] ? now[1] : 1'bz;
  assign io[2] = now[6] ? now[2] : 1'bz;
  assign io[3] = now[7] ? now[3] : 1'bz;
  wire sck = !clk & now[8];
  W25Q #(.OFFSET({OFFSET}), .BYTES(128), .WAKE({WAKE})) flash(clk, now[9], sck, io);
  always @(posedge clk) begin
    if (now[15]) begin $display("end"); $finish; end
    $display("%b", io);
    t <= t + 1;
  end
endmodule
"""

Clock = tuple[int, int, int, int]  # /CS, SCK, enables, data
Steps = list[Clock]


def serial(*values: int, bits: int = 8) -> Steps:
    """Bytes on line 0, lines 2 and 3 high; bits: of the last one."""
    sent = "".join(f"{value:08b}" for value in values)[: 8 * (len(values) - 1) + bits]
    return [(0, 1, 0b1101, 0b1100 | int(bit)) for bit in sent]


def nibbles(*values: int) -> Steps:
    return [(0, 1, 0b1111, value) for value in values]


def turn(count: int) -> Steps:
    return [(0, 1, 0, 0)] * count


def rest(count: int) -> Steps:
    return [(1, 0, 0, 0)] * count


def quad(address: int, mode: int = 0) -> Steps:
    return nibbles(*(int(digit, 16) for digit in f"{address:06x}{mode:02x}")) + turn(4)


AWAKE = rest(WAKE) + serial(0xAB) + rest(WAKE)
QUAD = AWAKE + serial(0x50) + rest(2) + serial(0x31, 0x02) + rest(2)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    folder = tmp_path_factory.mktemp("w25q")
    yield build(folder, _BENCH)


def play(bench: list[str], steps: Steps, folder: Path, *, good: bool = True) -> list[str]:
    words = [cs << 9 | sck << 8 | enables << 4 | data for cs, sck, enables, data in steps]
    (folder / "stimulus").write_text("\n".join(f"{word:04x}" for word in words))
    flash = hex_file(folder / "content", CONTENT)
    lines = run(bench, folder, f"+stimulus={folder / 'stimulus'}", f"+flash={flash}", good=good)
    return lines[: lines.index("end")] if good else lines


def read(lines: list[str], start: int, count: int) -> bytes:
    """Bytes on the lines from a clock on."""
    digits = "".join(f"{int(line, 2):x}" for line in lines[start : start + 2 * count])
    return bytes.fromhex(digits)


@pytest.mark.sim
def test_quad_read(bench: list[str], tmp_path: Path) -> None:
    """Nibbles are there from the clock behind the fourth dummy on, the next one after each SCK."""
    steps = QUAD + serial(0xEB) + quad(OFFSET + 3)
    lines = play(bench, steps + turn(9), tmp_path)
    assert read(lines, len(steps), 4) == CONTENT[3:7]
    lines = play(bench, steps + turn(3) + [(0, 0, 0, 0)] * 5 + turn(9), tmp_path)
    assert [int(line, 2) for line in lines[len(steps) + 3 : len(steps) + 9]] == [CONTENT[4] & 15] * 6
    steps = QUAD + serial(0xEB) + quad(OFFSET + 126)
    assert read(play(bench, steps + turn(8), tmp_path), len(steps), 4) == CONTENT[126:] + b"\xff\xff"


@pytest.mark.sim
def test_continuous_read(bench: list[str], tmp_path: Path) -> None:
    steps = QUAD + serial(0xEB) + quad(OFFSET, 0xA0) + turn(4) + rest(2) + quad(OFFSET + 9, 0x0F)
    lines = play(bench, steps + turn(4) + rest(2) + serial(0x50), tmp_path)
    assert read(lines, len(steps), 2) == CONTENT[9:11]


@pytest.mark.sim
@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (rest(WAKE - 1) + serial(0xAB), "not high for long enough"),
        (rest(WAKE) + serial(0xAB) + rest(WAKE - 1) + serial(0x50), "not high for long enough"),
        (AWAKE + serial(0x50) + rest(1) + serial(0x31, 2), "not high for long enough"),
        (rest(WAKE) + serial(0x50), "in power-down"),
        (AWAKE + serial(0xB9) + rest(WAKE) + serial(0x50), "in power-down"),
        (AWAKE + serial(0x31, 0x02), "not enabled"),
        (QUAD + serial(0x31, 0x02), "not enabled"),
        (AWAKE + serial(0xEB), "without QE"),
        (AWAKE + serial(0x50) + rest(2) + serial(0x31, 0x01) + rest(2) + serial(0xEB), "without QE"),
        (AWAKE + serial(0x50) + rest(2) + serial(0x31, 0x02, bits=7) + rest(2), "not a byte"),
        (AWAKE + serial(0x50, bits=5) + rest(2), "within a command"),
        (AWAKE + serial(0x50, 0x00) + rest(2), "bits too many"),
        (QUAD + serial(0x03), "does not have"),
        (AWAKE + [(0, 1, 0b0001, 0)], "HOLD is not high"),
    ],
)
def test_refused(bench: list[str], steps: Steps, message: str, tmp_path: Path) -> None:
    lines = play(bench, steps, tmp_path, good=False)
    assert any(line.startswith("W25Q:") and message in line for line in lines), lines[-3:]
