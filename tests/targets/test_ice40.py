"""iCE40: the multiplier with hwgen's and Yosys' models; memories as Yosys maps them."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Shape

sys.path.insert(0, str(Path(__file__).parents[1] / "hw"))

import verilated
from factors import products
from reducerbench import case, mvu_groups
from test_mvu import mixed
from test_ram import accesses
from verilated import Case, first_mismatches

from hwgen.emit.verilog import to_rtlil
from hwgen.flow import netlist, tools
from hwgen.hw.multiply import Multiplier, TwoProducts
from hwgen.hw.mvu import MVU
from hwgen.hw.product.halves import HalvesForm, HalvesOfLanesForm
from hwgen.hw.ram import Ram, block_count
from hwgen.hw.rom import Rom, rom_cost
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, ICE40, ICE40UP, target
from hwgen.targets.resources import Resources

SHAPES = [
    (Shape(16, True), Shape(16, True)),
    (Shape(8, False), Shape(9, True)),
    (Shape(16, False), Shape(16, False)),
    (Shape(16, True), Shape(15, False)),
]


def two_products() -> dict[str, Case]:
    """Both products, and their sum, with every mixture of signs and at all ends of the ranges."""
    rng = np.random.default_rng(3)
    cases = {}
    for a, b in itertools.product((Shape(8, True), Shape(8, False), Shape(5, True)), repeat=2):
        ends = [[-(1 << s.width - 1) if s.signed else 0, (1 << s.width - s.signed) - 1] for s in (a, b)]
        corners = np.array(list(itertools.product(*ends, *ends)))  # a0, b0, a1, b1
        noise = rng.integers([e[0] for e in ends] * 2, [e[1] + 1 for e in ends] * 2, (60, 4))
        rows = np.concatenate([corners, noise])
        ports = {
            name: (rows[:, at] & ((1 << shape.width) - 1)).tolist()
            for at, (name, shape) in enumerate(zip(("a0", "b0", "a1", "b1"), (a, b, a, b)))
        }
        first, second = (rows[:, 0] * rows[:, 1]).tolist(), (rows[:, 2] * rows[:, 3]).tolist()
        late: list[None] = [None, None]
        cases[f"{a} {b}"] = Case(
            TwoProducts(a, b, 16, total=False, target=ICE40UP),
            ports,
            {"y0": [*late, *first][: len(rows)], "y1": [*late, *second][: len(rows)]},
        )
        sums = [None, *late, *(x + y for x, y in zip(first, second))][: len(rows)]
        cases[f"{a} {b} sum"] = Case(TwoProducts(a, b, 16, total=True, target=ICE40UP), ports, {"y1": sums})
    return cases


@pytest.mark.sim
@pytest.mark.parametrize("model", ["hwgen", "yosys"])
def test_sb_mac16_multiplies_after_two_clocks(model: str, tmp_path: Path, monkeypatch: Any) -> None:
    if model == "yosys":
        spec = importlib.util.find_spec("pyosys")
        if spec is None or spec.origin is None:
            pytest.skip("Yosys' models come with pyosys")
        text = (Path(spec.origin).parent / "share" / "ice40" / "cells_sim.v").read_text()
        cell = re.search(r"^module SB_MAC16 \(.*?^endmodule", text, flags=re.MULTILINE | re.DOTALL)
        assert cell
        body = re.sub(r"^`ifdef ICE40_U\n.*?^`endif\n", "", cell[0], flags=re.MULTILINE | re.DOTALL)
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "SB_MAC16.v").write_text(body)
        monkeypatch.setattr(verilated, "MODELS", tmp_path / "models")
    assert first_mismatches(products(SHAPES, (32, 20), ICE40UP) | two_products(), tmp_path) == {}


@pytest.mark.sim
def test_two_products_of_one_cell_in_an_mvu(tmp_path: Path) -> None:
    """Exact, clock by clock, with gaps and without, beside the generic target's sums."""
    cases, rng, uint8 = {}, np.random.default_rng(6), Range(0, 255)
    narrow, full = Range(-127, 127), Range(-128, 127)
    for form, simd, pe, value, weight in (
        (HalvesForm, 1, 2, full, full),
        (HalvesForm, 3, 4, uint8, narrow),
        (HalvesOfLanesForm, 2, 1, full, narrow),
        (HalvesOfLanesForm, 3, 2, Range(0, 15), full),
        (HalvesOfLanesForm, 6, 1, uint8, full),
    ):
        weights, x = mixed(rng, weight, (4, 2 * simd)), mixed(rng, value, (30, 2 * simd))
        dut = MVU(weights, simd=simd, pe=pe, value=value, form=form, rom="bram", target=ICE40UP)
        cases[f"{form.name} {simd} {pe} {value}"] = case(
            dut, mvu_groups(dut, x), rng, gaps=float(rng.choice([0, 0.3]))
        )
    assert first_mismatches(cases, tmp_path, "HWGEN_PRIMITIVES") == {}


def test_operands_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="does not fit a 16-bit multiplier input"):
        to_rtlil(Multiplier(Shape(17, False), Shape(8, True), 20, target=ICE40UP), "dut")
    with pytest.raises(ValueError, match="does not fit a 8-bit multiplier input"):
        to_rtlil(TwoProducts(Shape(9, True), Shape(8, True), 16, total=False, target=ICE40UP), "dut")


def synthesised(component: Any, folder: Path) -> tuple[Resources, Counter[str]]:
    """Resources and cells after synth_ice40."""
    (folder / "dut.il").write_text(to_rtlil(component, "dut"))
    lines = ["read_rtlil dut.il", "rename -unescape w:* x:* %d"]
    lines += ['setattr -set ram_style "logic" a:ram_style=distributed', "synth_ice40 -top dut -json dut.json"]
    (folder / "run.ys").write_text("\n".join(lines) + "\n")
    argv = [*tools.find("yosys").argv, "-s", "run.ys"]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True, timeout=600)
    module = json.loads((folder / "dut.json").read_text())["modules"]["dut"]
    return Resources(**netlist.count_regions(module, [])[""]), Counter(
        cell["type"] for cell in module["cells"].values()
    )


@pytest.mark.synth
@pytest.mark.parametrize(("width", "depth"), [(16, 256), (24, 200), (8, 1000), (3, 2048)])
def test_ram_is_block_ram_and_little_else(width: int, depth: int, tmp_path: Path) -> None:
    """Yosys does not imitate what reading the written word gives, nor are there more blocks than planned."""
    found, cells = synthesised(Ram(width=width, depth=depth, form="block", target=ICE40), tmp_path)
    assert found.bram == cells["SB_RAM40_4K"] == block_count(width, depth, ICE40)
    assert found.lut4 <= width + 6 and found.ff <= width + 4


@pytest.mark.synth
@pytest.mark.parametrize(("width", "depth"), [(16, 16), (9, 40)])
def test_small_ram_is_flip_flops(width: int, depth: int, tmp_path: Path) -> None:
    found, cells = synthesised(Ram(width=width, depth=depth, form="distributed", target=ICE40), tmp_path)
    guess = ICE40.small_ram(width, depth)
    assert not any(kind.startswith("SB_RAM") for kind in cells)
    assert abs(found.lut4 - guess.lut4) <= 0.15 * found.lut4 + 10
    assert abs(found.ff - guess.ff) <= 0.1 * found.ff + 20


@pytest.mark.synth
@pytest.mark.parametrize(
    ("width", "depth"), [(16, 256), (8, 1500), (40, 64), (8, 300), (8, 12544), (5, 5000)]
)
def test_rom_is_block_ram(width: int, depth: int, tmp_path: Path) -> None:
    bits = np.random.default_rng(1).integers(0, 2, (depth, width), dtype=np.uint8)
    found, _ = synthesised(Rom(bits, form="bram", target=ICE40), tmp_path)
    lut, blocks = rom_cost(width, depth, ICE40, "bram")
    assert found.bram == blocks and found.lut4 - found.ff <= lut + 4


@pytest.mark.sim
def test_memories_answer_as_on_ecp5(tmp_path: Path) -> None:
    cases = {}
    for form in ("block", "distributed"):
        ram, same = (Ram(width=9, depth=40, form=form, target=family) for family in (ICE40UP, ECP5))
        assert ram.latency == same.latency
        inputs, expected = accesses(ram, 300, 3)
        cases[form] = Case(ram, inputs, {"read_data": expected})
    bits = np.random.default_rng(4).integers(0, 2, (70, 11), dtype=np.uint8)
    words = [int(row @ (1 << np.arange(11))) for row in bits.astype(int)]
    addr = np.random.default_rng(5).integers(0, 70, 200).tolist()
    rom = Rom(bits, form="bram", target=ICE40UP)
    cases["rom"] = Case(rom, {"addr": addr}, {"data": [None, None, *(words[a] for a in addr)][:200]})
    assert first_mismatches(cases, tmp_path) == {}


def test_families() -> None:
    assert target("ice40") is ICE40 and ICE40.dsp is None
    assert target("ice40up") is ICE40UP and ICE40UP.dsp == (16, 16)
    assert ICE40UP.occupied(Resources(lut4=100, ff=80)).lut4 > 100
    assert ECP5.occupied(Resources(lut4=100, ff=80)).lut4 == 100
