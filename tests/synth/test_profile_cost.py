"""What a profile costs: LUT4 sites, flip-flops and block RAMs of what units share and of each, with bounds.

Units differ in the width of the counter of their work alone, here 16 bits.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from together import resources

from hwgen.hw.profile import WORD_BITS, Profile, Watched, profile_cost

FEW, MANY = 2, 22
CYCLES = 50_000


class Counted(wiring.Component):
    """A profile of units that are nothing but their input streams."""

    def __init__(self, units: int) -> None:
        self.streams = [SimpleNamespace(valid=Signal(), ready=Signal()) for _ in range(units)]
        self.profile = Profile([Watched(SimpleNamespace(i=each), CYCLES, 1) for each in self.streams])
        super().__init__(
            {
                "valid": In(units),
                "ready": In(units),
                "counting": In(1),
                "index": In(range(self.profile.words)),
                "word": Out(WORD_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.profile = profile = self.profile
        m.d.comb += [
            profile.counting.eq(self.counting),
            profile.index.eq(self.index),
            self.word.eq(profile.word),
        ]
        for k, each in enumerate(self.streams):
            m.d.comb += [each.valid.eq(self.valid[k]), each.ready.eq(self.ready[k])]
        return m


@pytest.mark.synth
@pytest.mark.parametrize(
    ("family", "each", "shared", "blocks"),
    [("ecp5", (70, 60), (115, 230), 1), ("ice40", (85, 60), (290, 230), 2)],
)
def test_cost(
    family: str,
    each: tuple[int, int],
    shared: tuple[int, int],
    blocks: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made = resources(
        {"few": Counted(FEW), "many": Counted(MANY)}, family, tmp_path_factory.mktemp("profile_cost")
    )
    few, many = made["few"], made["many"]
    lut4, ff = ((getattr(many, n) - getattr(few, n)) / (MANY - FEW) for n in ("lut4", "ff"))
    base = few.lut4 - FEW * lut4, few.ff - FEW * ff
    print(f"{family}: a unit {lut4:.1f} LUT4 {ff:.1f} FF; all {base[0]:.0f} LUT4 {base[1]:.0f} FF")
    assert lut4 <= each[0] and ff <= each[1]
    assert base[0] <= shared[0] and base[1] <= shared[1]
    assert few.bram == many.bram == blocks
    expected = profile_cost(MANY)
    assert many.lut4 <= expected.lut4 and many.ff <= expected.ff and many.bram <= expected.bram
