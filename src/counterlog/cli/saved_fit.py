"""FIT as it stands on a command line, for every command that asks a fit something."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from counterlog.inference import Fit

FitFolder = Annotated[
    Path, typer.Argument(metavar="FIT", show_default=False, help="The folder that `counterlog fit` wrote.")
]
ModelFile = Annotated[
    str | None,
    typer.Option("--model", metavar="FILE", help="The model's file, where it was moved since the fit."),
]


def open_fit(folder: Path, model: str | None = None) -> Fit:
    """The fit in a folder, with the program of ``model`` instead of the one found by name or path.

    Raises
    ------
    InputError, ModelError, StoreError
        As `counterlog.load_fit`.
    """
    from counterlog.inference import load_fit
    from counterlog.model import load_model

    return load_fit(folder, load_model(model) if model else None)
