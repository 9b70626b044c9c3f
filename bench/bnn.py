"""Published binary networks routed on ULX3S-85F, beside FINN's boards.

Theirs: BNN-PYNQ's clocks an image from its folding (Xilinx/BNN-PYNQ, bnn/src/network/*/hw/config.h: the
longest layer), which is the most it can do at any clock; LUTs of cnv-w1a1 without its shell from Xilinx/finn
pull request 209; CNV-max of Umuroglu et al., "FINN", FPGA 2017, at 200 MHz. No LUTs of LFC are published with
a source that could be read here. Their LUTs are LUT6, ours LUT4, which does less: ratios are to be read so.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import hwgen
from bench.models import folder
from hwgen.support.errors import HwgenError
from hwgen.support.progress import Console

CLOCK = 100.0


@dataclass(frozen=True)
class Network:
    """path: under the models' folder; data: inputs and classes; fps: asked of the planner."""

    path: str
    data: Callable[[], tuple[np.ndarray, np.ndarray]]
    fps: float
    board: str = "ulx3s-85f"


@dataclass(frozen=True)
class Peer:
    """per_mhz: images a second and MHz. lut6: none where no source has it."""

    title: str
    per_mhz: float
    lut6: int | None


def _mnist() -> tuple[np.ndarray, np.ndarray]:
    data = np.load(folder() / "mnist" / "mnist_test_first5000.npz")
    return data["x_test"].astype(np.float32), data["y_test"]


def _unit() -> tuple[np.ndarray, np.ndarray]:
    pixels, classes = _mnist()
    return pixels[:, None] / np.float32(255), classes


def _planes() -> tuple[np.ndarray, np.ndarray]:
    pixels, classes = _mnist()
    return pixels[:, None], classes


def _vectors() -> tuple[np.ndarray, np.ndarray]:
    pixels, classes = _mnist()
    return pixels.reshape(-1, 784), classes


def _cifar() -> tuple[np.ndarray, np.ndarray]:
    data = np.load(folder() / "mlperf_tiny" / "ic01_200.npz")
    return data["x"].transpose(0, 3, 1, 2).astype(np.float32) - 128, data["y"]


NETWORKS = {
    "TFC 1W1A": Network("qonnx/TFC_1W1A.onnx", _unit, 100e3),
    "TFC 2W2A": Network("qonnx/TFC_2W2A.onnx", _unit, 100e3),
    "TFC (FINN's tutorial)": Network("qonnx/finn_fpga_flow_tfc.onnx", _planes, 100e3),
    "LFC W1A1": Network("bnn_pynq/mnist_lfcW1A1.onnx.gz", _vectors, 195e3),
    "CNV W1A1": Network("bnn_pynq/cifar10_cnvW1A1.onnx.gz", _cifar, 3000),
}
PEERS = {
    "LFC W1A1": (Peer("BNN-PYNQ, 512 clocks", 1e6 / 512, None),),
    "CNV W1A1": (
        Peer("BNN-PYNQ, 32,768 clocks", 1e6 / 32_768, 21_135),
        Peer("FPGA 2017, CNV-max", 21_906 / 200, 46_253),
    ),
}


def main() -> None:
    """Accuracy of the golden model on every sample, RTL against it on three, then a routed bitstream."""
    for title, network in NETWORKS.items():
        source = folder() / network.path
        if not source.is_file():
            print(f"{title}: {source} is not on this machine")
            continue
        with tempfile.TemporaryDirectory() as out:
            try:
                result, accuracy, count = _built(source, network, Path(out))
            except HwgenError as error:
                print(f"{title}: {error}")
                continue
        print(f"{title}: {accuracy:.1%} of {count:,}; {_ours(result)}")
        for peer in PEERS.get(title, ()):
            print(f"    {_beside(peer, result)}")


def _built(source: Path, network: Network, out: Path) -> tuple[dict[str, Any], float, int]:
    path = source
    if source.suffix == ".gz":
        path = out / source.stem
        path.write_bytes(gzip.decompress(source.read_bytes()))
    net = hwgen.load(path)
    x, classes = network.data()
    answers = np.asarray(net.run(x)).reshape(len(x), -1)
    right = (answers.argmax(axis=1) if answers.shape[1] > 1 else answers[:, 0]) == classes
    design = hwgen.compile(
        net, board=network.board, fps=network.fps, clock=CLOCK, out=out / "build", progress=Console()
    )
    design.verify(x[:3])
    return design.build(), float(right.mean()), len(x)


def _ours(result: dict[str, Any]) -> str:
    used, speed, mhz = result["resources"], result["inferences_per_second"], result["clock_mhz"]
    lut4 = used["lut4"]["used"]
    return (
        f"{speed:,.0f} inferences/s at {mhz:g} MHz ({result['fmax_mhz']} reached), "
        f"{result['initiation_interval']:,} clocks each, {lut4:,} LUT4, {used['ff']['used']:,} FF, "
        f"{used['bram']['used']} block RAMs; {speed / mhz:,.1f} per MHz, "
        f"{speed / mhz / lut4 * 1000:,.2f} per MHz and thousand LUT4"
    )


def _beside(peer: Peer, result: dict[str, Any]) -> str:
    pace = result["inferences_per_second"] / result["clock_mhz"] / peer.per_mhz
    text = f"{peer.title}: {peer.per_mhz:,.1f} per MHz; ours {pace:.2f} times"
    if peer.lut6 is None:
        return text
    density = pace * peer.lut6 / result["resources"]["lut4"]["used"]
    each = peer.per_mhz / peer.lut6 * 1000
    return f"{text}; {peer.lut6:,} LUT6, {each:.2f} per MHz and thousand LUT6; ours {density:.2f} times"
