"""What a build folder knows, as the HTML page needs it: every file that is there, {} for the others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwgen.flow.placement import PLACEMENT
from hwgen.report.data import NAME
from hwgen.support.errors import UsageError

PROFILE = "profile.json"  # {"clocks", "units": {layer: {"busy", "input", "output"}}, "predicted": ...}


@dataclass(frozen=True)
class Facts:
    """report: report.json. manifest, certificate, design, profile, placement: {} where there is none."""

    report: dict[str, Any]
    manifest: dict[str, Any]
    certificate: dict[str, Any]
    design: dict[str, Any]
    profile: dict[str, Any]
    placement: dict[str, Any]


def gather(folder: Path) -> Facts:
    """Read a build folder. UsageError where it has no report.

    A placement counts only where a routed clock is known, a certificate only where the report has its proof:
    each may be left from an older design.
    """
    folder = Path(folder)
    report = _read(folder / NAME)
    if not report.get("layers"):
        hint = "run `hwgen generate`, `hwgen verify` or `hwgen build` first"
        raise UsageError("no report here", where=str(folder), hint=hint)
    routed, proven = report.get("fmax_mhz"), report.get("exact", {}).get("levels")
    return Facts(
        report=report,
        manifest=_read(folder / "manifest.json"),
        certificate=_read(folder / "certificate.json") if proven else {},
        design=_read(folder / "design.json"),
        profile=_read(folder / PROFILE),
        placement=_read(folder / "pnr" / PLACEMENT) if routed else {},
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
