"""sim/ is no package: its modules are found as the simulator finds them; and the benches of tests/hw."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "sim"), str(TESTS / "hw"), str(TESTS / "hw" / "systolic")]
