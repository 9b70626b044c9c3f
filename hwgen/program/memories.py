"""The engine's memories in the model: activations and weights, garbage until somebody writes them."""

from __future__ import annotations

import numpy as np

from hwgen.program.arithmetic import Bytes, Ints
from hwgen.program.array import GRANULE, Array
from hwgen.program.instructions import BadProgram


class Memories:
    """activations: bytes. weights: (words, columns). int8 both.

    seed: of the garbage. `loading`: weight words that a Load may not have brought yet.
    """

    def __init__(self, array: Array, seed: int) -> None:
        self.array = array
        self.random = np.random.default_rng(seed)
        self.activations = self.garbage(array.activation_bytes)
        self.weights = self.garbage(array.weight_words, array.columns)
        self.loading = range(0)

    def garbage(self, *shape: int) -> Bytes:
        """Bytes that nobody wrote."""
        return self.random.integers(-128, 128, shape, dtype=np.int8)

    def fetch(self, at: Ints, size: int) -> Bytes:
        """(words, size): the bytes from granules `at` on. BadProgram where they leave the memory."""
        return self.activations[self._places(at, size, "reads")]

    def store(self, at: Ints, words: Bytes) -> None:
        """Write words (count, size) to granules `at`, in order. BadProgram where they leave the memory."""
        self.activations[self._places(at, words.shape[1], "writes")] = words

    def fetch_weights(self, first: int, count: int) -> Bytes:
        """Weight words. BadProgram where there are none, or where they are being loaded."""
        last = first + count - 1
        if last >= self.array.weight_words:
            raise BadProgram(f"reads weight words {first} to {last}, there are {self.array.weight_words}")
        if first < self.loading.stop and self.loading.start <= last:
            raise BadProgram(f"reads weight words {first} to {last}, which are being loaded; Wait is missing")
        return self.weights[first : last + 1]

    def load(self, first: int, words: Bytes) -> None:
        """Write weight words, to be read after a Wait. BadProgram where there are none."""
        last = first + len(words) - 1
        if last >= self.array.weight_words:
            raise BadProgram(f"loads weight words {first} to {last}, there are {self.array.weight_words}")
        self.weights[first : last + 1] = words
        self.loading = range(first, last + 1)

    def _places(self, at: Ints, size: int, what: str) -> Ints:
        last = int(at.max()) * GRANULE + size - 1
        if last >= len(self.activations):
            raise BadProgram(f"{what} byte {last} of {len(self.activations)} of activations")
        return (GRANULE * at)[:, None] + np.arange(size)
