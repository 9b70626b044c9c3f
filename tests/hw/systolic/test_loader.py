"""Loader: good images boot, bad ones are refused with their reason, loads copy any bytes."""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from flashbench import PINS, board, build, hex_file, run
from test_ice40 import synthesised

from hwgen.emit.verilog import to_verilog
from hwgen.hw.systolic.loader import BASE, LOAD_REST, Loader, Reason
from hwgen.program.array import ECP5_85F, UP5K, Array
from hwgen.program.image import Image
from hwgen.program.instructions import End, Instruction, Wait

SMALL = Array(rows=8, columns=8, program_words=64, weight_words=128)

#: name: geometry, late (registers in the pins), divide
FORMS = {"up5k": (UP5K, 2, 1), "ecp5": (ECP5_85F, 1, 1), "slow": (SMALL, 0, 3)}
WAKE = 20


def checker(name: str, geometry: Array, late: int, divide: int) -> str:
    """Boots, then plays the loads of loads.<name>; write_ready by +pace: 0 always, 1 often, 2 seldom."""
    data, weight = 8 * geometry.columns, (geometry.weight_words - 1).bit_length()
    program = (geometry.program_words - 1).bit_length()
    return f"""module check_{name}(input clk, output reg done);
{board(name, registers=late, file=f"{name}.hex", OFFSET=BASE, BYTES=16384, WAKE=WAKE)}
  wire ready, error, busy, program_write, weight_write; reg start = 0, write_ready = 0;
  wire [2:0] reason; wire [19:0] inputs; wire [11:0] outputs; wire [31:0] checksum;
  wire [{program - 1}:0] program_address; wire [15:0] program_data;
  wire [{weight - 1}:0] weight_address; wire [{data - 1}:0] weight_data;
  reg [55:0] loads [0:15]; reg [3:0] next = 0;
  reg [23:0] offset; reg [15:0] address, words;
  integer pace = 0, t = 0, launched = 0, seed = 7;
  initial begin
    done = 0;
    for (t = 0; t < 16; t = t + 1) loads[t] = 0;
    t = 0;
    $readmemh("{name}.loads", loads);
    if ($value$plusargs("pace=%d", pace)) ;
  end
  {name} dut(.clk(clk), .rst(1'b0), {PINS}, .ready(ready), .error(error), .reason(reason), .inputs(inputs),
    .outputs(outputs), .checksum(checksum), .start(start), .offset(offset), .address(address), .words(words),
    .busy(busy), .program_write(program_write), .program_address(program_address),
    .program_data(program_data), .weight_write(weight_write), .weight_address(weight_address),
    .weight_data(weight_data), .write_ready(write_ready));
  always @(posedge clk) begin
    t <= t + 1;
    write_ready <= pace == 0 || ($random(seed) & (pace == 1 ? 3 : 63)) == 0;
    start <= 0;
    if (program_write) $display("{name} {{\\"program\\": [%0d, %0d]}}", program_address, program_data);
    if (weight_write && write_ready)
      $display("{name} {{\\"weight\\": [%0d, \\"%h\\", %0d]}}", weight_address, weight_data, t - launched);
    if (ready && !busy && !start && !done) begin
      $display("{name} {{\\"free\\": %0d, \\"edge\\": [%0d, %0d, %0d]}}",
        t - launched, inputs, outputs, checksum);
      if (loads[next][15:0] == 0) done <= 1;
      else begin
        {{offset, address, words}} <= loads[next]; start <= 1; launched <= t + 1; next <= next + 1;
      end
    end else if (ready) begin
      start <= 0;
      if ({int(not geometry.steady)} || t != launched) begin
        offset <= $random; address <= $random; words <= $random; // not looked at
      end
    end
    if (error && !done && reason != 0) begin
      $display("{name} {{\\"refused\\": %0d}}", reason);
      done <= 1;
    end
    if (error && (ready || !flash_cs_n && done)) $display("{name} {{\\"active\\": 1}}");
    if (t == 600000) begin $display("{name} {{\\"timeout\\": 1}}"); done <= 1; end
  end
endmodule
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    texts = []
    for name, (geometry, late, divide) in FORMS.items():
        dut = Loader(geometry=geometry, wake=WAKE, late=late, divide=divide)
        texts += [to_verilog(dut, name), checker(name, geometry, late, divide)]
    instances = "".join(f"  check_{name} {name}_check(clk, done[{k}]);\n" for k, name in enumerate(FORMS))
    top = f"  wire [{len(FORMS) - 1}:0] done;\n  integer rest = 0;\n  always @(posedge clk) begin\n"
    top += "    if (&done) rest <= rest + 1;\n    if (rest == 200) $finish;\n  end\n"
    # every Loader has a reader of the same name
    modules = _unique("".join(texts)) + ["module bench(input clk);\n", top, instances, "endmodule\n"]
    yield build(tmp_path_factory.mktemp("loader"), "".join(modules))


def _unique(text: str) -> list[str]:
    modules = text.split("endmodule\n")
    return [f"{module}endmodule\n" for module in dict.fromkeys(modules) if module.strip()]


@dataclass
class Played:
    """What one Loader did."""

    program: dict[int, int] = field(default_factory=dict)
    weights: dict[int, bytes] = field(default_factory=dict)
    written: list[tuple[int, int]] = field(default_factory=list)  # load (0: boot), clock after its start
    free: list[int] = field(default_factory=list)
    edge: list[int] = field(default_factory=list)
    refused: Reason = Reason.NONE


def play(
    bench: list[str],
    folder: Path,
    images: dict[str, bytes],
    loads: dict[str, list[tuple[int, int, int]]] | None = None,
    pace: int = 0,
) -> dict[str, Played]:
    """Runs all Loaders, each with its image and loads (offset, address, words)."""
    for name in FORMS:
        hex_file(folder / f"{name}.hex", images[name])
        words = [o << 32 | a << 16 | n for o, a, n in (loads or {}).get(name, [])]
        (folder / f"{name}.loads").write_text("".join(f"{word:014x}\n" for word in [*words, 0]))
    played = {name: Played() for name in FORMS}
    for line in run(bench, folder, f"+pace={pace}"):
        name, _, text = line.partition(" ")
        if name not in played:
            continue
        each, record = played[name], json.loads(text)
        if "program" in record:
            place, word = record["program"]
            each.program[place] = word
        elif "weight" in record:
            place, digits, clock = record["weight"]
            each.weights[place] = bytes.fromhex(digits)[::-1]
            each.written.append((len(each.free), clock))
        elif "free" in record:
            each.free.append(record["free"])
            each.edge = record["edge"]
        elif "refused" in record:
            each.refused = Reason(record["refused"])
        else:
            raise AssertionError(line)
    return played


def image(geometry: Array, *, program: int = 9, resident: int = 21, later: int = 500, seed: int = 1) -> Image:
    """An image of random weights; program: instructions before the end."""
    rng = random.Random(seed)
    instructions: tuple[Instruction, ...] = (*[Wait()] * program, End())
    weights = rng.randbytes(resident * geometry.columns), rng.randbytes(later)
    return Image(
        geometry, instructions, *weights, inputs=rng.randrange(1, 1 << 20), outputs=rng.randrange(1, 4096)
    )


def check_boot(played: Played, source: Image, data: bytes) -> None:
    header = struct.unpack("<8I", data[:32])
    program = data[32 : 32 + 2 * header[3]]
    columns = source.array.columns
    assert played.refused is Reason.NONE
    assert played.program == dict(enumerate(struct.unpack(f"<{header[3]}H", program)))
    booted = [place for place, (load, _) in enumerate(played.written) if load == 0]
    assert len(booted) == header[4] == len(source.resident) // columns
    assert played.edge == [source.inputs, source.outputs, header[7]]


def memory(source: Image, data: bytes, loads: list[tuple[int, int, int]]) -> dict[int, bytes]:
    """Weight memory after boot and loads; bytes behind the image are those of an erased flash."""
    columns = source.array.columns
    words = {k: source.resident[columns * k :][:columns] for k in range(len(source.resident) // columns)}
    for offset, address, count in loads:
        for k in range(count):
            words[address + k] = data[offset + columns * k :][:columns]
    return words


@pytest.mark.sim
@pytest.mark.parametrize("pace", [0, 1, 2])
def test_boot_and_loads(bench: list[str], pace: int, tmp_path: Path) -> None:
    sources = {name: image(form[0], seed=pace) for name, form in FORMS.items()}
    data = {name: source.to_bytes() for name, source in sources.items()}
    loads = {}
    for name, source in sources.items():
        start, end = source.later_offset, len(data[name])
        columns = source.array.columns
        loads[name] = [
            (start, 0, 3),
            (start + 1, 40, 5),
            (end - columns, source.array.weight_words - 1, 1),
            (33, 17, 11),
            (start + 7, 60, (end - start - 7) // columns),
        ]
    for name, played in play(bench, tmp_path, data, loads, pace).items():
        check_boot(played, sources[name], data[name])
        assert played.weights == memory(sources[name], data[name], loads[name])
        assert len(played.free) == 1 + len(loads[name])
        if pace == 0:
            geometry, late, divide = FORMS[name]
            parts = geometry.columns // 4
            for number, (_, _, words) in enumerate(loads[name], 1):
                clocks = [clock for load, clock in played.written if load == number]
                first = 27 * divide + 3 + late + geometry.steady
                assert clocks == [first + 8 * divide * ((k + 1) * parts - 1) for k in range(words)]
                if divide == 1:
                    assert played.free[number] == clocks[-1] + LOAD_REST


@pytest.mark.sim
@pytest.mark.parametrize(
    "shape",
    [
        dict(resident=0),
        dict(resident=0, later=0, program=1),
        dict(resident=3, later=0, program=0),
        dict(program=4095, resident=128, later=4),
    ],
    ids=str,
)
def test_images_of_other_shapes(bench: list[str], shape: dict[str, int], tmp_path: Path) -> None:
    """No resident weights, nothing later, the shortest program, one that fills its memory, full weights."""
    sources = {}
    for name, (geometry, _, _) in FORMS.items():
        program = min(shape.get("program", 9), geometry.program_words - 1)
        sources[name] = image(geometry, **shape | {"program": program})
    data = {name: source.to_bytes() for name, source in sources.items()}
    for name, played in play(bench, tmp_path, data).items():
        check_boot(played, sources[name], data[name])
        assert played.weights == memory(sources[name], data[name], [])


def header(data: bytes, place: int, change: Callable[[int], int]) -> bytes:
    """A header word changed, the checksum right."""
    words = list(struct.unpack("<8I", data[:32]))
    words[place] = change(words[place]) & 0xFFFFFFFF
    crc = zlib.crc32(data[32:], zlib.crc32(struct.pack("<7I", *words[:7])))
    return struct.pack("<8I", *words[:7], crc) + data[32:]


def flip(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 0x10
    return bytes(changed)


BAD: dict[str, tuple[Reason, Callable[[bytes, Image], bytes]]] = {
    "nothing": (Reason.MAGIC, lambda data, source: b"\xff" * 64),
    "magic": (Reason.MAGIC, lambda data, source: flip(data, 0)),
    "magic's end": (Reason.MAGIC, lambda data, source: header(data, 0, lambda word: word ^ 1 << 31)),
    "version": (Reason.VERSION, lambda data, source: header(data, 1, lambda word: word + 1)),
    "array": (Reason.ARRAY, lambda data, source: header(data, 2, lambda word: word ^ 1 << 13)),
    "no program": (Reason.LENGTHS, lambda data, source: header(data, 3, lambda word: 0)),
    "no program in a long image": (
        Reason.LENGTHS,
        lambda data, source: header(image(source.array, later=9000).to_bytes(), 3, lambda word: 0),
    ),
    "odd program": (Reason.LENGTHS, lambda data, source: header(data, 3, lambda word: word + 1)),
    "long program": (
        Reason.LENGTHS,
        lambda data, source: header(data, 3, lambda word: source.array.program_words + 2),
    ),
    "huge program": (Reason.LENGTHS, lambda data, source: header(data, 3, lambda word: word | 1 << 31)),
    "program beyond the image": (Reason.LENGTHS, lambda data, source: header(data, 6, lambda word: 16)),
    "no body": (Reason.LENGTHS, lambda data, source: header(data, 6, lambda word: 0)),
    "resident": (
        Reason.LENGTHS,
        lambda data, source: header(data, 4, lambda word: source.array.weight_words + 1),
    ),
    "resident beyond the image": (
        Reason.LENGTHS,
        lambda data, source: header(data, 6, lambda word: source.later_offset - 32 - 4),
    ),
    "huge image": (Reason.LENGTHS, lambda data, source: header(data, 6, lambda word: word | 1 << 24)),
    "image of odd length": (Reason.LENGTHS, lambda data, source: header(data, 6, lambda word: word + 2)),
    "inputs": (Reason.CHECKSUM, lambda data, source: flip(data, 20)),
    "shorter": (
        Reason.CHECKSUM,
        lambda data, source: data[:24] + struct.pack("<I", len(data) - 36) + data[28:],
    ),
    "checksum": (Reason.CHECKSUM, lambda data, source: flip(data, 31)),
    "program": (Reason.CHECKSUM, lambda data, source: flip(data, 33)),
    "weights": (Reason.CHECKSUM, lambda data, source: flip(data, source.later_offset - 1)),
    "later": (Reason.CHECKSUM, lambda data, source: flip(data, len(data) - 1)),
}


@pytest.mark.sim
@pytest.mark.parametrize("name", BAD)
def test_refused(bench: list[str], name: str, tmp_path: Path) -> None:
    reason, spoil = BAD[name]
    sources = {form: image(values[0], later=40) for form, values in FORMS.items()}
    data = {form: spoil(source.to_bytes(), source) for form, source in sources.items()}
    for form, played in play(bench, tmp_path, data, pace=1).items():
        assert played.refused is reason, form
        assert not played.free


class Quiet(wiring.Component):
    """A Loader whose header outputs go nowhere."""

    def __init__(self) -> None:
        self.loader = Loader(geometry=UP5K)
        hidden = ("inputs", "outputs", "checksum")
        super().__init__({k: v for k, v in self.loader.signature.members.items() if k not in hidden})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.loader = self.loader
        wiring.connect(m, wiring.flipped(self.flash), self.loader.flash)
        for name, member in self.signature.members.items():
            if name != "flash":
                inner, outer = getattr(self.loader, name), getattr(self, name)
                m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)
        return m


@pytest.mark.synth
def test_cells_on_ultraplus(tmp_path: Path) -> None:
    """With the reader in it; and without what of the header only a host wants to know."""
    for quiet, most in ((True, 445), (False, 505)):
        folder = tmp_path / f"{quiet}"
        folder.mkdir()
        cost, cells = synthesised(Quiet() if quiet else Loader(geometry=UP5K), folder)
        assert cost.lut4 <= most and cost.bram == 0, (cost, cells)


def test_errors() -> None:
    options: dict[str, Any] = {"geometry": UP5K}
    with pytest.raises(ValueError, match="no image begins"):
        Loader(base=(1 << 24) - 16, **options)
