"""The certificate: what was proven equal to what, on which inputs, with which tools.

JSON object, schema 1: ``hwgen`` version, ``model`` {file, sha256} or null, ``runtime`` (the rule that the
golden model reproduces), ``verilog`` {file name: sha256}, ``manifest`` its sha256, ``tools`` {name:
version}, ``exact`` (all levels equal), ``levels``: a list with, for each rung climbed, ``level``
("runtime=golden", "golden=rtl", "rtl=netlist" ...), ``exact``, ``samples``, ``compared`` (integers) and
``details`` (for RTL: seed, patterns with their clocks, simulator, and the failure if there is one).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from hwgen.emit.manifest import Manifest, file_sha256, version
from hwgen.support.files import write_atomic
from hwgen.verify.result import VerifyResult

SCHEMA = 1
RUNTIME_GOLDEN = "runtime=golden"
GOLDEN_RTL = "golden=rtl"


@dataclass(frozen=True)
class Level:
    """One rung of the ladder: two descriptions of the same network compared, integer for integer."""

    level: str
    exact: bool
    samples: int
    compared: int
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "level": self.level,
            "exact": self.exact,
            "samples": self.samples,
            "compared": self.compared,
            "details": dict(self.details),
        }


def rtl_level(result: VerifyResult) -> Level:
    """The level "golden=rtl" from what `verify_rtl` returned, or from the `result` of its RtlMismatch."""
    patterns = [
        {
            "pattern": run.pattern,
            "seed": run.seed,
            "samples": run.samples,
            "compared": run.compared,
            "cycles": run.cycles,
            "streams": [stream.port for stream in run.streams if stream.compared],
            "failure": run.failure(),
        }
        for run in result.patterns
    ]
    details = {"simulator": result.simulator, "cycles": result.cycles, "patterns": patterns}
    return Level(GOLDEN_RTL, result.exact, result.distinct, result.compared, details)


def certificate(
    manifest: Manifest, verilog: Sequence[Path], levels: Sequence[Level], tools: Mapping[str, str]
) -> dict[str, Any]:
    """The certificate as plain data. tools: name to version of everything that took part."""
    return {
        "schema": SCHEMA,
        "hwgen": version(),
        "model": dict(manifest.model) if manifest.model else None,
        "runtime": manifest.runtime,
        "core": manifest.core,
        "manifest": sha256(manifest.to_json().encode()).hexdigest(),
        "verilog": {Path(path).name: file_sha256(path) for path in verilog},
        "tools": dict(tools),
        "exact": bool(levels) and all(level.exact for level in levels),
        "levels": [level.to_dict() for level in levels],
    }


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write certificate.json; it appears whole or not at all."""
    write_atomic(path, json.dumps(content, indent=1) + "\n")
