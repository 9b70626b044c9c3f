"""The whole design on a board: simulated through its pins, and routed for the ULX3S-85F."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from hwgen.emit import board_top
from hwgen.emit.board_frame import version_numbers
from hwgen.flow import board as boards
from hwgen.flow import pnr, synth
from hwgen.numeric.ranges import Range
from hwgen.runtime import link as host
from hwgen.support.errors import UsageError

sys.path.insert(0, str(Path(__file__).parents[1] / "hw"))
from link_host import Fold, Host, Increment

BOARD = boards.load("ulx3s-85f")


def test_simulated_through_the_pins():
    top = board_top.BoardTop(
        Increment(Range(-128, 127), 2),
        BOARD,
        8e6,
        inputs=6,
        outputs=6,
        design_id=7,
        pll=False,
        idle_seconds=1e-4,
    )
    bench = Host(top, top.uart_rx, top.uart_tx, 8)
    x = np.array([1, -2, 3, -4, 127, 0])

    async def script(ctx):
        await bench.send(ctx, host.identify_request())
        seen = host.Identity.from_bytes((await bench.answer(ctx)).checked())
        assert seen == host.Identity(
            host.Engine.STREAM, version_numbers(), 8_000_000, 7, 6, 6, "ulx3s-85f", queue=2
        )
        await bench.send(ctx, host.run_request(x, 8))
        payload = (await bench.answer(ctx)).checked()
        assert host.unpack_tensor(payload, 8, True).tolist() == [2, -1, 4, -3, -128, 1]
        assert ctx.get(top.leds) == 0b001
        await bench.send(ctx, host.encode_frame(9))
        assert (await bench.answer(ctx)).status == host.Status.BAD_REQUEST
        assert ctx.get(top.leds) & 0b100

    bench.run(script)


def test_wrong_clocks():
    core = Increment(Range(-128, 127), 1)
    with pytest.raises(UsageError, match="outside"):
        board_top.BoardTop(core, BOARD, 1e9, inputs=4, outputs=4)
    with pytest.raises(UsageError, match=r"baud cannot be made from 3.125 MHz"):
        board_top.BoardTop(core, BOARD, 3.125e6, inputs=4, outputs=4)


@pytest.mark.pnr
def test_routed_for_the_board(tmp_path):
    """Everything but a real core: link and PLL meet 125 MHz, and the link stays small."""
    core = Fold(Range(-128, 127), 4, 512)
    top = board_top.BoardTop(core, BOARD, 126e6, inputs=512, outputs=1, design_id=0x12345678)
    assert top.clock_hz == 125e6
    (tmp_path / "top.il").write_text(board_top.to_rtlil(top))
    result = synth.synthesise([tmp_path / "top.il"], "top", "ecp5", tmp_path, regions=["core", "link", "pll"])
    pnr.check_fit(result.resources, BOARD)
    assert result.regions["link"]["lut4"] < 660 and result.regions["link"]["bram"] == 1
    assert result.regions["pll"]["ff"] == 2
    routed = pnr.place_and_route(result.netlist, BOARD, tmp_path, freq_mhz=25)
    oscillator, made = sorted(routed.clocks.values(), key=lambda clock: clock.constraint)
    assert oscillator.constraint == 25 and made.constraint == pytest.approx(125, rel=1e-3)
    assert routed.fmax_mhz == made.achieved > 125
    assert pnr.pack(routed.config, tmp_path, BOARD.toolchain).stat().st_size > 100_000
