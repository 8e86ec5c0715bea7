"""Command line of the sandbox. Each subcommand is a module with `add_parser`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from sandbox import demo, serve
from sandbox.measures import command as measure
from sandbox.simulation import command as simulate

COMMANDS = (demo, serve, simulate, measure)


def main(words: list[str] | None = None) -> int:
    """Parse the words after the command's name and run the subcommand; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    arguments = parser.parse_args(words)
    run: Callable[[argparse.Namespace], int] = arguments.run
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
