"""The systolic engine on a board, from the serial line to the flash's pins; only the PLL is left out."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from hwgen.emit.board_frame import version_numbers
from hwgen.emit.board_top import to_verilog
from hwgen.emit.systolic_top import SystolicTop
from hwgen.flow import board as boards
from hwgen.golden.run import execute
from hwgen.ir.graph import Graph
from hwgen.numeric.ranges import Range
from hwgen.plan.systolic.lower import Lowered, lower
from hwgen.program.array import UP5K, Array
from hwgen.runtime import link as host
from hwgen.runtime.link import Counters, Request, Status
from hwgen.support.errors import BoardError, UsageError

sys.path.insert(0, str(Path(__file__).parents[1] / "hw"))
sys.path.insert(0, str(Path(__file__).parents[1] / "plan" / "systolic"))

from stream_link_bench import Bench, Script
from systolic_nets import Builder

MODELS = Path(__file__).parents[2] / "sim" / "models"
MEGAHERTZ = 8
#: that of the board, with so little weight memory that weights come from the flash while computing
GEOMETRY = Array(weight_words=320)
BASE = 1 << 20
#: icesugar, as on the board: the pins, and the flash behind them
_BOARD = """
module board(input clk, rst, rx, output tx, busy, error);
  wire [3:0] io;
  wire [2:0] leds;
  wire cs_n, sck;
  assign busy = !leds[1], error = !leds[2];
  systolic dut(.clk(clk), .rst(rst), .uart_rx(rx), .uart_tx(tx), .leds(leds),
    .flash_cs_n(cs_n), .flash_io(io), .flash_clk(sck));
  W25Q #(.OFFSET(%d), .BYTES(1 << 17), .WAKE(%d), .REST(1)) flash(clk, cs_n, sck, io);
endmodule
"""


def network(seed: int) -> Graph:
    builder = Builder(seed, (6, 5, 3), Range(-128, 127))
    builder.conv(7)
    builder.depthwise()
    builder.flatten()
    builder.conv(5)
    return builder.done()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    top = SystolicTop(GEOMETRY, boards.load("icesugar"), MEGAHERTZ * 1e6, idle_seconds=1e-4, pll=False)
    text = (
        to_verilog(top)
        .replace("module top(", "module systolic(")
        .replace("module \\top (", "module systolic(")
    )
    text += (_BOARD % (BASE, 3 * MEGAHERTZ)).replace("module board", "module top")
    cells = [MODELS / f"{cell}.v" for cell in ("SB_IO", "SB_MAC16", "SB_SPRAM256KA", "W25Q")]
    return Bench(tmp_path_factory.mktemp("systolic_top"), text, bit=MEGAHERTZ, models=cells)


def flash(bench: Bench, image: bytes) -> str:
    """The argument that puts `image` into the flash."""
    path = bench.folder / "image.hex"
    path.write_text("\n".join(f"{byte:02x}" for byte in image) + "\n")
    return f"+flash={path}"


def identified(design_id: int, lowered: Lowered | None) -> bytes:
    """The answer to IDENTIFY."""
    inputs, outputs = (lowered.image.inputs, lowered.image.outputs) if lowered else (0, 0)
    known = host.Identity(
        host.Engine.SYSTOLIC, version_numbers(), MEGAHERTZ * 1_000_000, design_id, inputs, outputs, "icesugar"
    )
    return host.encode_frame(Status.OK, known.to_bytes())


def requests(inputs: list[bytes], boot: int = 40_000, wait: int = 60_000) -> Script:
    """IDENTIFY, and all inputs, each after a damaged one."""
    script = Script()
    script.wait(boot)
    script.send(host.identify_request())
    script.wait(6_000)
    script.end()
    for each in inputs:
        frame = bytearray(host.encode_frame(Request.RUN, each))
        frame[len(frame) // 2] ^= 4
        for request in (bytes(frame), bytes(frame[: len(frame) // 2]), host.encode_frame(Request.RUN, each)):
            script.send(request)
            script.wait(wait)
            script.end()
    return script


@pytest.mark.sim
@pytest.mark.parametrize("seed", (3, 4))
def test_programs_from_the_flash_are_exact(bench: Bench, seed: int) -> None:
    """One build, two networks; whatever is wrong with a request, the next one is right."""
    graph = network(seed)
    lowered = lower(graph, GEOMETRY)
    assert lowered.image.later
    entry, exit_ = graph.inputs[0].tensor, graph.outputs[0].tensor
    x = np.random.default_rng(seed).integers(-128, 128, (2, *graph.tensors[entry].shape))
    golden = execute(graph, {entry: x})[exit_]
    data = lowered.image.to_bytes()
    rows = bench.run(requests([lowered.enter({entry: each}).tobytes() for each in x]), flash(bench, data))
    assert rows[0] == (identified(int.from_bytes(data[28:32], "little"), lowered), False, False)
    assert len(rows) == 1 + 3 * len(x)
    for number, wanted in enumerate(golden):
        damaged, broken, good = rows[1 + 3 * number :][:3]
        assert damaged == (host.encode_frame(Status.BAD_CRC), False, True)
        assert broken == (host.encode_frame(Status.TRUNCATED), False, True)
        assert good[1:] == (False, False)
        response, rest = host.decode_response(good[0])
        assert response is not None and rest == b""
        given = lowered.leave(np.frombuffer(response.checked(), dtype=np.int8))
        np.testing.assert_array_equal(given[exit_], wanted)


@pytest.mark.sim
@pytest.mark.parametrize("wrong", ("nothing", "a bit", "another array"))
def test_bad_image_runs_nothing(bench: Bench, wrong: str) -> None:
    data = bytearray(lower(network(3), GEOMETRY).image.to_bytes())
    if wrong == "nothing":
        data = bytearray(64)
    data[100 if wrong == "a bit" else 8] ^= 1
    rows = bench.run(requests([bytes(90)]), flash(bench, bytes(data)))
    refused = (host.encode_frame(Status.NO_PROGRAM), False, True)
    # the error's LED is on from the boot
    assert rows == [(identified(0, None), False, True)] + [refused] * 3


@pytest.mark.sim
def test_reset_loads_the_program_again(bench: Bench) -> None:
    """Counters, and a core that was waiting for its input, start anew; before it is ready it refuses."""
    lowered = lower(network(3), GEOMETRY)
    data = np.random.default_rng(3).integers(-128, 128, lowered.image.inputs).astype(np.int8).tobytes()
    run, status = host.encode_frame(Request.RUN, data), host.encode_frame(Request.STATUS)
    script = Script()
    script.wait(40_000)
    reset = host.encode_frame(Request.RESET)
    for request, wait in (
        (run, 60_000), (status, 5_000), (reset, 1_000), (status, 5_000), (reset, 1_000), (run, 60_000),
        (status, 5_000), (run, 60_000),
    ):  # fmt: skip
        script.send(request)
        script.wait(wait)
        script.end()
    rows = bench.run(script, flash(bench, lowered.image.to_bytes()))
    answers = [host.decode_response(row[0])[0] for row in rows]
    assert all(answer is not None for answer in answers)
    first, counters, done, waiting, _, refused, ready, again = answers
    clocks = Counters.from_bytes(counters.checked()).clocks
    assert Counters.from_bytes(counters.checked()) == Counters(True, False, 1, 0, clocks) and clocks > 100
    assert done.checked() == b""
    assert Counters.from_bytes(waiting.checked()) == Counters(False, False, 0, 0, 0)
    assert refused.status is Status.NO_PROGRAM
    assert Counters.from_bytes(ready.checked()) == Counters(True, True, 0, 0, 0)
    assert again.checked() == first.checked() != bytes(lowered.image.outputs)


def test_boards_and_clocks() -> None:
    with pytest.raises(BoardError, match="upduino3: has no flash"):
        SystolicTop(UP5K, boards.load("upduino3"), 24e6)
    with pytest.raises(UsageError, match=r"flash: a system clock of 150 MHz is above 126 MHz"):
        SystolicTop(UP5K, boards.load("ulx3s-85f"), 150e6)
    top = SystolicTop(UP5K, boards.load("ulx3s-85f"), 120e6)
    assert (top.pads.divide, top.pads.late) == (3, 4) and top.core.loader.base == 4 << 20
    assert set(top.ports()) == {"clk", "uart_rx", "uart_tx", "leds", "flash_cs_n", "flash_io"}
