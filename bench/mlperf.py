"""MLPerf Tiny models routed on ULX3S-85F, beside published boards (mlcommons/tiny_results v1.0, v1.1)."""

from __future__ import annotations

import tempfile

import hwgen
from bench.models import mlperf_tiny
from hwgen.support.errors import HwgenError
from hwgen.support.progress import Console

# task: (board, inferences/s, DSPs, MHz) of an int8 submission in the closed division
PEERS = {
    "keyword spotting": ("Zybo (fpgaConvNet)", 465, 60, 125),
    "image classification": ("Zybo (fpgaConvNet)", 318, 78, 125),
}
WANTED = {"keyword spotting": 10000, "image classification": 1000, "anomaly detection": 5000}


def main() -> None:
    """Build each and print inferences/s, and the ratio to the peer, whole and per DSP and MHz."""
    for task, path in mlperf_tiny().items():
        if task not in WANTED:
            continue
        with tempfile.TemporaryDirectory() as out:
            try:
                design = hwgen.compile(path, fps=WANTED[task], out=out, progress=Console())
                design.verify(samples=2)
                result = design.build()
            except HwgenError as error:
                print(f"{task}: {error}")
                continue
        speed, used = result["inferences_per_second"], result["resources"]
        counts = ", ".join(f"{used[key]['used']:,} {key}" for key in ("lut4", "ff", "dsp", "bram"))
        print(
            f"{task}: {speed:,.0f} inferences/s at {result['clock_mhz']:g} MHz "
            f"({result['fmax_mhz']} reached), {counts}"
        )
        if task in PEERS:
            board, peer, dsps, mhz = PEERS[task]
            each = (speed / used["dsp"]["used"] / result["clock_mhz"]) / (peer / dsps / mhz)
            print(f"    {speed / peer:.1f} times {board}; {each:.1f} times per DSP and MHz")
