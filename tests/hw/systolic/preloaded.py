"""A stand-in for the loader: the image comes out of ROMs, so that a core needs no flash."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import C, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.systolic.flash import FlashPins
from hwgen.program.image import HEADER_BYTES, Image

CLOCKS_A_WORD = 2  # of a Load


class Preloaded(wiring.Component):
    """Ports of `hwgen.hw.systolic.loader.Loader`; loads a word every CLOCKS_A_WORD clocks."""

    def __init__(self, image: Image) -> None:
        self.image = image
        array = image.array
        self.data = np.frombuffer(image.to_bytes(), dtype=np.uint8)
        super().__init__(
            {
                "start": In(1), "offset": In(24), "address": In(16), "words": In(16), "busy": Out(1),
                "write_ready": In(1), "weight_write": Out(1), "weight_address": Out(16),
                "weight_data": Out(8 * array.columns),
                "program_write": Out(1), "program_address": Out(16), "program_data": Out(16),
                "ready": Out(1), "error": Out(1), "reason": Out(3), "inputs": Out(20), "outputs": Out(12),
                "checksum": Out(32),
                "flash": Out(FlashPins()),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        columns = self.image.array.columns
        head = self.data[:HEADER_BYTES].view("<u4")
        length, resident = int(head[3]), int(head[4])
        code = self.data[HEADER_BYTES : HEADER_BYTES + 2 * length].view("<u2")
        start = HEADER_BYTES + 2 * length
        rest = self.data[start:]
        rest = np.concatenate([rest, np.zeros(-len(rest) % columns, np.uint8)]).reshape(-1, columns)
        words = [int.from_bytes(row.tobytes(), "little") for row in rest] or [0]
        m.submodules.code = code_rom = memory.Memory(shape=16, depth=length, init=[int(w) for w in code])
        m.submodules.words = word_rom = memory.Memory(shape=8 * columns, depth=len(words), init=words)
        code_read = code_rom.read_port(domain="comb")
        word_read = word_rom.read_port(domain="comb")
        at, place, left, pause = Signal(24), Signal(24), Signal(16), Signal(range(CLOCKS_A_WORD))
        m.d.comb += [
            code_read.addr.eq(at), self.program_data.eq(code_read.data), self.program_address.eq(at),
            word_read.addr.eq(place), self.weight_data.eq(word_read.data),
            self.inputs.eq(C(self.image.inputs, 20)), self.outputs.eq(C(self.image.outputs, 12)),
        ]  # fmt: skip
        with m.FSM():
            with m.State("CODE"):
                m.d.comb += self.program_write.eq(1)
                m.d.sync += at.eq(at + 1)
                with m.If(at == length - 1):
                    m.d.sync += left.eq(resident)
                    m.next = "WEIGHTS"
            with m.State("WEIGHTS"):
                m.d.comb += self.weight_write.eq(left != 0)
                with m.If(left == 0):
                    m.next = "READY"
                with m.Elif(self.write_ready):
                    m.d.sync += [place.eq(place + 1), left.eq(left - 1)]
                    m.d.sync += self.weight_address.eq(self.weight_address + 1)
            with m.State("READY"):
                m.d.comb += self.ready.eq(1)
                with m.If(self.start):
                    m.d.sync += [
                        place.eq((self.offset - start) >> (columns.bit_length() - 1)),
                        left.eq(self.words), self.weight_address.eq(self.address),
                        self.busy.eq(1), pause.eq(CLOCKS_A_WORD - 1),
                    ]  # fmt: skip
                    m.next = "LOAD"
            with m.State("LOAD"):
                m.d.comb += [self.ready.eq(1), self.weight_write.eq(pause == 0)]
                with m.If(pause != 0):
                    m.d.sync += pause.eq(pause - 1)
                with m.Elif(self.write_ready):
                    m.d.sync += [place.eq(place + 1), left.eq(left - 1), pause.eq(CLOCKS_A_WORD - 1)]
                    m.d.sync += self.weight_address.eq(self.weight_address + 1)
                    with m.If(left == 1):
                        m.d.sync += self.busy.eq(0)
                        m.next = "READY"
        return m
