"""The command line: arguments in, one line of error out; the work is in the floors below.

A command is a file in `commands/` with a click command called `command`.
"""

from __future__ import annotations

from hwgen.cli.main import cli, main

__all__ = ["cli", "main"]
