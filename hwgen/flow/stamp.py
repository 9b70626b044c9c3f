"""Skip a stage whose inputs, tools and outputs have not changed since it last finished.

Beside a stage's outputs lies `.<stage>.stamp`: a hash of everything that went in and one of every
file that came out. A changed input, another tool version or an edited output make it stale.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hwgen.support.files import write_atomic

_VERSION = 1  # of this format


def key(parts: Mapping[str, Any], files: Iterable[Path] = ()) -> str:
    """Hash of plain data (anything JSON can hold) and of files' names and contents."""
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for path in files:
        digest.update(b"\0" + path.name.encode() + b"\0" + file_hash(path).encode())
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's contents."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(out_dir: Path, stage: str, wanted_key: str) -> dict[str, Any] | None:
    """The result that the stage recorded, or None if it has to run (again)."""
    try:
        record = json.loads(_path(out_dir, stage).read_text())
        if record["version"] != _VERSION or record["key"] != wanted_key:
            return None
        if any(file_hash(out_dir / name) != digest for name, digest in record["outputs"].items()):
            return None
        result = record["result"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return result if isinstance(result, dict) else None


def write(
    out_dir: Path, stage: str, used_key: str, outputs: Iterable[str], result: Mapping[str, Any]
) -> None:
    """Record that the stage finished with `outputs` (names in `out_dir`) and `result` (plain data)."""
    hashes = {name: file_hash(out_dir / name) for name in outputs}
    record = {"version": _VERSION, "key": used_key, "outputs": hashes, "result": dict(result)}
    write_atomic(_path(out_dir, stage), json.dumps(record, indent=1))


def clear(out_dir: Path, stage: str, outputs: Iterable[str]) -> None:
    """Remove a stage's stamp and outputs: what is there is never older than its inputs."""
    for path in (_path(out_dir, stage), *(out_dir / name for name in outputs)):
        path.unlink(missing_ok=True)


def _path(out_dir: Path, stage: str) -> Path:
    return out_dir / f".{stage}.stamp"
