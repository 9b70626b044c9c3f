"""Shared fixtures: where the real models are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models() -> Path:
    """Folder of real models (HWGEN_MODELS, else ../shared/models beside the checkout)."""
    default = Path(__file__).resolve().parents[2] / "shared" / "models"
    path = Path(os.environ.get("HWGEN_MODELS", default))
    if not path.is_dir():
        pytest.skip(f"real models are not on this machine (looked in {path}; set HWGEN_MODELS)")
    return path
