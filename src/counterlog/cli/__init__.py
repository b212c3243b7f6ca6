"""The command line: one file per command, each calling public functions only."""

from __future__ import annotations

import os
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ``counterlog`` executable and return its exit status.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process when left out.
    """
    # Threads that wait for each other by spinning make a fit five times slower where another program wants the cores
    # (measured on two cores); waiting asleep costs nothing that could be measured. Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from counterlog.cli.app import run

    return run(argv)
