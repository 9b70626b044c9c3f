"""Flow: the free-running link inside a layer unit (no ready; the consumer reserved room beforehand)."""

from __future__ import annotations

from typing import Any

from amaranth.lib import wiring
from amaranth.lib.wiring import Out


class FlowSignature(wiring.Signature):
    """A word every clock in which `valid` is high; nothing can hold it back.

    valid: a word is there. payload: the word. first, last: the word opens or closes its group (the
    words of one output vector); meaningful only with `valid`, both high for a group of one word.
    A stage with a fixed latency delays the four together; between groups valid may fall at will.
    """

    def __init__(self, shape: Any) -> None:
        self.payload_shape = shape
        super().__init__({"valid": Out(1), "payload": Out(shape), "first": Out(1), "last": Out(1)})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FlowSignature) and self.payload_shape == other.payload_shape

    def __repr__(self) -> str:
        return f"FlowSignature({self.payload_shape!r})"
