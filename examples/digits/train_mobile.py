"""Trains a digits network of depthwise and pointwise layers, as MobileNet has, to a .tflite file.

    python examples/digits/train_mobile.py [--epochs 40] [--output digits_mobile.tflite]

3x3 convolution to 8 channels, average, 3x3 depthwise, 1x1 convolution to 16 channels, average, ten logits.
For the systolic engine of an iCE40 UltraPlus. The same bytes come out at each run (see network.py for why).
"""

from __future__ import annotations

import numpy as np
from network import AveragePool, Conv, Dense, Depthwise, Layer
from train_small import main


def build(seed: int) -> list[Layer]:
    """8x8x1 in, ten logits out."""
    random = np.random.Generator(np.random.PCG64(seed))
    return [
        Conv("conv1", 1, 8, 3, random),
        AveragePool("averagepool1"),
        Depthwise("depthwise2", 8, 3, random),
        Conv("conv3", 8, 16, 1, random),
        AveragePool("averagepool3"),
        Dense("dense4", 2 * 2 * 16, 10, random),
    ]


if __name__ == "__main__":
    main(build, "digits_mobile.tflite")
