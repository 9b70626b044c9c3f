"""How the outside world treats the core: random gaps before it, random back-pressure behind it.

Rates are relative to the core's own pace (words of a stream per inference interval): a sink that takes
40% of all clocks never holds up a layer that delivers a word in 100 clocks, one that takes 80% of what
the core could deliver fills every queue in it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

ALWAYS = 1 << 16  # probabilities are in units of 1/65536


@dataclass(frozen=True)
class Gate:
    """When a word may pass. rate: fraction of the core's pace (None: always).

    burst: mean length of open and of closed times as a fraction of the interval (None: memoryless).
    """

    rate: float | None = None
    burst: float | None = None

    def settings(self, words: int, interval: float, seed: int) -> dict[str, int]:
        """`go`, `stop`, `seed` of sim/gate.v for a stream of `words` words per `interval` clocks."""
        if self.burst is not None:
            change = _probability(1.0 / max(self.burst * interval, 2.0))
            return {"go": change, "stop": change, "seed": seed}
        if self.rate is None:
            return {"go": ALWAYS, "stop": 0, "seed": seed}
        go = _probability(self.rate * min(1.0, words / max(interval, 1.0)))
        return {"go": go, "stop": ALWAYS - go, "seed": seed}


@dataclass(frozen=True)
class Pattern:
    """One run of the simulator.

    samples: at most so many of the samples (None: all). repeat: play samples again until there are so
    many (a steady state needs three). reset: a synchronous reset in the middle of the second sample.
    """

    name: str
    input: Gate = Gate()
    output: Gate = Gate()
    samples: int | None = None
    repeat: int = 1
    reset: bool = False


STEADY = Pattern("steady", repeat=3)
GAPS = Pattern("gaps", input=Gate(rate=0.8), samples=4)
BACK_PRESSURE = Pattern("back-pressure", output=Gate(rate=0.8))
BOTH = Pattern("both", input=Gate(rate=0.9), output=Gate(rate=0.9), samples=8)
BURSTS = Pattern("bursts", input=Gate(burst=0.13), output=Gate(burst=0.17), samples=4)
RESET = Pattern("reset", output=Gate(rate=0.9), samples=2, reset=True)

PATTERNS = (STEADY, BACK_PRESSURE, GAPS, BOTH, BURSTS, RESET)
"""Default: `steady` first, because it measures the pace that the others are relative to."""


def seed_of(*parts: object) -> int:
    """A 32-bit seed that depends on all parts, the same on every machine; never 0."""
    return zlib.crc32("/".join(str(part) for part in parts).encode()) or 1


def _probability(p: float) -> int:
    return min(ALWAYS, max(1, round(p * ALWAYS)))
