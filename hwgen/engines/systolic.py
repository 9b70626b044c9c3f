"""The systolic engine on a chip: which array it gets, its latencies; the engine with its flash simulated."""

from __future__ import annotations

from amaranth.hdl import ClockSignal, Const, Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.stream import lanes_stream
from hwgen.hw.systolic.accumulators import Accumulators
from hwgen.hw.systolic.activations import ActivationMemory
from hwgen.hw.systolic.core import SystolicCore, array_of, give_latency, rows_again, sums_latency
from hwgen.hw.systolic.drain import Drain
from hwgen.hw.systolic.issue import Issue
from hwgen.hw.systolic.loader import BASE, Loader
from hwgen.hw.systolic.quantiser import Quantiser
from hwgen.hw.systolic.weights import WeightMemory
from hwgen.numeric.ranges import Range
from hwgen.program.array import ECP5_85F, UP5K, Array
from hwgen.program.timing import Latencies
from hwgen.support.errors import UsageError
from hwgen.targets import Target
from hwgen.targets.resources import Resources

FIRST_LOADED, LOAD_ENDS = 30, 6  # clocks: of hw.systolic.loader, flash at a nibble a clock
BYTE = Range(-128, 127)
IMAGE_FILE = "image.hex"  # in the folder where a simulation runs
_SIMULATED_FLASH = 1 << 21  # bytes from `base` on

#: Arrays from large to small, what they need of a chip beside LUTs, and the clock that they are routed at.
_ARRAYS = (
    (ECP5_85F, Resources(dsp=144, bram=150), 100.0),
    (UP5K, Resources(dsp=8, bram=25, spram=4), 30.0),
)


def geometry(budget: Resources, where: str) -> Array:
    """The array for a chip. UsageError for one that has no place for any."""
    for array, needs, _ in _ARRAYS:
        if all(getattr(budget, name) >= getattr(needs, name) for name in ("dsp", "bram", "spram")):
            return array
    raise UsageError(
        "the systolic engine needs 8 DSPs and 4 single port RAMs, or 144 DSPs and 150 block RAMs",
        where=where,
        hint="take another board (`hwgen boards`), or --engine stream",
    )


def clock_mhz(array: Array) -> float:
    """The clock that a board with this array gets if nobody says."""
    return next(clock for known, _, clock in _ARRAYS if known == array)


def latencies(array: Array, target: Target, divide: int = 1) -> Latencies:
    """What `program.timing` must know of the hardware. divide: clocks a nibble of the flash."""
    systolic = array_of(array)(geometry=array, target=target)
    sums = Accumulators(geometry=array, target=target, read_latency=sums_latency(array))
    memory, weights = (kind(geometry=array, target=target) for kind in (ActivationMemory, WeightMemory))
    spacing = max(array.rows + systolic.spread, sums.distance)
    issue = Issue(geometry=array, spacing=spacing)
    arriving = issue.late + memory.latency
    return Latencies(
        activations=arriving,
        weights=weights.latency,
        settled=sums.settled,
        sums=Drain(geometry=array, latency=sums.read_latency).latency,
        quantiser=Quantiser(geometry=array, target=target).latency,
        array=systolic.latency,
        spread=systolic.spread,
        spacing=spacing,
        load=(FIRST_LOADED - 3) * divide + 3 + array.steady + 8 * divide * (array.columns // 4 - 1),
        word=8 * divide * array.columns // 4,
        loaded=LOAD_ENDS,
        give=give_latency(issue, memory),
        again=rows_again(systolic, arriving, weights),
    )


class SimulatedEngine(wiring.Component):
    """The engine with a flash that reads IMAGE_FILE (`image_text`); streams of bytes, a lane wide."""

    def __init__(self, array: Array, target: Target, divide: int = 1) -> None:
        loader = Loader(geometry=array, divide=divide)
        self.core = SystolicCore(geometry=array, target=target, loader=loader)
        super().__init__({"i": In(lanes_stream(BYTE, 1)), "o": Out(lanes_stream(BYTE, 1))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = core = self.core
        flash = core.flash
        m.submodules += Instance(
            "QuadFlash",
            p_FILE=IMAGE_FILE, p_OFFSET=Const(BASE, 32), p_BYTES=Const(_SIMULATED_FLASH, 32),
            i_clk=ClockSignal(), i_clock_enable=flash.clock_enable, i_cs_n=flash.cs_n,
            i_d_o=flash.d_o, i_d_oe=flash.d_oe, o_d_i=flash.d_i,
        )  # fmt: skip
        for inner, outer in ((core.i, self.i), (core.o, self.o)):
            m.d.comb += [
                outer.ready.eq(inner.ready) if outer is self.i else inner.ready.eq(outer.ready),
                inner.valid.eq(outer.valid) if outer is self.i else outer.valid.eq(inner.valid),
                inner.payload.eq(outer.payload) if outer is self.i else outer.payload.eq(inner.payload),
            ]
        return m


def image_text(image: bytes) -> bytes:
    """What the simulated flash reads."""
    return "\n".join(f"{byte:02x}" for byte in image).encode() + b"\n"
