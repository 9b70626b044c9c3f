"""What the data-movement components cost on ECP5: LUT4 sites, flip-flops and block RAMs, with bounds.

The bounds leave some 15 % above the measured figures for another Yosys. All components are
synthesised in one run, each a region of its own.
"""

from __future__ import annotations

import pytest
from together import resources

from hwgen.hw.fifo import StreamFifo
from hwgen.hw.globalpool import GlobalSum
from hwgen.hw.outqueue import OutQueue
from hwgen.hw.pool import MaxReducer, SumReducer
from hwgen.hw.serializer import Serializer
from hwgen.hw.width import WidthConverter
from hwgen.hw.window import WindowBuffer
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5
from hwgen.targets.resources import Resources

INT8 = Range(-128, 127)
ACC = Range(-(1 << 19), (1 << 19) - 1)


def window(**fields) -> WindowBuffer:
    return WindowBuffer(**dict(shape=(25, 5, 64), value=INT8, lanes=8, target=ECP5) | fields)


# component, bounds of (lut4, ff, bram)
CASES = {
    "depthwise_3x3": (window(kernel=(3, 3), pad=(1, 1, 1, 1), order="depthwise"), (170, 190, 2)),
    "pointwise": (window(repeat=8), (160, 125, 0)),
    "kws_10x4": (
        window(shape=(49, 10, 1), kernel=(10, 4), stride=2, pad=(4, 5, 1, 1), lanes=1, repeat=8),
        (190, 140, 1),
    ),
    "once": (window(), (12, 85, 0)),
    "queue": (OutQueue(shape=INT8, lanes=1, depth=16, reserve=4), (60, 40, 0)),
    "serializer": (Serializer(shape=ACC, pe=8, lanes=1), (165, 180, 0)),
    "gather": (WidthConverter(shape=INT8, lanes_in=1, lanes_out=8), (12, 135, 0)),
    "scatter": (WidthConverter(shape=INT8, lanes_in=8, lanes_out=1), (78, 145, 0)),
    "fifo_512": (StreamFifo(shape=INT8, lanes=8, depth=512, target=ECP5), (220, 130, 2)),
    "totals": (GlobalSum(pixels=125, channels=64, lanes=8, value=INT8), (520, 360, 0)),
    "maximum": (MaxReducer(value=INT8, lanes=8), (115, 75, 0)),
    "sum": (SumReducer(value=INT8, lanes=8, total=Range(-3200, 3175)), (130, 240, 0)),
}


@pytest.fixture(scope="module")
def regions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Resources]:
    parts = {name: part for name, (part, _) in CASES.items()}
    return resources(parts, "ecp5", tmp_path_factory.mktemp("stream_cost"))


@pytest.mark.synth
@pytest.mark.parametrize("name", CASES)
def test_cost(name: str, regions: dict[str, Resources]) -> None:
    lut4, ff, bram = CASES[name][1]
    cost = regions[name]
    print(name, cost)
    assert cost.lut4 <= lut4 and cost.ff <= ff and cost.bram == bram, cost
    assert cost.lut4 >= lut4 // 2, f"{cost}: so much smaller than its bound that the bound is worth lowering"
    assert cost.dsp == 0
