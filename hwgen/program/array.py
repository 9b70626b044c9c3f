"""What a systolic array is built with; a program is made for one such array."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, fields

GRANULE = 2  # bytes; activations are addressed in granules
PARAMETER_WORDS = 8  # weight words before a block's weights: its columns' requantisation
DATAFLOWS = ("weight", "output")
GROUP = 4  # columns whose sums leave through one quantiser, one a clock


@dataclass(frozen=True)
class Array:
    """rows x columns processing elements and what surrounds them.

    rows: bytes of an activation word; input channels (or taps) of a pass. columns: bytes of a weight word;
    output channels of a block. depth: outputs of a tile, words of each of the two accumulator banks.
    activation_bytes, weight_words (of `columns` bytes), program_words (of 16 bits): memory sizes.
    accumulator, operand, multiplier, bias: bits. operand: signed, what a biased sum is clipped to.
    code: name of what an 8-bit weight with an 8-bit activation means ("int8": their product).
    shared_activations, shared_weights: whether that memory reads or writes in a clock, but not both.
    maximum: whether tiles may take maxima instead of sums.
    dataflow: what stays in the elements: "weight"; or "output", for comparison: tiles have at most `rows`
    outputs then, there is no `depthwise`, `hold`, `widen` or `maximum`.
    """

    rows: int = 4
    columns: int = 4
    depth: int = 256
    activation_bytes: int = 65_536
    weight_words: int = 16_384
    program_words: int = 2048
    accumulator: int = 24
    operand: int = 22
    multiplier: int = 28
    bias: int = 28
    code: str = "int8"
    shared_activations: bool = True
    shared_weights: bool = True
    maximum: bool = False
    dataflow: str = "weight"

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            size = getattr(self, name)
            if size < GROUP or size & (size - 1):
                raise ValueError(f"{name} must be a power of two from {GROUP} on, not {size}")
        if self.columns > self.rows:
            raise ValueError(f"more columns ({self.columns}) than rows ({self.rows})")
        if self.dataflow not in DATAFLOWS:
            raise ValueError(f"dataflow must be one of {', '.join(DATAFLOWS)}, not {self.dataflow!r}")
        if not 16 <= self.depth <= 256:
            raise ValueError(f"depth must be 16 to 256, not {self.depth}")

    @property
    def steady(self) -> bool:
        """A RUN makes a step in every clock, for nothing else wants the activations' memory.

        What follows the steps is then a pipeline that never stalls, to which registers may be added where
        the chip is large: enables that go everywhere are left out, and latencies are longer.
        """
        return not self.shared_activations

    @property
    def banks(self) -> int:
        """Granules in an activation word."""
        return self.rows // GRANULE

    @property
    def groups(self) -> int:
        """Quantisers side by side."""
        return self.columns // GROUP

    @property
    def id(self) -> int:
        """32 bits that a program carries and the array compares."""
        text = ",".join(f"{each.name}={getattr(self, each.name)}" for each in fields(self))
        return zlib.crc32(text.encode())


#: What fits an iCE40UP5K: SPRAM for activations and weights, all eight SB_MAC16.
UP5K = Array()
#: 256 processing elements of an ECP5-85F.
ECP5_85F = Array(
    rows=16,
    columns=16,
    activation_bytes=131_072,
    weight_words=4096,
    program_words=4096,
    shared_activations=False,
    shared_weights=False,
    maximum=True,
)
