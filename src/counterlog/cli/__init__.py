"""The command line: one file per command, each calling public functions only."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ``counterlog`` executable and return its exit status.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process when left out.
    """
    from counterlog.cli.app import run

    return run(argv)
