"""`python -m hwgen` is the command `hwgen`."""

from __future__ import annotations

from hwgen.cli import main

main()
