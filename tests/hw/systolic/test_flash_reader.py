"""FlashReader against the model of the flash: words, halves, nibbles, and the clocks they come in."""

from __future__ import annotations

import json
import random
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from flashbench import PINS, board, build, hex_file, run

from hwgen.emit.verilog import to_verilog
from hwgen.hw.systolic.flash import FlashReader

OFFSET = 0xFFFC00
CONTENT = random.Random(1).randbytes(1024)

#: late, divide, registers in the pins
FORMS = [(0, 1, 0), (1, 1, 1), (2, 1, 2), (0, 3, 0), (2, 2, 1)]

#: address, words, how the consumer takes them: at once, now and then, seldom
REQUESTS = [
    (0xFFFC00, 5, 0),
    (0xFFFC05, 1, 0),
    (0xFFFD01, 30, 1),
    (0xFFFDFF, 12, 2),
    (0xFFFFFA, 4, 0),  # over the end
    (0xFFFC33, 60, 0),
]


def content(address: int, count: int) -> bytes:
    return bytes(
        CONTENT[at - OFFSET] if OFFSET <= at < OFFSET + len(CONTENT) else 255
        for at in ((address + k) % (1 << 24) for k in range(count))
    )


def checker(name: str, number: int, registers: int) -> str:
    """Plays the requests, prints what comes out with its clock after `start`."""
    memory = "".join(
        f"number == {k} ? {{24'h{address:06x}, 16'd{words}, 2'd{pace}}} : "
        for k, (address, words, pace) in enumerate(REQUESTS)
    )
    return f"""module check_{name}(input clk, output reg done);
{board(name, registers=registers, file="content.hex", OFFSET=OFFSET, BYTES=1024)}
  integer number = 0, taken = 0, t = 0, launched = 0, seed = {number + 1};
  reg was_valid = 0, start = 0, stop = 0; wire idle, valid, half_valid, nibble_valid; reg ready;
  wire [41:0] request = {memory}0; wire [23:0] address = request[41:18];
  wire [31:0] word; wire [15:0] half; wire [3:0] nibble; wire [2:0] index;
  initial begin done = 0; ready = 0; end
  {name} dut(.clk(clk), .rst(1'b0), {PINS}, .start(start), .address(address), .stop(stop), .idle(idle),
    .word(word), .valid(valid), .ready(ready), .half(half), .half_valid(half_valid), .nibble(nibble),
    .nibble_valid(nibble_valid), .index(index));
  always @(posedge clk) begin
    t <= t + 1;
    start <= 0; stop <= 0;
    ready <= request[1:0] == 0 || ($random(seed) & (request[1:0] == 1 ? 3 : 31)) == 0;
    if (half_valid) $display("{number} {{\\"half\\": %0d}}", half);
    if (nibble_valid) $display("{number} {{\\"nibble\\": %0d, \\"index\\": %0d}}", nibble, index);
    was_valid <= valid;
    if (valid && !was_valid) $display("{number} {{\\"valid\\": %0d}}", t - launched);
    if (valid && ready) begin
      $display("{number} {{\\"word\\": %0d, \\"clock\\": %0d}}", word, t - launched);
      taken <= taken + 1;
      if (taken + 1 == request[17:2]) begin
        stop <= 1; taken <= 0; number <= number + 1;
      end
    end
    if (idle && !start && !stop && number < {len(REQUESTS)} && taken == 0) begin
      start <= 1; launched <= t + 1;
      $display("{number} {{\\"start\\": %0d}}", number);
    end
    if (number == {len(REQUESTS)} && idle) done <= 1;
  end
endmodule
"""


def bench() -> str:
    texts, instances = [], []
    for number, (late, divide, registers) in enumerate(FORMS):
        name = f"reader_{late}_{divide}"
        reader = FlashReader(late=late, divide=divide)
        texts += [to_verilog(reader, name), checker(name, number, registers)]
        instances.append(f"  check_{name} c{number}(clk, done[{number}]);\n")
    top = f"  wire [{len(FORMS) - 1}:0] done;\n  always @(posedge clk) if (&done) $finish;\n"
    return "".join([*texts, "module bench(input clk);\n", top, *instances, "endmodule\n"])


def check(lines: list[str]) -> None:
    for number, (late, divide, _) in enumerate(FORMS):
        records = [json.loads(line.split(" ", 1)[1]) for line in lines if line.startswith(f"{number} {{")]
        parts: list[list[dict[str, int]]] = []
        for record in records:
            if "start" in record:
                parts.append([])
            else:
                parts[-1].append(record)
        assert len(parts) == len(REQUESTS)
        for (address, words, pace), part in zip(REQUESTS, parts):
            wanted = content(address, 4 * words)
            got = [r["word"] for r in part if "word" in r]
            assert got == [int.from_bytes(wanted[k : k + 4], "little") for k in range(0, len(wanted), 4)]
            halves = b"".join(r["half"].to_bytes(2, "little") for r in part if "half" in r)
            assert halves[: len(wanted)] == wanted
            nibbles = [r for r in part if "nibble" in r]
            assert [r["nibble"] for r in nibbles][: 2 * len(wanted)] == [
                byte >> shift & 15 for byte in wanted for shift in (0, 4)
            ]
            assert all(r["index"] == k % 8 for k, r in enumerate(nibbles))
            clocks = [r["clock"] for r in part if "word" in r]
            if divide == 1:
                valid = [r["valid"] for r in part if "valid" in r]
                for place, taken in enumerate(clocks[:-1]):
                    assert valid[place + 1] == max(valid[place] + 8, taken + 4 + late)
            if pace == 0:
                first = 30 + late if divide == 1 else 27 * divide + 3 + late
                assert clocks == [first + 8 * divide * k for k in range(words)], (late, divide)
            elif pace == 2:  # SCK has waited
                assert any(b - a > 8 * divide + 6 for a, b in pairwise(clocks))


@pytest.mark.sim
def test_words(tmp_path: Path) -> None:
    hex_file(tmp_path / "content.hex", CONTENT)
    check(run(build(tmp_path, bench()), tmp_path))


@pytest.mark.sim
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not on PATH")
def test_lines_are_never_undefined(tmp_path: Path) -> None:
    """The model looks at Z and X here."""
    hex_file(tmp_path / "content.hex", CONTENT)
    check(run(build(tmp_path, bench(), icarus=True), tmp_path))


def test_errors() -> None:
    for options in ({"late": 5}, {"late": -1}, {"divide": 0}, {"wake": 0}):
        with pytest.raises(ValueError, match="flash:"):
            FlashReader(**options)
