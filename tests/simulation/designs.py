"""The designs that are simulated as boards: trained digits on both engines, quickly built."""

from __future__ import annotations

from pathlib import Path

import hwgen
from hwgen.design import Design

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits"
NAMES = ("stream", "systolic")


def compiled(name: str, folder: Path) -> Design:
    """stream: ulx3s-85f, a unit a layer; systolic: icebreaker, one array."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == "stream":
        return hwgen.compile(EXAMPLE / "digits.tflite", "ulx3s-85f", fps=10_000, out=folder)
    return hwgen.compile(EXAMPLE / "digits_mobile.tflite", "icebreaker", engine="systolic", out=folder)


def model(name: str) -> Path:
    """The model file of a design."""
    return EXAMPLE / ("digits.tflite" if name == "stream" else "digits_mobile.tflite")
