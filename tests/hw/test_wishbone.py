"""The engine's registers on a Wishbone bus: an initiator that waits at random, a core that does too."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

sys.path.insert(0, str(Path(__file__).parent / "systolic"))
sys.path.insert(0, str(Path(__file__).parents[1] / "program"))

from hwgen.hw.link.wishbone import Register, WishboneCore, WishboneRegisters
from hwgen.hw.systolic.core import SystolicCore
from hwgen.hw.systolic.flash import FlashPins
from hwgen.program import model
from hwgen.targets import GENERIC

CHECKSUM = 0xC0DE1234


class Summing(wiring.Component):
    """Output byte k is k plus the sum of all input bytes; ready some clocks after reset; pauses."""

    def __init__(self, inputs: int, outputs: int, *, good: bool = True, pause: int = 3) -> None:
        self.sizes, self.good, self.pause = (inputs, outputs), good, pause
        super().__init__(
            {
                "i": In(stream.Signature(8)), "o": Out(stream.Signature(8)), "computing": Out(1),
                "flash": Out(FlashPins()), "ready": Out(1), "error": Out(1), "reason": Out(3),
                "inputs": Out(20), "outputs": Out(12), "checksum": Out(32),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        inputs, outputs = self.sizes
        booting, at, total, wait = Signal(5), Signal(20), Signal(8), Signal(range(self.pause + 1))
        m.d.comb += [
            self.ready.eq((booting == 20) & self.good), self.error.eq((booting == 20) & (not self.good)),
            self.reason.eq(0 if self.good else 5),
            # anything while not ready
            self.inputs.eq(inputs), self.outputs.eq(outputs), self.checksum.eq(CHECKSUM),
        ]  # fmt: skip
        with m.If(booting != 20):
            m.d.sync += booting.eq(booting + 1)
        m.d.sync += wait.eq(wait - (wait != 0))
        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += self.i.ready.eq(self.ready & (wait == 0))
                with m.If(self.i.valid & self.i.ready):
                    m.d.sync += [total.eq(total + self.i.payload), at.eq(at + 1), wait.eq(self.pause)]
                    with m.If(at == inputs - 1):
                        m.d.sync += [at.eq(0), wait.eq(self.pause)]
                        m.next = "COMPUTE"
            with m.State("COMPUTE"):
                m.d.comb += self.computing.eq(1)
                with m.If(wait == 0):
                    m.next = "GIVE"
            with m.State("GIVE"):
                m.d.comb += [self.o.valid.eq(wait == 0), self.o.payload.eq(total + at)]
                with m.If(self.o.valid & self.o.ready):
                    m.d.sync += [at.eq(at + 1), wait.eq(self.pause)]
                    with m.If(at == outputs - 1):
                        m.d.sync += [at.eq(0), total.eq(0)]
                        m.next = "TAKE"
        return m


class Bus:
    """An initiator: waits before and between accesses, as it may; checks that ack is one clock."""

    def __init__(self, dut, ctx, seed: int, busy: float) -> None:
        self.wb, self.ctx, self.random, self.busy = dut.wb, ctx, random.Random(seed), busy

    async def _access(self, address: int, we: int, data: int) -> int:
        ctx, wb = self.ctx, self.wb
        while self.random.random() > self.busy:
            # what means nothing without stb
            ctx.set(wb.cyc, self.random.randrange(2))
            ctx.set(wb.we, self.random.randrange(2))
            ctx.set(wb.adr, self.random.randrange(16))
            _, _, ack = await ctx.tick().sample(wb.ack)
        for name, value in (("cyc", 1), ("stb", 1), ("we", we), ("adr", address), ("dat_w", data)):
            ctx.set(getattr(wb, name), value)
        for _ in range(10):
            _, _, ack, read = await ctx.tick().sample(wb.ack, wb.dat_r)
            if ack:
                break
        else:
            raise AssertionError("no ack")
        if self.random.random() > self.busy or self.busy < 1:
            ctx.set(wb.stb, 0)
            ctx.set(wb.cyc, 0)
            _, _, again = await ctx.tick().sample(wb.ack)
            assert not again
        return read

    async def read(self, register: int) -> int:
        return await self._access(register, 0, self.random.randrange(1 << 32))

    async def write(self, register: int, value: int) -> None:
        await self._access(register, 1, value)

    async def status(self) -> dict[str, int]:
        word = await self.read(Register.STATUS)
        names = ("ready", "error", "computing", "overflow", "underflow")
        return {name: word >> k & 1 for k, name in enumerate(names)} | {
            "reason": word >> 8 & 7, "room": word >> 16 & 255, "held": word >> 24,
        }  # fmt: skip

    async def settled(self) -> dict[str, int]:
        for _ in range(1000):
            state = await self.status()
            if state["ready"] or state["error"]:
                return state
        raise AssertionError("never ready")

    async def run(self, data: bytes, outputs: int) -> bytes:
        """One inference as a processor does it: by the levels that STATUS tells."""
        words = [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]
        # what an input's last word has too many is anything
        words[-1] |= self.random.randrange(1 << 32) << 8 * (len(data) % 4 or 4) & 0xFFFFFFFF
        got = b""
        for _ in range(100_000):
            state = await self.status()
            for _ in range(min(state["room"], len(words))):
                await self.write(Register.INPUT, words.pop(0))
            for _ in range(state["held"]):
                got += (await self.read(Register.OUTPUT)).to_bytes(4, "little")
            if len(got) >= outputs:
                assert not words and not any(got[outputs:]) and len(got) < outputs + 4
                return got[:outputs]
        raise AssertionError("no output")


def play(dut, script, *, seed: int = 1, busy: float = 0.6) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)

    async def bench(ctx):
        await script(Bus(dut, ctx, seed, busy), ctx)

    simulator.add_testbench(bench)
    simulator.run()


def expected(data: bytes, outputs: int) -> bytes:
    return bytes((sum(data) + k) % 256 for k in range(outputs))


@pytest.mark.parametrize("busy", [1.0, 0.5])
@pytest.mark.parametrize("pause", [0, 5])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (4, 4), (5, 3), (30, 9), (7, 40)])
def test_inferences(inputs: int, outputs: int, pause: int, busy: float) -> None:
    dut = WishboneCore(Summing(inputs, outputs, pause=pause), depth=4)

    async def script(bus, ctx):
        state = await bus.settled()
        assert state == {"ready": 1, "error": 0, "computing": 0, "overflow": 0, "underflow": 0, "reason": 0,
                         "room": 4, "held": 0}  # fmt: skip
        known = [await bus.read(r) for r in (Register.DESIGN_ID, Register.INPUTS, Register.OUTPUTS)]
        assert known == [CHECKSUM, inputs, outputs]
        for number in range(1, 5):
            data = bus.random.randbytes(inputs)
            assert await bus.run(data, outputs) == expected(data, outputs)
            assert await bus.read(Register.RUNS) == number
            assert await bus.read(Register.BUSY) == pause + 1
            least = inputs + outputs + pause + 1
            assert await bus.read(Register.CLOCKS) >= least
        state = await bus.status()
        assert not state["overflow"] and not state["underflow"] and not ctx.get(dut.interrupt)

    play(dut, script, busy=busy)


def test_clocks_from_first_input_byte_to_last_output_byte() -> None:
    dut = WishboneCore(Summing(4, 4, pause=0), depth=4)

    async def script(bus, ctx):
        await bus.settled()
        await bus.run(b"abcd", 4)
        assert await bus.read(Register.CLOCKS) == 4 + 1 + 4

    play(dut, script)


def test_too_much_and_too_little_are_told() -> None:
    dut = WishboneCore(Summing(16, 4, pause=200), depth=4)

    async def script(bus, ctx):
        await bus.settled()
        assert await bus.read(Register.OUTPUT) == 0
        assert (await bus.status())["underflow"] == 1
        for word in range(8):
            await bus.write(Register.INPUT, word)
        state = await bus.status()
        assert state["overflow"] == 1 and state["room"] == 0
        await bus.write(Register.CONTROL, 2)
        state = await bus.status()
        assert not state["overflow"] and not state["underflow"] and not state["room"]

    play(dut, script)


def test_reset_in_the_middle_leaves_nothing_behind() -> None:
    dut = WishboneCore(Summing(30, 9, pause=2), depth=8)

    async def script(bus, ctx):
        for number in range(12):
            await bus.settled()
            for _ in range(number % 8):
                await bus.write(Register.INPUT, 0x55555555)
            await bus.write(Register.CONTROL, 1)
            state = await bus.settled()
            assert state["room"] == 8 and state["held"] == 0
            data = bus.random.randbytes(30)
            assert await bus.run(data, 9) == expected(data, 9)
            assert await bus.read(Register.RUNS) == 1
            await bus.write(Register.CONTROL, 1)
        await bus.settled()
        data = bus.random.randbytes(30)
        for at in range(0, 30, 4):
            await bus.write(Register.INPUT, int.from_bytes(data[at : at + 4], "little"))
        while not ctx.get(dut.interrupt):
            await ctx.tick()
        await bus.write(Register.CONTROL, 1)  # with an output half taken
        await bus.settled()
        assert await bus.run(data, 9) == expected(data, 9)

    play(dut, script)


def test_bad_image() -> None:
    dut = WishboneCore(Summing(4, 4, good=False))

    async def script(bus, ctx):
        assert (await bus.status())["ready"] == 0
        state = await bus.settled()
        assert state["error"] == 1 and state["reason"] == 5
        for register in (Register.DESIGN_ID, Register.INPUTS, Register.OUTPUTS, Register.CONTROL, 15):
            assert await bus.read(register) == 0
        await bus.write(Register.INPUT, 1)
        assert await bus.read(Register.OUTPUT) == 0

    play(dut, script)


def test_the_systolic_engine(monkeypatch) -> None:
    import test_core
    import test_model
    from preloaded import Preloaded

    (image, x), *_ = test_core.recorded(monkeypatch, test_model.test_depthwise, test_core.SMALL)
    wanted = model.Engine(image).run(x).view(np.uint8).tobytes()
    core = SystolicCore(geometry=image.array, target=GENERIC, loader=Preloaded(image))
    dut = WishboneCore(core, depth=16)

    async def script(bus, ctx):
        await bus.settled()
        assert await bus.read(Register.INPUTS) == image.inputs
        for _ in range(2):
            assert await bus.run(x.tobytes(), image.outputs) == wanted
        await bus.write(Register.CONTROL, 1)
        await bus.settled()
        assert await bus.run(x.tobytes(), image.outputs) == wanted
        assert 0 < await bus.read(Register.BUSY) < await bus.read(Register.CLOCKS)

    play(dut, script, busy=0.8)


@pytest.mark.parametrize("depth", [1, 256])
def test_depth(depth: int) -> None:
    with pytest.raises(ValueError, match="depth must be 2 to 255"):
        WishboneRegisters(depth=depth)
