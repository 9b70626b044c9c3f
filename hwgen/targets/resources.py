"""What hardware costs, in the units of `report.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class Resources:
    """lut4: LUT4 sites (a carry cell of the ECP5 counts two). ff: flip-flops. dsp: 18x18 multipliers
    (ECP5) or 16x16 (iCE40). bram: block RAMs (18 kbit, 4 kbit). spram: single-port RAM blocks."""

    lut4: int = 0
    ff: int = 0
    dsp: int = 0
    bram: int = 0
    spram: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(  # spelt out: planners add up hundreds of thousands
            self.lut4 + other.lut4,
            self.ff + other.ff,
            self.dsp + other.dsp,
            self.bram + other.bram,
            self.spram + other.spram,
        )

    def __mul__(self, count: int) -> Resources:
        return Resources(*(getattr(self, f.name) * count for f in fields(self)))

    def over(self, budget: Resources) -> list[str]:
        """Names of the resources of which there are more here than in `budget`."""
        return [f.name for f in fields(self) if getattr(self, f.name) > getattr(budget, f.name)]

    def as_dict(self) -> dict[str, int]:
        """By name."""
        return asdict(self)
