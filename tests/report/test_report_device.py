"""The device map: each tile drawn once, for the part that has most of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from hwgen.flow.placement import KINDS
from hwgen.report.device import FABRIC, LINK, REST, device_map, owner_of

UNITS = {"l00_conv": None, "l01_add": None}


@pytest.mark.parametrize(
    ("part", "owner"),
    [
        ("core.l00_conv", "l00_conv"),
        ("core.width_l00_conv_0", "l00_conv"),
        ("core.fifo_l01_add_1", "l01_add"),
        ("core.fork_3", FABRIC),
        ("core", FABRIC),
        ("link.endpoint", LINK),
        ("pll", REST),
        ("", REST),
    ],
)
def test_owner(part: str, owner: str) -> None:
    assert owner_of(part, UNITS, shared=False) == owner


def test_owner_on_an_array() -> None:
    """Parts of the array are its own, whatever layers are called."""
    assert owner_of("core.array", {}, shared=True) == "array"
    assert owner_of("core", {}, shared=True) == FABRIC


def covered(path: str) -> set[tuple[int, int]]:
    runs = re.findall(r"M(\d+) (\d+)\.5h(\d+)", path)
    assert "".join(f"M{x} {y}.5h{n}" for x, y, n in runs) == path
    tiles = [(int(x) + k, int(y)) for x, y, n in runs for k in range(int(n))]
    assert len(tiles) == len(set(tiles))
    return set(tiles)


def layers() -> list[SimpleNamespace]:
    return [
        SimpleNamespace(unit=unit, name=f"<{unit}>", number=k, colour="red")
        for k, unit in enumerate(UNITS, 1)
    ]


@pytest.mark.parametrize("up", [False, True])
def test_every_tile_once(up: bool) -> None:
    rows = {
        "core.l00_conv": [[x, 2, 5, 0, 0, 0, 0, 0] for x in range(1, 6)] + [[9, 2, 8, 8, 0, 0, 0, 0]],
        "core.l01_add": [[4, 2, 4, 4, 0, 0, 0, 0], [5, 3, 1, 0, 2, 0, 0, 0], [7, 7, 0, 0, 0, 1, 0, 0]],
    }
    drawn = device_map(
        {"width": 20, "height": 10, "up": up, "kinds": list(KINDS), "parts": rows}, layers(), shared=False
    )
    conv, add = drawn.owners

    def row(y: int) -> int:
        return 9 - y if up else y

    assert [conv.name, add.name] == ["<l00_conv>", "<l01_add>"] and drawn.used == 7
    tiles = {
        name: covered(owner.full) | covered(owner.sparse) for name, owner in (("conv", conv), ("add", add))
    }
    assert tiles["conv"] == {(x, row(2)) for x in (1, 2, 3, 5, 9)}
    assert tiles["add"] == {(4, row(2)), (5, row(3))}
    assert not covered(conv.full) & covered(conv.sparse)
    assert (9, row(2)) in covered(conv.full)
    assert add.blocks == ((5, row(3), "dsp"), (7, row(7), "bram"))
    assert conv.counts["lut4"] == 33 and add.counts["dsp"] == 2
    x, y, across, down = drawn.window
    assert (x, across, down) == (1, 9, 6) and y == min(row(2), row(7)) and not drawn.whole


def test_a_small_design_is_not_blown_up() -> None:
    rows = {"core.l00_conv": [[119, 0, 1, 0, 0, 0, 0, 0]]}
    placement = {"width": 120, "height": 90, "up": False, "kinds": list(KINDS), "parts": rows}
    assert device_map(placement, layers(), shared=False).window == (80, 0, 40, 30)


def test_nothing_placed(build_folder: Callable) -> None:
    assert device_map({}, layers(), shared=False) is None
    assert device_map({"parts": {"core": [[0, 0, 1]]}, "kinds": ["other"]}, layers(), shared=False) is None
