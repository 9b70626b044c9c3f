"""Test benches of tests/hw, for the forms that codes bring."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "hw"))
