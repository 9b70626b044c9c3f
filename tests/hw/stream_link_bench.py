"""StreamLink with a small core in Verilator, and a host in C++ that plays a script on a line."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.emit.verilog import to_verilog
from hwgen.flow import tools
from hwgen.hw.link.stream_link import StreamLink
from hwgen.runtime.link import Engine, Identity

ABOUT = Identity(
    Engine.SYSTOLIC, (1, 2, 3), clock=30_000_000, design_id=0, inputs=0, outputs=0, board="mixer"
)
BIT, IDLE = 4, 300  # clocks of a bit, and of the idle time
PORTS = ("inputs", "outputs", "enable", "design_id", "stall")


def mixed(data: bytes, outputs: int) -> bytes:
    """What `Mixer` answers: every byte depends on every byte of `data` and on its place."""
    total = 0
    for byte in data:
        total = ((total << 1 | total >> 15) & 0xFFFF ^ byte) + 1 & 0xFFFF
    return bytes((total + 259 * k >> (k & 1) * 8) & 0xFF for k in range(outputs))


class Mixer(wiring.Component):
    """A core that counts for itself: takes `inputs` bytes, works, gives `outputs` bytes, over and over.

    stall: takes nothing. It is never ready twice running, and never valid for more than one clock of two.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "inputs": In(20),
                "outputs": In(12),
                "enable": In(1),
                "stall": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total, count, pause = Signal(16), Signal(20), Signal()
        m.d.comb += self.o.payload.eq(total.word_select(count[0], 8))
        m.d.sync += pause.eq(0)
        with m.FSM():
            with m.State("TAKE"):
                with m.If(self.enable):
                    m.d.comb += self.i.ready.eq(~pause & ~self.stall)
                with m.If(self.i.valid & self.i.ready):
                    m.d.sync += [
                        total.eq((Cat(total[15], total[:15]) ^ self.i.payload) + 1),
                        count.eq(count + 1),
                        pause.eq(1),
                    ]
                    with m.If(count == self.inputs - 1):
                        m.d.sync += count.eq(0)
                        m.next = "WORK"
            with m.State("WORK"):
                m.d.sync += count.eq(count + 1)
                with m.If(count == 50):
                    m.d.sync += count.eq(0)
                    m.next = "GIVE"
            with m.State("GIVE"):
                m.d.comb += self.o.valid.eq(~pause)
                with m.If(self.o.valid & self.o.ready):
                    m.d.sync += [total.eq(total + 259), count.eq(count + 1), pause.eq(1)]
                    with m.If(count == self.outputs - 1):
                        m.d.sync += [count.eq(0), total.eq(0)]
                        m.next = "TAKE"
        return m


class LinkedMixer(wiring.Component):
    """The link and the core. Ports: serial lines, what the program says, `stall` of the core, states."""

    def __init__(self) -> None:
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1),
                "inputs": In(20),
                "outputs": In(12),
                "enable": In(1),
                "design_id": In(32),
                "stall": In(1),
                "busy": Out(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = StreamLink(ABOUT, clocks_per_bit=BIT, idle_clocks=IDLE)
        core = Mixer()
        m.submodules.core = ResetInserter(link.reset)(core)
        wiring.connect(m, link.o, core.i)
        wiring.connect(m, core.o, link.i)
        m.d.comb += [getattr(link, name).eq(getattr(self, name)) for name in ("rx", *PORTS[:4])]
        m.d.comb += [
            getattr(core, name).eq(getattr(self, name)) for name in ("inputs", "outputs", "enable", "stall")
        ]
        m.d.comb += [getattr(self, name).eq(getattr(link, name)) for name in ("tx", "busy", "error")]
        return m


class Script:
    """Commands for the host; `end` makes it tell what it received since the last time."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def send(self, data: bytes) -> None:
        """Bytes, back to back."""
        self.lines += [f"b {byte}" for byte in data]

    def wait(self, clocks: int) -> None:
        """Leave the line idle."""
        self.lines.append(f"w {clocks}")

    def set(self, **ports: int) -> None:
        """Change ports of `LinkedMixer`; `stall` is that of as many clocks to come."""
        self.lines += [f"p {PORTS.index(name)} {value}" for name, value in ports.items()]

    def end(self) -> None:
        """End of a case."""
        self.lines.append("e 0")


_HOST = """
#include <cstdio>
#include "Vtop.h"
#include "verilated.h"
static Vtop* top;
static unsigned stall = 0;
static int wait_bits = 0, bits = 0, byte_in = 0;
static void tick() {{
    {stall}
    if (stall) stall--;
    top->clk = 0; top->eval(); top->clk = 1; top->eval();
    if (!bits) {{ if (!top->tx) {{ bits = 9; wait_bits = {bit} * 3 / 2; }} }}
    else if (--wait_bits == 0) {{
        if (--bits) {{ byte_in = byte_in >> 1 | top->tx << 7; wait_bits = {bit}; }}
        else {{ if (!top->tx) printf("--"); printf("%02x", byte_in & 255); }}
    }}
}}
static void bit_out(int level) {{ top->rx = level; for (int k = 0; k < {bit}; k++) tick(); }}
int main(int argc, char** argv) {{
    VerilatedContext context;
    context.commandArgs(argc, argv);
    top = new Vtop(&context);
    FILE* script = fopen(argv[1], "r");
    char command; unsigned a, value;
    top->rst = 0; top->rx = 1;
    while (fscanf(script, " %c %u", &command, &a) == 2) switch (command) {{
    case 'b': bit_out(0); for (int k = 0; k < 8; k++) bit_out(a >> k & 1); bit_out(1); break;
    case 'w': for (unsigned k = 0; k < a; k++) tick(); break;
    case 'r': top->rst = 1; for (unsigned k = 0; k < a; k++) tick(); top->rst = 0; break;
    case 'e': printf(" %d %d\\n", top->busy, top->error); fflush(stdout); break;
    case 'p':
        if (fscanf(script, "%u", &value) != 1) return 2;
        switch (a) {{ {ports} }}
        break;
    default: return 3;
    }}
    return 0;
}}
"""


class Bench:
    """A built simulation in `folder` of a module `top`: clk, rst, rx, tx, busy, error, and `ports`.

    bit: clocks of a bit. models: further Verilog files.
    """

    def __init__(
        self,
        folder: Path,
        verilog: str,
        ports: Sequence[str] = (),
        *,
        bit: int = BIT,
        models: Sequence[Path] = (),
    ) -> None:
        self.folder = folder
        (folder / "top.v").write_text(verilog)
        cases = " ".join(
            f"case {at}: {'' if name == 'stall' else 'top->'}{name} = value; break;"
            for at, name in enumerate(ports)
        )
        (folder / "main.cpp").write_text(
            _HOST.format(bit=bit, ports=cases, stall="top->stall = stall != 0;" if "stall" in ports else "")
        )
        verilate = [
            *tools.find("verilator").argv, "--cc", "--exe", "--no-timing", "-Wno-fatal", "-Wno-lint", "-O3",
            "--output-split", "0", "--top-module", "top", "-Mdir", str(folder / "build"),
            str(folder / "main.cpp"), str(folder / "top.v"), *map(str, models),
        ]  # fmt: skip
        make = [
            "make",
            "-C",
            str(folder / "build"),
            "-f",
            "Vtop.mk",
            "CFG_CXXFLAGS_PCH_I=-include",
            "OPT_FAST=-O1",
        ]
        for command in (verilate, make):
            ran = subprocess.run(
                command, capture_output=True, text=True, cwd=folder, env=tools.simulator_env()
            )
            assert ran.returncode == 0, ran.stderr[-3000:]

    def start(self) -> subprocess.Popen[str]:
        """The simulation, with commands at its stdin."""
        program = [str(self.folder / "build" / "Vtop"), "/dev/stdin"]
        return subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, script: Script, *plusargs: str) -> list[tuple[bytes, bool, bool]]:
        """(bytes received, busy, error) of every case."""
        (self.folder / "script").write_text("\n".join(script.lines))
        program = [str(self.folder / "build" / "Vtop"), str(self.folder / "script"), *plusargs]
        ran = subprocess.run(program, capture_output=True, text=True, timeout=300)
        assert ran.returncode == 0, ran.stdout[-1000:] + ran.stderr
        rows = [line.rsplit(" ", 2) for line in ran.stdout.split("\n")[:-1]]
        return [(bytes.fromhex(data), busy == "1", error == "1") for data, busy, error in rows]


def linked_mixer(folder: Path) -> Bench:
    """`LinkedMixer` simulated."""
    return Bench(folder, to_verilog(LinkedMixer(), "top"), PORTS)
