"""Child processes: errors in the tool's words, time limits, nothing left running or lying about."""

from __future__ import annotations

import os
import sys
import time

import pytest

from hwgen.flow import process
from hwgen.support.errors import ToolError


def _python(code):
    return (sys.executable, "-c", code)


def _run(tmp_path, code, **options):
    options = {"timeout": 30.0, **options}
    return process.run(_python(code), tool="stand-in", cwd=tmp_path, log=tmp_path / "log", **options)


def test_lines_and_log(tmp_path):
    seen = []
    lines = _run(
        tmp_path,
        "import sys; print('a'); sys.stdout.flush(); print('b', file=sys.stderr)",
        on_line=seen.append,
    )
    assert lines == ["a", "b"] == seen
    assert (tmp_path / "log").read_text() == "a\nb\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Info: x\\nERROR: Module `q' not found!\\nlast", "Module `q' not found!"),
        ("Error: bad thing", "bad thing"),
        ("nothing to see", "failed with exit code 3: nothing to see"),
        ("", "failed with exit code 3: no output"),
    ],
)
def test_the_tools_own_words(tmp_path, text, what):
    with pytest.raises(ToolError) as caught:
        _run(tmp_path, f'import sys; print("{text}"); sys.exit(3)')
    assert caught.value.what == what and caught.value.where == "stand-in"


def test_missing_executable(tmp_path):
    with pytest.raises(ToolError, match="cannot be started"):
        process.run(("/nonexistent/tool",), tool="x", cwd=tmp_path, log=tmp_path / "log", timeout=5)


CHILD_OF_CHILD = (
    "import subprocess, sys, time\n"
    "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(p.pid, flush=True); time.sleep(60)"
)


def _gone(pid, within=5.0):
    """Whether a process has ended; a zombie that nobody reaps in a container counts as ended."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_timeout_ends_the_whole_group(tmp_path):
    pids = []
    started = time.monotonic()
    with pytest.raises(ToolError, match="not finished after 1 s"):
        _run(tmp_path, CHILD_OF_CHILD, timeout=1.0, on_line=lambda line: pids.append(int(line)))
    assert time.monotonic() - started < 10
    assert _gone(pids[0])


def test_interrupt_ends_the_whole_group(tmp_path):
    pids = []

    def interrupt(line):
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path, CHILD_OF_CHILD, on_line=interrupt)
    assert _gone(pids[0])


def test_a_tool_that_ignores_sigterm_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "_GRACE", 0.3)
    code = (
        "import os, signal, time; signal.signal(15, signal.SIG_IGN)\n"
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    pids = []
    with pytest.raises(ToolError, match="not finished"):
        _run(tmp_path, code, timeout=1.0, on_line=lambda line: pids.append(int(line)))
    assert _gone(pids[0])


def test_work_folder_goes_whatever_happens(tmp_path):
    with pytest.raises(KeyboardInterrupt), process.work_folder(tmp_path / "out", "stage") as work:
        (work / "half").write_text("x")
        assert os.listdir(work) == ["half"]
        raise KeyboardInterrupt
    assert os.listdir(tmp_path / "out") == []
