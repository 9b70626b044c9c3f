"""Boots the engine from the image in the flash, then copies weights on request."""

from __future__ import annotations

from enum import IntEnum

from amaranth.hdl import C, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.product.form import register
from hwgen.hw.systolic.flash import FlashPins, FlashReader
from hwgen.program.array import Array
from hwgen.program.image import HEADER_BYTES, MAGIC, VERSION

WORD_BYTES = 4
LOAD_REST = 6  # clocks from a load's last write to the next start
BASE = 1 << 20  # where boards with a 16 MiB flash have the image: behind any bitstream
_CRC_POLYNOMIAL, _CRC_ONES, _CRC_RESIDUE = 0xEDB88320, (1 << 32) - 1, 0xDEBB20E3  # zlib's, low bit first


class Reason(IntEnum):
    """Why an image is refused: the first thing wrong with it."""

    NONE = 0
    MAGIC = 1  # no image there
    VERSION = 2
    ARRAY = 3  # an image for another array
    LENGTHS = 4  # that the memories or the image itself do not have
    CHECKSUM = 5


class Loader(wiring.Component):
    """Reads the image at byte `base` of the flash after reset; then `ready`, or `error` with a `reason`.

    Boot: header checked, program to program_write/address/data, resident weights to the weight port from word
    0 on, the rest read for the CRC-32 over words 0 to 6 of the header and all that follows it. Memories are
    written before the checksum is known: nothing may run before `ready`. inputs, outputs, checksum: header
    words 5 and 7. An error lasts until reset. A boot takes 8 clocks a 32-bit word, see FlashReader.

    start, while not `busy`: copy `words` weight words (0: none) from byte `offset` of the image, any byte,
    to weight word `address` and on. While `busy`, start does nothing. The first 32 bits come
    27 * divide + 3 + late clocks after start (of a steady geometry one more, in which offset, address and
    words must stay), the next ones every 8 * divide clocks; a weight word is written with its last ones, and
    busy falls LOAD_REST clocks after the last word (divide 1).

    weight_write asks for a word to be written and stays until write_ready, which may wait for anything: words
    go on coming from the flash as long as none waits more than 5 clocks.

    wake, late, divide: see FlashReader.
    """

    def __init__(
        self, *, geometry: Array, base: int = BASE, wake: int = 108, late: int = 0, divide: int = 1
    ) -> None:
        if not 0 <= base <= (1 << 24) - HEADER_BYTES:
            raise ValueError(f"loader: no image begins at byte {base} of a flash of 16 MiB")
        self.geometry, self.base = geometry, base
        self._reader = FlashReader(wake=wake, late=late, divide=divide)
        super().__init__(
            {
                "flash": Out(FlashPins()),
                "ready": Out(1),
                "error": Out(1),
                "reason": Out(3),
                "inputs": Out(20),
                "outputs": Out(12),
                "checksum": Out(32),
                "start": In(1),
                "offset": In(24),
                "address": In(16),
                "words": In(16),
                "busy": Out(1),
                "program_write": Out(1),
                "program_address": Out(range(geometry.program_words)),
                "program_data": Out(16),
                "weight_write": Out(1),
                "weight_address": Out(range(geometry.weight_words)),
                "weight_data": Out(8 * geometry.columns),
                "write_ready": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.reader = reader = self._reader
        wiring.connect(m, wiring.flipped(self.flash), reader.flash)
        word = reader.word
        take, arrived, load = Signal(), Signal(), Signal()
        header = Signal(3)
        in_header, in_program, in_body, writing = Signal(), Signal(), Signal(), Signal()
        left = Signal(22)  # 32-bit words of the image that have not arrived; weight words of a load
        m.d.comb += [
            take.eq(reader.valid & reader.ready),
            arrived.eq(reader.nibble_valid & (reader.index == 7)),  # a word, whether it can be taken or not
        ]
        end_of_program = self._program(m, in_program, in_header & take & (header == 3))
        accepted, end_of_weights = self._weights(m, writing, load, in_header & take & (header == 4))
        # everything counts but the checksum, which comes last: see AGAIN
        counts = Mux(in_header, header != 7, ~in_body | (left != 0))
        is_residue = self._checksum(m, reader.nibble_valid & counts)
        differs = self._differs(m, header)

        # it is 0 when it is set, so that what is added is a value or -1
        set_left = in_header & take & (header == 6)
        with m.If(set_left | load | Mux(in_body, arrived, accepted)):
            value = Mux(load, self.words, word[2:24])
            m.d.sync += left.eq(left + Mux(set_left | load, value, C(-1, 22)))

        def refuse(condition: Value, reason: Reason) -> None:
            with m.If(condition):
                m.d.sync += self.reason.eq(reason)
                then()
                m.next = "ERROR"

        # what a state means; with a fast clock in registers, for much hangs on it
        steady = self.geometry.steady
        starting = Signal(init=steady)
        if steady:
            is_residue = register(m, is_residue, name="is_residue")
        meanings = [in_header, in_program, in_body, writing, starting]

        def now(*meant: Signal) -> None:
            if not steady:
                m.d.comb += [each.eq(1) for each in meant]

        def then(*meant: Signal) -> None:
            if steady:
                m.d.sync += [each.eq(any(each is one for one in meant)) for each in meanings]

        where = Signal(24)
        begun = Signal()  # a load is, one clock ago
        m.d.comb += [reader.address.eq(where + self.base), self.busy.eq(1)]
        m.d.comb += reader.start.eq(starting | load)
        if steady:
            m.d.comb += load.eq(begun)
        with m.FSM():
            with m.State("START"):
                now(starting)
                with m.If(reader.idle):
                    then(in_header)
                    m.next = "HEADER"
            with m.State("HEADER"):
                now(in_header)
                with m.If(take):
                    m.d.sync += header.eq(header + 1)
                    with m.Switch(header):
                        for place, reason in enumerate((Reason.MAGIC, Reason.VERSION, Reason.ARRAY)):
                            with m.Case(place):
                                refuse(differs, reason)
                        with m.Case(3):
                            # one of odd length never ends, and so goes beyond the image
                            refuse(_exceeds(word, self.geometry.program_words) | (word == 0), Reason.LENGTHS)
                        with m.Case(4):
                            refuse(_exceeds(word, self.geometry.weight_words), Reason.LENGTHS)
                        with m.Case(5):
                            m.d.sync += Cat(self.inputs, self.outputs).eq(word)
                        with m.Case(6):
                            refuse(word[:2].any() | word[24:].any(), Reason.LENGTHS)
                        with m.Case(7):
                            m.d.sync += self.checksum.eq(word)
                            then(in_body, in_program)
                            m.next = "PROGRAM"
            with m.State("PROGRAM"):
                now(in_body, in_program)
                with m.If(take & end_of_program):
                    then(in_body, writing)
                    m.next = "WEIGHTS"
                refuse(arrived & (left == 0), Reason.LENGTHS)
            with m.State("WEIGHTS"):
                now(in_body, writing)
                with m.If(end_of_weights):
                    then(in_body)
                    m.next = "REST"
                refuse(arrived & (left == 0), Reason.LENGTHS)
            with m.State("REST"):
                now(in_body)
                with m.If(left == 0):
                    m.d.comb += reader.stop.eq(1)
                    then(starting)
                    m.next = "AGAIN"
            with m.State("AGAIN"):
                # the checksum's word once more: behind what it is of, it always leaves the same residue
                m.d.comb += where.eq(HEADER_BYTES - WORD_BYTES)
                now(starting)
                with m.If(take):
                    then()
                    m.next = "CHECK" if steady else "COMPARE"
            if steady:
                with m.State("CHECK"):
                    m.d.comb += reader.stop.eq(1)
                    m.next = "COMPARE"
            with m.State("COMPARE"):
                m.d.comb += reader.stop.eq(1)
                m.d.sync += self.ready.eq(is_residue)
                m.next = "READY"
                refuse(~is_residue, Reason.CHECKSUM)
            with m.State("READY"):
                m.d.comb += [self.busy.eq(~reader.idle | begun), where.eq(self.offset)]
                if steady:
                    m.d.sync += begun.eq(self.start & reader.idle & ~begun)
                else:
                    m.d.comb += load.eq(self.start & reader.idle)
                with m.If(load):
                    then(writing)
                    m.next = "LOAD"
            with m.State("LOAD"):
                now(writing)
                with m.If(left == 0):
                    m.d.comb += reader.stop.eq(1)
                    then()
                    m.next = "READY"
            with m.State("ERROR"):
                m.d.comb += [reader.stop.eq(1), self.error.eq(1)]
        return m

    def _program(self, m: Module, active: Value, set_length: Value) -> Value:
        """Writes halves of words as they come; whether all have been written."""
        reader, address = self._reader, self.program_address
        length = Signal.like(address)  # a full memory's is 0, as the address is then
        with m.If(set_length):
            m.d.sync += length.eq(reader.word)
        m.d.comb += [self.program_write.eq(active & reader.half_valid), self.program_data.eq(reader.half)]
        with m.If(self.program_write):
            m.d.sync += address.eq(address + 1)
        return address == length

    def _weights(self, m: Module, active: Value, load: Value, set_resident: Value) -> tuple[Value, Value]:
        """Puts words of weights together and writes them: whether one is accepted; all resident ones are."""
        reader, accepted = self._reader, Signal()
        address = Signal(range(self.geometry.weight_words + 1))
        resident = Signal.like(address)
        with m.If(set_resident):
            m.d.sync += resident.eq(reader.word)
        parts = self.geometry.columns // WORD_BYTES
        complete: Value = C(1, 1)
        collected: Value = reader.word
        if parts > 1:
            before, part = Signal(32 * (parts - 1), reset_less=True), Signal(range(parts))
            complete, collected = part == parts - 1, Cat(before, reader.word)
            with m.If(active & reader.valid & reader.ready):
                m.d.sync += [before.eq(collected[32:]), part.eq(part + 1)]
        m.d.comb += [
            self.weight_data.eq(collected),
            self.weight_write.eq(active & reader.valid & complete),
            reader.ready.eq(~active | ~complete | self.write_ready),
            accepted.eq(self.weight_write & self.write_ready),
        ]
        with m.If(load):
            m.d.sync += address.eq(self.address)
        with m.Elif(accepted):
            m.d.sync += address.eq(address + 1)
        m.d.comb += self.weight_address.eq(address)
        ends: Value = address == resident
        return accepted, register(m, ends, name="ends") if self.geometry.steady else ends

    def _checksum(self, m: Module, valid: Value) -> Value:
        """CRC-32 of the nibbles; whether it is what a message followed by its CRC-32 leaves."""
        crc = Signal(32, init=_CRC_ONES)
        bits: list[Value | Const] = [crc[k] for k in range(32)]
        for k in range(4):
            out = bits[0] ^ self._reader.nibble[k]
            bits = [
                above ^ out if _CRC_POLYNOMIAL >> place & 1 else above
                for place, above in enumerate([*bits[1:], C(0, 1)])
            ]
        with m.If(valid):
            m.d.sync += crc.eq(Cat(*bits))
        return crc == _CRC_RESIDUE

    def _differs(self, m: Module, header: Value) -> Value:
        """Whether the word that becomes valid is not the header's of a good image, for the first three."""
        reader, before, differs = self._reader, Signal(), Signal()
        wanted = MAGIC | VERSION << 32 | self.geometry.id << 64
        nibble = Const(wanted, 128).word_select(Cat(reader.index, header[:2]), 4)
        m.d.comb += differs.eq((before & (reader.index != 0)) | (reader.nibble != nibble))
        with m.If(reader.nibble_valid):
            m.d.sync += before.eq(differs)
        return differs


def _exceeds(word: Value, limit: int) -> Value:
    """word > limit, cheaply where limit is a power of two."""
    bits = limit.bit_length()
    low = word[: bits - 1].any() if limit & (limit - 1) == 0 else word[: bits - 1] > limit - (1 << bits - 1)
    return word[bits:].any() | (word[bits - 1] & low)
