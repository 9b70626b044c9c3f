"""Everything hwgen can say to a person when something is wrong: one line, one exit code each.

A message has the form ``where: what; hint``. The command line prints it and exits with
``exit_code``; the Python API raises it. Nothing else may reach a user of a released command.
"""

from __future__ import annotations

from collections.abc import Sequence


class HwgenError(Exception):
    """Base of all expected failures.

    what: what is wrong. where: the place (file, layer, tensor, option). hint: what to do.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = (_one_line(text) for text in (what, where, hint))
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}; {self.hint}" if self.hint else text


class UsageError(HwgenError):
    """A bad option, argument or input array."""

    exit_code = 2


class ModelError(HwgenError):
    """The model file cannot be read or contradicts itself."""

    exit_code = 3


class UnsupportedError(HwgenError):
    """The model is sound but asks for things hwgen does not do; `items` lists all of them."""

    exit_code = 4

    def __init__(self, items: Sequence[str], *, where: str = "", hint: str = "") -> None:
        self.items = tuple(_one_line(item) for item in items)
        count = f"{len(self.items)} unsupported thing{'s' if len(self.items) != 1 else ''}"
        super().__init__(f"{count}: " + " | ".join(self.items), where=where, hint=hint)


class BoardError(HwgenError):
    """An unknown or malformed board description."""

    exit_code = 5


class FitError(HwgenError):
    """The design does not fit the board, or does not meet its clock."""

    exit_code = 6


class MismatchError(HwgenError):
    """Hardware and golden model differ; the message names the first difference."""

    exit_code = 7


class ToolError(HwgenError):
    """An external tool is missing or failed."""

    exit_code = 8


class LinkError(ToolError):
    """A board does not answer, or not as it should."""


def _one_line(text: str, limit: int = 2000) -> str:
    """Printable characters only (names come from hostile files), bounded in length."""
    clean = "".join(c if c.isprintable() else "?" for c in str(text))
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
