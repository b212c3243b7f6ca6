"""``counterlog predict``: what users would do with items if these were shown to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from counterlog.cli.output import Force, Json, Seed, guard_output, print_json, progress
from counterlog.cli.saved_fit import FitFolder, ModelFile, open_fit
from counterlog.cli.tables import read_pairs, table_format, write_table
from counterlog.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa


def command(
    fit: FitFolder,
    pairs: Annotated[
        Path, typer.Option("--pairs", metavar="FILE", show_default=False, help="Users and items: CSV or Parquet.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", show_default=False, help="The file to write: .parquet or .csv.")
    ],
    model: ModelFile = None,
    draws: Annotated[int, typer.Option("--draws", metavar="N", help="Posterior draws that are averaged.")] = 50,
    seed: Seed = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Predict the outcome under exposure for pairs of user and item, one row a pair, in their order.

    Columns: mean, sd, q05, q50, q95 of the outcome, p_LEVEL for each rating level, and propensity, the model's
    P(exposure = 1).

    Example:

        counterlog predict fit --pairs pairs.csv --out predictions.parquet
    """
    table_format(out)
    if draws < 1:
        raise InputError(f"--draws {draws}: give at least one")
    guard_output(out, force=force)
    fitted = open_fit(fit, model)
    roles = fitted.log.roles
    asked = read_pairs(pairs, roles.user)
    from counterlog.query import predict

    with progress("predict", draws) as update:
        found: pa.Table = predict(fitted, asked, seed, draws, progress=lambda done, total: update(done, total=total))
    write_table(found, out)
    if as_json:
        print_json({"out": out, "rows": found.num_rows, "columns": found.column_names, "fit": fit, "draws": draws})
    else:
        print(f"{out}: {found.num_rows:,} rows of {', '.join(found.column_names)}")
