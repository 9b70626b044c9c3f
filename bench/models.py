"""The models that benches run on: the four MLPerf Tiny references where they are, and the bundled one."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = ROOT / "examples" / "digits" / "digits.tflite"


def folder() -> Path:
    """Where real models are (HWGEN_MODELS, else ../shared/models)."""
    return Path(os.environ.get("HWGEN_MODELS", ROOT.parent / "shared" / "models"))


def mlperf_tiny() -> dict[str, Path]:
    """Those of the four that are on this machine, by task."""
    names = {
        "keyword spotting": "kws_ref_model",
        "image classification": "pretrainedResnet_quant",
        "anomaly detection": "ad01_int8",
        "visual wake words": "vww_96_int8",
    }
    paths = {task: folder() / "mlperf_tiny" / f"{name}.tflite" for task, name in names.items()}
    return {task: path for task, path in paths.items() if path.is_file()}
