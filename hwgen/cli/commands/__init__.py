"""One command a file, each with a click command called `command`; `hwgen.cli.main` finds them."""
