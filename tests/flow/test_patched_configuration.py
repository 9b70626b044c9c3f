"""Block RAMs of a routed configuration with other contents: bit for bit what a full run gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Cat, ClockDomain, Elaboratable, Module, Signal
from amaranth.hdl._ir import PortDirection

from hwgen.emit import board_top
from hwgen.flow import board as boards
from hwgen.flow import patch, pnr, synth
from hwgen.flow.board import Board
from hwgen.hw.rom import Rom
from hwgen.support.errors import ToolError
from hwgen.targets import target

SHAPES = ((40, 20), (300, 17), (1, 9))


class Top(Elaboratable):
    """Three ROMs of random content, their addresses from a serial line and their parity back on it."""

    def __init__(self, board: Board, seed: int, form: str = "exchange") -> None:
        rng = np.random.default_rng(seed)
        self.clk, self.rx, self.tx = Signal(name="clk"), Signal(name="uart_rx"), Signal(name="uart_tx")
        self.leds = Signal(len(board.leds.pins))
        contents = [rng.integers(0, 2, shape, dtype=np.uint8) for shape in SHAPES]
        self.roms = [Rom(content, form=form, target=target(board.family)) for content in contents]

    def ports(self) -> dict[str, tuple[Signal, PortDirection]]:
        inward, outward = PortDirection.Input, PortDirection.Output
        return {
            "clk": (self.clk, inward), "uart_rx": (self.rx, inward), "uart_tx": (self.tx, outward),
            "leds": (self.leds, outward),
        }  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = sync = ClockDomain("sync", reset_less=True)
        address, held = Signal(9), Signal(64)
        m.d.comb += sync.clk.eq(self.clk)
        m.d.sync += [address.eq(Cat(self.rx, address)), held.eq(Cat(rom.data for rom in self.roms))]
        m.d.sync += self.tx.eq(held.xor())
        for number, rom in enumerate(self.roms):
            m.submodules[f"rom{number}"] = rom
            m.d.comb += rom.addr.eq(address)
        return m


def source(board: str, seed: int, form: str = "exchange") -> tuple[str, patch.Source]:
    text = board_top.to_rtlil(Top(boards.load(board), seed, form))
    return text, patch.read(text, board_top.TOP)


@pytest.mark.pnr
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-12f"])
def test_patched_is_what_a_full_run_gives(name: str, tmp_path: Path) -> None:
    board, configs, sources, placed = boards.load(name), [], [], {}
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        text, taken = source(name, seed)
        (folder / "top.il").write_text(text)
        netlist = synth.synthesise([folder / "top.il"], board_top.TOP, board.family, folder).netlist
        routed = pnr.place_and_route(netlist, board, folder, freq_mhz=12)
        configs.append(routed.config)
        sources.append(taken)
        placed = patch.sections(routed.placement)
    old, new = sources
    assert sorted(placed) == sorted(old.contents)
    assert patch.difference(old, new) is None
    patched = patch.filled(configs[0].read_text(), placed, old, new)
    assert patched.splitlines() == [line.rstrip() for line in configs[1].read_text().splitlines()]
    assert patched != patch.filled(configs[0].read_text(), placed, old, old)
    with pytest.raises(ToolError, match="not what was built"):
        patch.filled(configs[1].read_text(), placed, old, new)


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-12f"])
def test_contents_by_hierarchy(name: str) -> None:
    _, taken = source(name, 1)
    wide = name == "ulx3s-12f"
    assert {"rom0.exchanged_0_0", "rom1.exchanged_0_0", "rom2.exchanged_0_0"} <= set(taken.contents)
    first = taken.contents["rom2.exchanged_0_0"]["INITVAL_00" if wide else "INIT_0"]
    bits = np.random.default_rng(1)
    word = [bits.integers(0, 2, shape, dtype=np.uint8) for shape in SHAPES][2][0]
    assert first == sum(int(bit) << at for at, bit in enumerate(word))


def test_other_hardware_is_named() -> None:
    _, exchanged = source("ulx3s-12f", 1)
    _, other = source("ulx3s-12f", 1, form="bram")
    assert patch.difference(exchanged, other) == "top.rom0"


def test_what_is_missing_is_told() -> None:
    _, old = source("ulx3s-12f", 1)
    _, new = source("ulx3s-12f", 2)
    places = {name: f".bram_init {at}" for at, name in enumerate(old.contents)}
    config = "\n\n".join("\n".join([header, *patch.section(header, old.contents[name])])
                         for name, header in places.items())  # fmt: skip
    done = patch.filled(config, places, old, new)
    assert (
        done.split()
        == "\n\n".join(
            "\n".join([header, *patch.section(header, new.contents[name])]) for name, header in places.items()
        ).split()
    )
    with pytest.raises(ToolError, match=r"no \.bram_init 0"):
        patch.filled(config.replace(".bram_init 0", ".bram_init 77"), places, old, new)
    with pytest.raises(ToolError, match="the place of rom0"):
        patch.filled(config, {}, old, new)
    with pytest.raises(ToolError, match="not what was built"):
        patch.filled(config, places, new, old)
