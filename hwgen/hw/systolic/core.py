"""The systolic engine: one array, its memories, and the sequencer that walks it through a program.

flash ─ loader ─┬─▶ program memory ─▶ sequencer
                └─▶ weight memory ─ feeder ─▶ array ─▶ accumulators (2 banks) ─ drain ─▶ quantisers
i ─ packer ─▶ store ─▶ activation memory ─ issue ──┘              store ◀──────────────────┘
                              └─ unpacker ─▶ o
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import C, Cat, Module, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.fifo import StreamFifo
from hwgen.hw.ram import Ram
from hwgen.hw.systolic.accumulators import Accumulators
from hwgen.hw.systolic.activations import ActivationMemory
from hwgen.hw.systolic.array import SystolicArray
from hwgen.hw.systolic.delay import later
from hwgen.hw.systolic.drain import Drain, Store
from hwgen.hw.systolic.edges import Packer, Unpacker
from hwgen.hw.systolic.feeder import Feeder
from hwgen.hw.systolic.flash import FlashPins
from hwgen.hw.systolic.issue import LEVELS, Issue
from hwgen.hw.systolic.loader import Loader
from hwgen.hw.systolic.outputs import OutputStationaryArray
from hwgen.hw.systolic.quantiser import Quantiser
from hwgen.hw.systolic.sequencer import Sequencer, register_of
from hwgen.hw.systolic.weights import WeightMemory
from hwgen.numeric.ranges import Range
from hwgen.program.array import GROUP, Array
from hwgen.program.instructions import WORD, Fill, Give, Load, Run, Take
from hwgen.targets import Target


class SystolicCore(wiring.Component):
    """Runs the program of the image that lies in a flash at byte `base`; see `hwgen.program`.

    i: bytes of inputs, `inputs` of them an inference; o: bytes of outputs, `outputs` of them. Both counts and
    the image's checksum are known when `ready` is high; `error` (with `reason`) instead: a bad image, and
    nothing runs. flash: see `FlashPins`. computing: a RUN is under way.
    """

    def __init__(self, *, geometry: Array, target: Target, loader: Loader) -> None:
        self.geometry, self.target, self.loader = geometry, target, loader
        ports = {"i": In(stream.Signature(8)), "o": Out(stream.Signature(8)), "computing": Out(1)}
        ports |= {"flash": Out(FlashPins())}
        ports |= {name: Out(len(getattr(self.loader, name))) for name in _STATE}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        geometry, target = self.geometry, self.target
        m.submodules.loader = loader = self.loader
        m.submodules.sequencer = sequencer = Sequencer(latency=fetch_latency(geometry))
        m.submodules.activations = activations = ActivationMemory(
            geometry=geometry, target=target, hold=False
        )
        m.submodules.weights = weights = WeightMemory(geometry=geometry, target=target, hold=False)
        m.submodules.array = array = array_of(geometry)(geometry=geometry, target=target)
        m.submodules.accumulators = accumulators = Accumulators(
            geometry=geometry, target=target, read_latency=sums_latency(geometry)
        )
        m.submodules.issue = issue = Issue(
            geometry=geometry, spacing=max(geometry.rows + array.spread, accumulators.distance)
        )
        arriving = issue.late + activations.latency  # clocks from a step's read to its word in the array
        again = rows_again(array, arriving, weights)
        m.submodules.feeder = feeder = Feeder(
            geometry=geometry, latency=weights.latency, spread=array.spread, again=again
        )
        m.submodules.drain = drain = Drain(geometry=geometry, latency=accumulators.read_latency)
        m.submodules.store = store = Store(geometry=geometry)
        m.submodules.packer = packer = Packer(geometry=geometry)
        m.submodules.unpacker = unpacker = Unpacker(
            geometry=geometry, latency=give_latency(issue, activations)
        )
        quantisers = [Quantiser(geometry=geometry, target=target) for _ in range(geometry.groups)]
        for number, quantiser in enumerate(quantisers):
            m.submodules[f"quantiser{number}"] = quantiser

        far = int(geometry.steady)  # a register on a long way
        m.d.comb += [getattr(self, name).eq(later(m, getattr(loader, name), far)) for name in _STATE]
        wiring.connect(m, loader.flash, wiring.flipped(self.flash))
        self._program(m, sequencer, loader)
        registers = {name: getattr(sequencer, f"f_{name}") for name in Run.operands()}

        def field(kind: Any, name: str) -> Value:
            return registers[register_of(kind, name)]

        # steps: from the loops to the array, as late as the memory is
        for level in LEVELS:
            for part in ("count", "delta"):
                name = f"{level}_{part}"
                m.d.comb += getattr(issue, name).eq(registers[name])
        m.d.comb += [
            issue.begin.eq(sequencer.start_run), issue.x.eq(registers["x"]),
            issue.hold.eq(sequencer.flag_hold), issue.widen.eq(sequencer.flag_widen),
            issue.running.eq(sequencer.running), issue.full.eq(feeder.full), issue.drained.eq(drain.drained),
            issue.blocked.eq(store.write if geometry.shared_activations else 0),
            # a walk's address is that of a step's, and as late as `advance` is besides
            activations.read.eq(later(m, issue.read | later(m, unpacker.read, issue.late), issue.late)),
            activations.read_address.eq(issue.address),
            issue.walk.eq(sequencer.start_give), issue.advance.eq(later(m, unpacker.advance, issue.late)),
            unpacker.ending.eq(issue.walked),
        ]  # fmt: skip
        step, swap, about = (
            later(m, each, arriving) for each in (issue.stepped, issue.swap, issue.about.as_value())
        )
        if geometry.steady:
            step = C(1, 1)
        m.d.comb += [
            array.step.eq(step), array.swap.eq(swap), array.x.eq(activations.read_data),
            array.depthwise.eq(sequencer.flag_depthwise), array.w.eq(weights.read_data),
            array.load.eq(feeder.load), array.load_row.eq(feeder.row),
        ]  # fmt: skip

        if isinstance(array, OutputStationaryArray):
            opening = later(m, issue.about.first, arriving)
            closing = later(m, issue.pass_last, arriving - issue.late)
            m.d.comb += [array.opening.eq(opening), array.closing.eq(closing)]

        # weights
        m.d.comb += [
            feeder.begin.eq(sequencer.start_run), feeder.w.eq(registers["w"]),
            feeder.hold.eq(sequencer.flag_hold),
            feeder.took.eq(later(m, issue.swap, issue.late)), feeder.pass_last.eq(issue.pass_last),
            feeder.block_last.eq(issue.block_last), feeder.tile_last.eq(issue.tile_last),
            feeder.step.eq(step), feeder.swapped.eq(swap),
            weights.read.eq(feeder.read), weights.read_address.eq(feeder.address),
            loader.write_ready.eq(1),
            feeder.blocked.eq(loader.weight_write if geometry.shared_weights else 0),
            weights.write.eq(loader.weight_write),
            weights.write_address.eq(loader.weight_address), weights.write_data.eq(loader.weight_data),
            loader.start.eq(sequencer.start_load),
            loader.offset.eq(Cat(field(Load, "low"), field(Load, "high"))),
            loader.address.eq(field(Load, "w")), loader.words.eq(field(Load, "words")),
            sequencer.busy_load.eq(loader.busy),
        ]  # fmt: skip

        # sums, as late as the array is, in steps
        of = Signal(issue.about.shape())
        m.d.comb += of.as_value().eq(_steps_later(m, about, step, array.latency))
        filled = Signal(2)
        m.d.comb += [
            accumulators.step.eq(step), accumulators.valid.eq(of.valid), accumulators.bank.eq(of.bank),
            accumulators.index.eq(of.index), accumulators.first.eq(of.first), accumulators.widen.eq(of.widen),
            *(accumulators.sums[c].eq(array.sums[c]) for c in range(geometry.columns)),
            drain.filled.eq(filled),
        ]  # fmt: skip
        if geometry.maximum:
            m.d.comb += accumulators.maximum.eq(sequencer.flag_maximum)
        with m.If(later(m, step & of.valid & of.last, accumulators.settled)):
            m.d.sync += filled.eq(filled + 1)

        # out of the accumulators
        for name in ("d0_count", "d1_count", "d0_index", "d1_index"):
            m.d.comb += getattr(drain, name).eq(registers[name])
        m.d.comb += [
            accumulators.read_enable.eq(drain.read), accumulators.read_index.eq(drain.index),
            accumulators.read_bank.eq(drain.bank),
        ]  # fmt: skip
        bits = geometry.accumulator
        for number, quantiser in enumerate(quantisers):
            sums = accumulators.data.word_select(number, GROUP * bits)
            m.d.comb += [
                quantiser.valid.eq(drain.valid), quantiser.bank.eq(drain.block),
                quantiser.column.eq(drain.column), quantiser.acc.eq(sums.word_select(drain.column, bits)),
                quantiser.write.eq(feeder.parameter), quantiser.write_bank.eq(feeder.block),
                quantiser.write_word.eq(feeder.word),
                quantiser.write_data.eq(weights.read_data.word_select(number, 32)),
                quantiser.zero.eq(registers["zero"]), quantiser.lo.eq(registers["lo"]),
                quantiser.hi.eq(registers["hi"]), quantiser.twice.eq(sequencer.flag_twice),
                quantiser.away.eq(sequencer.flag_away),
            ]  # fmt: skip
        for name in (
            "d0_count",
            "d0_delta",
            "d1_count",
            "d1_delta",
            "b_count",
            "t_count",
            "ob_delta",
            "ot_delta",
            "o",
        ):
            m.d.comb += getattr(store, name).eq(registers[name])
        m.d.comb += [
            store.begin.eq(sequencer.start_run | sequencer.start_take | sequencer.start_fill),
            store.valid.eq(quantisers[0].output_valid),
            store.quantised.eq(Cat(quantiser.value for quantiser in quantisers)),
            store.value.eq(field(Fill, "value")), store.put.eq(packer.put), store.word.eq(packer.word),
            activations.write.eq(store.write), activations.write_address.eq(store.address),
            activations.write_data.eq(store.data),
            self.computing.eq(sequencer.running),
        ]  # fmt: skip
        # the instruction that writes: RUN's loops go on over blocks and tiles, FILL writes every clock
        blocks, filling = Signal(), Signal()
        m.d.comb += [store.blocks.eq(blocks), store.filling.eq(filling & store.busy)]
        with m.If(store.begin):
            m.d.sync += [blocks.eq(sequencer.start_run), filling.eq(sequencer.start_fill)]

        # edges
        self._stream(m, wiring.flipped(self.i), packer.i, "inward")
        self._stream(m, unpacker.o, wiring.flipped(self.o), "outward")
        for name in ("lead", "take", "trail", "fill"):
            m.d.comb += getattr(packer, name).eq(field(Take, name))
        m.d.comb += unpacker.take.eq(field(Give, "take"))
        m.d.comb += [
            packer.begin.eq(sequencer.start_take), packer.ending.eq(store.ending),
            unpacker.begin.eq(sequencer.start_give), unpacker.word.eq(activations.read_data),
            sequencer.busy_run.eq(store.busy), sequencer.busy_take.eq(store.busy),
            sequencer.busy_fill.eq(store.busy), sequencer.busy_give.eq(unpacker.busy),
        ]  # fmt: skip
        return m

    def _stream(self, m: Module, source: Any, sink: Any, name: str) -> None:
        """Connects streams of bytes; registers keep a fast clock's engine apart from what is outside."""
        if not self.geometry.steady:
            wiring.connect(m, source, sink)
            return
        # two, one at either end of a way that may be long
        first, second = (StreamFifo(shape=Range(0, 255), lanes=1, depth=2, target=self.target) for _ in "ab")
        m.submodules[f"{name}_first"], m.submodules[f"{name}_second"] = first, second
        wiring.connect(m, first.o, second.i)
        m.d.comb += [
            first.i.valid.eq(source.valid & self.ready), first.i.payload[0].eq(source.payload),
            source.ready.eq(first.i.ready & self.ready),  # nothing is taken before there is a program
            sink.valid.eq(second.o.valid), sink.payload.eq(second.o.payload[0]),
            second.o.ready.eq(sink.ready),
        ]  # fmt: skip

    def _program(self, m: Module, sequencer: Sequencer, loader: Loader) -> None:
        depth = self.geometry.program_words
        m.d.comb += sequencer.enable.eq(loader.ready)
        if self.geometry.steady:
            m.submodules.program = ram = Ram(width=WORD, depth=depth, form="block", target=self.target)
            m.d.comb += [
                ram.write_en.eq(loader.program_write), ram.write_addr.eq(loader.program_address),
                ram.write_data.eq(loader.program_data),
                ram.read_addr.eq(sequencer.address), sequencer.word.eq(ram.read_data),
            ]  # fmt: skip
            return
        m.submodules.program = program = memory.Memory(shape=WORD, depth=depth, init=[])
        write, read = program.write_port(), program.read_port(transparent_for=())
        m.d.comb += [
            write.en.eq(loader.program_write), write.addr.eq(loader.program_address),
            write.data.eq(loader.program_data),
            read.en.eq(1), read.addr.eq(sequencer.address), sequencer.word.eq(read.data),
        ]  # fmt: skip


_STATE = ("ready", "error", "reason", "inputs", "outputs", "checksum")


def array_of(geometry: Array) -> type[SystolicArray] | type[OutputStationaryArray]:
    """The kind of array."""
    return OutputStationaryArray if geometry.dataflow == "output" else SystolicArray


def sums_latency(geometry: Array) -> int:
    """`read_latency` of the accumulators: large arrays want registers around their block RAMs."""
    return 4 if geometry.steady else 1


def fetch_latency(geometry: Array) -> int:
    """`latency` of the program memory."""
    return 2 if geometry.steady else 1


def rows_again(array: SystolicArray | OutputStationaryArray, arriving: int, weights: WeightMemory) -> int:
    """`again` of the feeder: clocks from a pass's begin to the read of its successor's first row."""
    return max(2, arriving + array.spread - weights.latency)


def give_latency(issue: Issue, activations: ActivationMemory) -> int:
    """`latency` of the unpacker."""
    return 2 * issue.late + activations.latency


def _steps_later(m: Module, about: Value, step: Value, steps: int) -> Value:
    """What `about` was `steps` steps ago, in the clock of a step: flags in registers, the rest in a memory.

    Its lowest and highest bits say that there is anything; only they need a reset.
    """
    flags: Value = Cat(about[0], about[-1])
    for _ in range(steps):
        following = Signal(2, name="flags")
        with m.If(step):
            m.d.sync += following.eq(flags)
        flags = following
    places = 1 << steps.bit_length()
    m.submodules.about = cells = memory.Memory(
        shape=len(about) - 2, depth=places, init=[], attrs={"no_rw_check": 1}
    )
    write, read = cells.write_port(), cells.read_port(transparent_for=())
    place = Signal(range(places))
    following_place = Signal.like(place)
    m.d.comb += [
        following_place.eq(place + step),
        write.addr.eq(place), write.data.eq(about[1:-1]), write.en.eq(step),
        read.addr.eq(following_place - steps), read.en.eq(1),
    ]  # fmt: skip
    m.d.sync += place.eq(following_place)
    return Cat(flags[0], read.data, flags[1])
