"""A NumPy model of the engine: it executes an image's program, instruction by instruction.

It stands between the golden model and the RTL. What hardware cannot notice (accumulators that overflow,
addresses outside a memory, weights read while they are loaded) is BadProgram, naming the instruction. What
nobody wrote is garbage that the seed decides, so that a program which depends on it gives other outputs with
another seed. As in hardware, memories keep what is in them from one inference to the next.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hwgen.program.arithmetic import Bytes, byte
from hwgen.program.counts import Counts
from hwgen.program.execution import Execution
from hwgen.program.image import Image
from hwgen.program.instructions import BadProgram, End, Fill, Give, Instruction, Load, Run, Take, Wait
from hwgen.program.loops import addresses
from hwgen.program.memories import Memories

Trace = Callable[[int, Instruction, Bytes], None]
CODES = ("int8",)


class Engine:
    """An array with its memories, and an image.

    seed: of the garbage in memories. counts: of the last inference, by the number of the Run. BadProgram for
    what is no image.
    """

    def __init__(self, image: Image, seed: int = 0) -> None:
        array = image.array
        if array.code not in CODES:
            raise BadProgram(f"weights of code {array.code!r}; the model knows {', '.join(CODES)}")
        self.image, self.array = image, array
        self.flash = np.frombuffer(image.to_bytes(), dtype=np.int8)
        self.memories = Memories(array, seed)
        resident = np.frombuffer(image.resident, dtype=np.int8).reshape(-1, array.columns)
        self.memories.weights[: len(resident)] = resident
        self.counts: dict[int, Counts] = {}
        self._input: Bytes = np.zeros(0, np.int8)
        self._output: list[Bytes] = []

    def run(self, x: bytes | NDArray, trace: Trace | None = None) -> Bytes:
        """One inference: `image.inputs` bytes (any 8-bit type) in, `image.outputs` int8 out.

        trace: called after each instruction that writes activations with its number, itself and the memory.
        ValueError for an input of another size; BadProgram for what the program does wrong.
        """
        flat = np.frombuffer(x, np.int8) if isinstance(x, bytes) else np.ascontiguousarray(x).ravel()
        if flat.itemsize != 1 or flat.size != self.image.inputs:
            raise ValueError(f"an input of {flat.size} {flat.dtype}, not of {self.image.inputs} bytes")
        self._input, self._output, self.counts = flat.view(np.int8), [], {}
        for number, instruction in enumerate(self.image.program):
            try:
                self._execute(number, instruction)
            except BadProgram as error:
                name = type(instruction).__name__.lower()
                raise BadProgram(f"instruction {number} ({name}): {error}") from None
            if trace and isinstance(instruction, Run | Take | Fill):
                trace(number, instruction, self.memories.activations)
            if isinstance(instruction, End):
                break
        return np.concatenate(self._output)

    def _execute(self, number: int, op: Instruction) -> None:
        if isinstance(op, Run):
            self.counts[number] = Execution(self.memories, op).run()
        elif isinstance(op, Load):
            self._load(op)
        elif isinstance(op, Wait):
            self.memories.loading = range(0)
        elif isinstance(op, Take):
            self._take(op)
        elif isinstance(op, Fill):
            at = addresses(op.o, (op.d0_count, op.d1_count), (op.d0_delta, op.d1_delta))
            self.memories.store(at, np.full((len(at), self.array.columns), byte(op.value), dtype=np.int8))
        elif isinstance(op, Give):
            self._give(op)
        else:
            self._end()

    def _load(self, op: Load) -> None:
        first, size = op.high << 16 | op.low, op.words * self.array.columns
        if not op.words:
            raise BadProgram("loads nothing")
        if first + size > len(self.flash):
            raise BadProgram(f"loads bytes {first} to {first + size - 1} of an image of {len(self.flash)}")
        self.memories.load(op.w, self.flash[first : first + size].reshape(-1, self.array.columns))

    def _take(self, op: Take) -> None:
        at = addresses(op.o, (op.d0_count, op.d1_count), (op.d0_delta, op.d1_delta))
        period = op.lead + op.take + op.trail
        if not period:
            raise BadProgram("a pattern of no bytes")
        place = np.arange(len(at) * self.array.columns) % period
        taken = (place >= op.lead) & (place < op.lead + op.take)
        wanted = int(taken.sum())
        if wanted > len(self._input):
            raise BadProgram(f"takes {wanted} bytes of the {len(self._input)} that are left")
        values = np.full(place.shape, byte(op.fill), dtype=np.int8)
        values[taken], self._input = self._input[:wanted], self._input[wanted:]
        self.memories.store(at, values.reshape(len(at), -1))

    def _give(self, op: Give) -> None:
        size = op.n0_count * self.array.columns
        if not 0 < op.take <= size:
            raise BadProgram(f"gives {op.take} bytes of {size}")
        at = addresses(op.x, (op.n0_count, op.n1_count), (op.n0_delta, op.n1_delta))
        words = self.memories.fetch(at, self.array.columns).reshape(op.n1_count, size)
        self._output.append(words[:, : op.take].ravel())

    def _end(self) -> None:
        given = sum(len(each) for each in self._output)
        if len(self._input):
            raise BadProgram(f"{len(self._input)} bytes of the input were not taken")
        if given != self.image.outputs:
            raise BadProgram(f"{given} bytes were given, the image says {self.image.outputs}")
