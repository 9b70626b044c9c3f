"""Depthwise vector unit: each channel has its own kernel and meets only its own activations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwgen.hw.mvu import ReducerPipeline, accumulator_range, integer_weights
from hwgen.hw.product import DspForm, ProductForm
from hwgen.hw.product.form import Levels
from hwgen.numeric.ranges import Range
from hwgen.targets import Target


class VVU(ReducerPipeline):
    """acc[c] = offset[c] + sum over t of weights[t, c] * x_t[c], `pe` channels for every group of words.

    weights: integers (T, C), T = KH * KW kernel positions in (kh, kw) order. pe: channels in a word, divides
    C. A group is T words; word t of group b carries x_t[b * pe : (b + 1) * pe], and after group C / pe - 1
    comes group 0 again. value: range of x. form: product form of every lane, or one for each (not those
    whose outputs share activations). rom, code: see `MVU`.

    Ports, latency and errors as for `MVU`; a word in every clock is accepted.
    """

    def __init__(
        self,
        weights: np.ndarray,
        *,
        pe: int,
        value: Range,
        form: type[ProductForm] | Sequence[type[ProductForm]] = DspForm,
        rom: str = "auto",
        code: Levels | None = None,
        target: Target,
    ) -> None:
        weights = integer_weights(weights)
        positions, channels = weights.shape
        if channels % pe:
            raise ValueError(f"pe {pe} must divide the {channels} channels")
        kinds = [form] * pe if isinstance(form, type) else list(form)
        if len(kinds) != pe:
            raise ValueError(f"form names {len(kinds)} elements, not {pe}")
        for kind in kinds:
            if kind.outputs > 1 or kind.shared:
                raise ValueError(f"{kind.name}: outputs share activations; depthwise lanes have their own")
        self.weights, self.pe = weights, pe
        words = weights.reshape(positions, channels // pe, pe).transpose(2, 1, 0).reshape(pe, 1, -1, 1)
        units = [(kind, slice(lane, lane + 1), words[lane]) for lane, kind in enumerate(kinds)]
        self.offset = np.zeros(channels, dtype=np.int64)
        for lane, (kind, _, own) in enumerate(units):
            off = kind.offset(own, value)
            self.offset[lane::pe] = off[0].reshape(channels // pe, positions).sum(axis=1)
        super().__init__(
            units,
            lanes=pe,
            value=value,
            accumulator=accumulator_range(weights.T, value, self.offset),
            groups=channels // pe,
            rom=rom,
            code=code,
            target=target,
        )
