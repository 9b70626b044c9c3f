"""Running external tools: bounded in time, interruptible, every line seen, errors in the tool's words."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from hwgen.support.errors import ToolError

Progress = Callable[[str, float | None], None]
"""progress(what is being done, fraction 0..1 or None where nobody can know it)."""

_ERROR = re.compile(r"^\s*(?:ERROR|Error|error|fatal|terminate called)\b[:\s]\s*(.*)$")
_GRACE = 3.0  # seconds between asking a tool to stop and making it


def silent(what: str, fraction: float | None) -> None:
    """A Progress that shows nothing."""


def run(
    argv: Sequence[str],
    *,
    tool: str,
    cwd: Path,
    log: Path,
    timeout: float,
    on_line: Callable[[str], None] | None = None,
    env: Mapping[str, str] | None = None,
) -> list[str]:
    """Run a tool to its end and return its output's lines (stdout and stderr, in order).

    Every line goes to `log` and to `on_line` as it comes. Whatever ends the wait early (Ctrl-C, an
    exception in `on_line`, the timeout) ends the tool and its children first. ToolError when it
    cannot be started, fails or takes longer than `timeout` seconds.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        child = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(env) if env is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches hwgen only, which then ends the whole group
        )
    except OSError as error:
        raise ToolError(
            f"cannot be started: {error.strerror}", where=tool, hint="see `hwgen doctor`"
        ) from error
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        stop(child)

    timer = threading.Timer(timeout, expire)
    timer.start()
    lines: list[str] = []
    try:
        assert child.stdout is not None
        with open(log, "w", encoding="utf-8", buffering=1) as file:
            for line in child.stdout:
                file.write(line)
                lines.append(line.rstrip("\n"))
                if on_line is not None:
                    on_line(lines[-1])
        code = child.wait()
    except BaseException:
        stop(child)
        raise
    finally:
        timer.cancel()
        if child.stdout is not None:
            child.stdout.close()
    if expired.is_set():
        raise ToolError(f"not finished after {timeout:.0f} s", where=tool, hint=f"its log is {log}")
    if code != 0:
        raise ToolError(error_line(lines, code), where=tool, hint=f"its log is {log}")
    return lines


def stop(child: subprocess.Popen[str]) -> None:
    """End a tool and its children: ask, wait a little, insist."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)


def error_line(lines: Sequence[str], code: int) -> str:
    """The line in which a tool says why it failed; else its last line and exit code."""
    for line in lines:
        match = _ERROR.match(line)
        if match and match.group(1).strip():
            return match.group(1).strip()
    last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
    return f"failed with exit code {code}: {last}"


@contextlib.contextmanager
def work_folder(out_dir: Path, stage: str) -> Iterator[Path]:
    """A private folder inside `out_dir`, gone afterwards whatever happens.

    A stage works in here and moves only finished files out, so that `out_dir` never holds half a
    file. Tools get relative names: the WebAssembly builds see the current folder but not /tmp.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix=f".{stage}-", dir=out_dir))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def tool_environment(work: Path) -> dict[str, str]:
    """The caller's environment with temporary files inside the work folder, so that they go with it."""
    return {**os.environ, "TMPDIR": str(work.resolve())}
