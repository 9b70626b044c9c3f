"""Shared fixtures: where the real models are, and the command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hwgen import cli

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def models() -> Path:
    """Folder of real models (HWGEN_MODELS, else ../shared/models beside the checkout)."""
    default = Path(__file__).resolve().parents[2] / "shared" / "models"
    path = Path(os.environ.get("HWGEN_MODELS", default))
    if not path.is_dir():
        pytest.skip(f"real models are not on this machine (looked in {path}; set HWGEN_MODELS)")
    return path


@pytest.fixture
def hwgen_command(capsys: pytest.CaptureFixture) -> Command:
    """Runs `hwgen` with its arguments; exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["hwgen", *map(str, arguments)])
            with pytest.raises(SystemExit) as stop:
                cli.main()
        seen = capsys.readouterr()
        return int(stop.value.code or 0), seen.out, seen.err

    return run
