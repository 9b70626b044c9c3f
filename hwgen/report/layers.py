"""The layers as the page shows them: one object each, numbered from 1, with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwgen.report.data import RESOURCES
from hwgen.report.folder import Facts

INPUT = 0  # the number that stands for the model's input


@dataclass(frozen=True)
class Stalls:
    """Shares of the time: at work, waiting for input, waiting for room at the output."""

    busy: float
    input: float
    output: float


@dataclass(frozen=True)
class Layer:
    """number: from 1. unit: its name in the hardware. inputs: numbers of the layers that it reads, INPUT for
    the model's input. code, bits: of its weights, "" and 0 where it has none. cycles: clocks of work of an
    inference; share: of the interval. macs_clock: while it works. peak: multipliers. traffic: bytes of
    weights, inputs and outputs. stalls: measured, expected: as predicted, or None. begins, ends: clocks of
    the first inference. hardware: False for what the host computes.
    """

    number: int
    name: str
    unit: str
    kind: str
    what: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    range: tuple[int, int] | None
    weights: int
    code: str
    bits: int
    macs: int
    folding: str
    cycles: int
    share: float
    peak: int
    traffic: float
    resources: Mapping[str, int]
    stalls: Stalls | None
    expected: Stalls | None
    begins: int | None
    ends: int | None
    hardware: bool = True

    @property
    def colour(self) -> str:
        """Its colour in every picture: neighbours far apart on the wheel, each readable on light and dark."""
        return colour(self.number)

    @property
    def macs_clock(self) -> float:
        """MACs a clock while it works."""
        return self.macs / self.cycles if self.cycles else 0.0

    @property
    def size(self) -> str:
        """The output's shape."""
        return "×".join(map(str, self.shape))


def colour(number: int) -> str:
    """A colour for the `number`-th of many."""
    return f"hsl({(205 + 137.508 * (number - 1)) % 360:.0f} 58% {(52, 44, 60)[number % 3]}%)"


def layers_of(facts: Facts) -> list[Layer]:
    """All layers that the hardware computes, then those that are left to the host."""
    report = facts.report
    entries = {entry.get("name"): entry for entry in facts.manifest.get("layers", [])}
    host = [name for name in report.get("host", []) if name in entries]
    names = [entry["name"] for entry in report["layers"]] + host
    numbers = {name: place for place, name in enumerate(names, 1)}
    interval = report.get("initiation_interval") or 1
    found = []
    for entry in [*report["layers"], *({"name": name} for name in host)]:
        name = entry["name"]
        known = entries.get(name, {})
        number = numbers[name]
        feeds = _feeds(known, entries, numbers) if known else (number - 1,)
        cycles = entry.get("cycles", 0)
        found.append(
            Layer(
                number=number,
                name=name,
                unit=entry.get("unit", ""),
                kind=entry.get("kind", known.get("kind", "")),
                what=known.get("description", ""),
                inputs=feeds,
                shape=tuple(entry.get("shape", known.get("shape", ()))),
                range=tuple(known["range"]) if known.get("range") else None,
                weights=known.get("weights", 0),
                code=entry.get("weight_code", ""),
                bits=entry.get("weight_bits", 0),
                macs=entry.get("macs", 0),
                folding=entry.get("folding", ""),
                cycles=cycles,
                share=cycles / interval,
                peak=entry.get("multipliers") or report.get("multipliers", 0),
                traffic=_traffic(known, entry, entries, facts.manifest),
                resources={key: entry.get("resources", {}).get(key, 0) for key in RESOURCES},
                stalls=_stalls(facts.profile, entry, facts.profile.get("clocks")),
                expected=_expected(facts.profile, entry),
                begins=entry.get("begins"),
                ends=entry.get("ends"),
                hardware=name not in host,
            )
        )
    return found


def _feeds(
    entry: Mapping[str, Any], entries: Mapping[str, Any], numbers: Mapping[str, int]
) -> tuple[int, ...]:
    """Numbers of the layers that a layer reads, through what is no layer of its own, such as a reshape."""
    makers = {each.get("output"): each for each in entries.values()}
    found = []
    for tensor in entry.get("inputs", []):
        maker = makers.get(tensor)
        while maker is not None and maker["name"] not in numbers and maker.get("inputs"):
            maker = makers.get(maker["inputs"][0])
        found.append(numbers.get(maker["name"], INPUT) if maker is not None else INPUT)
    return tuple(found)


def _traffic(
    known: Mapping[str, Any],
    entry: Mapping[str, Any],
    entries: Mapping[str, Any],
    manifest: Mapping[str, Any],
) -> float:
    """Bytes of weights, inputs and outputs."""
    tensors = {each["output"]: (each["shape"], each["range"]) for each in entries.values()}
    tensors |= {
        p["tensor"]: (p["shape"], p["range"]) for p in manifest.get("ports", []) if p["direction"] == "in"
    }
    names = [*known.get("inputs", []), known.get("output")]
    moved = sum(size_bytes(*tensors[name]) for name in names if name in tensors)
    return moved + known.get("weights", 0) * entry.get("weight_bits", 8) / 8


def size_bytes(shape: list[int], span: list[int]) -> float:
    """Bytes of a tensor of integers lo..hi, packed."""
    lo, hi = span
    bits = max(
        1, hi.bit_length(), 1 + (-lo - 1).bit_length() if lo < 0 else 0, 1 + hi.bit_length() if lo < 0 else 0
    )
    count = 1
    for extent in shape:
        count *= extent
    return count * bits / 8


def _stalls(profile: Mapping[str, Any], entry: Mapping[str, Any], clocks: Any) -> Stalls | None:
    """Of a layer in a profile, as shares of its clocks."""
    units = profile.get("units", {})
    unit = units.get(entry["name"]) or units.get(entry.get("unit")) if isinstance(units, dict) else None
    if not isinstance(unit, dict) or not clocks:
        return None
    return Stalls(*(min(1.0, unit.get(key, 0) / clocks) for key in ("busy", "input", "output")))


def _expected(profile: Mapping[str, Any], entry: Mapping[str, Any]) -> Stalls | None:
    """Of a layer in a profile's prediction: units of its own, or by layer as they are."""
    predicted = profile.get("predicted")
    if not isinstance(predicted, dict):
        return None
    units = predicted if "units" in predicted else {"units": predicted}
    return _stalls(units, entry, predicted.get("clocks") or profile.get("clocks"))
