"""The group of all commands, and how errors are told."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

import hwgen
from hwgen.support import registry
from hwgen.support.errors import HwgenError, UnsupportedError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(hwgen.__version__)
def cli() -> None:
    """Compressed neural networks to exact FPGA hardware."""


for _module in registry.modules("hwgen.cli.commands"):
    cli.add_command(_module.command)


def main() -> NoReturn:
    """Run the command line; every expected failure is one line on stderr and its own exit status."""
    code = 0
    try:
        cli.main(standalone_mode=False)
    except HwgenError as error:
        _complain(error)
        code = error.exit_code
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {where}{error.strerror or error}", err=True)
        code = 2
    except click.ClickException as error:
        error.show()
        code = 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; finished stages are kept", err=True)
        code = 130
    sys.exit(code)


def _complain(error: HwgenError) -> None:
    if isinstance(error, UnsupportedError) and len(error.items) > 1:
        click.echo(
            f"error: {error.where + ': ' if error.where else ''}{len(error.items)} unsupported things",
            err=True,
        )
        for item in error.items:
            click.echo(f"  - {item}", err=True)
        if error.hint:
            click.echo(f"  {error.hint}", err=True)
    else:
        click.echo(f"error: {error}", err=True)
