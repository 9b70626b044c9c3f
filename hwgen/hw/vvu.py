"""Depthwise vector unit: each channel has its own kernel and meets only its own activations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hwgen.hw.mvu import ReducerPipeline, accumulator_range, integer_weights, paired_forms, pipeline_cost
from hwgen.numeric.ranges import Range
from hwgen.targets import Target
from hwgen.targets.resources import Resources


class VVU(ReducerPipeline):
    """acc[c] = sum over t of weights[t, c] * x_t[c], `pe` channels for every group of words.

    weights: integers (T, C), T = KH * KW kernel positions in (kh, kw) order. pe: channels in a word, divides
    C. A group is T words; word t of group b carries x_t[b * pe : (b + 1) * pe], and after group C / pe - 1
    comes group 0 again. value: range of x. form: product form of every lane, or one for each: "dsp", "lut",
    "generic" ("dsp2" needs shared activations). rom: "bram", "lut", "generic" or "auto".

    Ports, latency and errors as for `MVU`; a word in every clock is accepted.
    """

    def __init__(
        self,
        weights: np.ndarray,
        *,
        pe: int,
        value: Range,
        form: str | Sequence[str] = "dsp",
        rom: str = "auto",
        target: Target,
    ) -> None:
        weights = integer_weights(weights)
        positions, channels = weights.shape
        if channels % pe:
            raise ValueError(f"pe {pe} must divide the {channels} channels")
        names = paired_forms(form, pe)
        if any(name == "dsp2" or count != 1 for name, count in names):
            raise ValueError("dsp2 shares one activation between two outputs; depthwise lanes have their own")
        self.weights, self.pe = weights, pe
        words = weights.reshape(positions, channels // pe, pe).transpose(2, 1, 0).reshape(pe, 1, -1, 1)
        units = [(name, slice(lane, lane + 1), words[lane]) for lane, (name, _) in enumerate(names)]
        super().__init__(
            units,
            lanes=pe,
            value=value,
            accumulator=accumulator_range(weights.T, value),
            rom=rom,
            target=target,
        )


def vvu_cost(
    weights: np.ndarray,
    *,
    pe: int,
    value: Range,
    form: str | Sequence[str] = "dsp",
    rom: str = "auto",
    target: Target,
) -> Resources:
    """Estimate of a VVU with these arguments; within a tenth of synthesis (tests/synth/test_mvu_cost.py)."""
    counts = Counter(name for name, _ in paired_forms(form, pe))
    return pipeline_cost(
        [(name, 1, count) for name, count in counts.items()],
        lanes=pe,
        depth=weights.size // pe,
        weight=Range(int(weights.min()), int(weights.max())),
        value=value,
        accumulator=accumulator_range(weights.T, value),
        rom=rom,
        target=target,
    )
