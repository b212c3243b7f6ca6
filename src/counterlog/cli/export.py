"""``counterlog export``: batches of a store as one file for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from counterlog.cli.output import Force, Json, print_json, progress


def command(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A store of batches.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.", show_default=False)],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="csv or parquet.")] = "csv",
    batch: Annotated[str | None, typer.Option("--batch", metavar="BATCH", help="Only this batch.")] = None,
    version: Annotated[
        int | None, typer.Option("--version", metavar="V", help="The store as it was at this version.")
    ] = None,
    for_people: Annotated[
        bool, typer.Option("--for-people", help="Guard text that a spreadsheet would run as a formula (CSV).")
    ] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Write the batches of a store, or one of them, to a file. CSV is exact: every value can be read back.

    Example:

        counterlog export synthetic --to csv --out synthetic.csv
    """
    from counterlog.synth.export import export
    from counterlog.synth.store import open_store

    opened = open_store(store)
    with progress("export") as update:
        done = export(
            opened,
            out,
            to,
            batch=batch,
            version=version,
            people=for_people,
            force=force,
            progress=lambda rows, total: update(rows, total=total),
        )
    if json:
        print_json({"store": store, **done})
    else:
        print(f"{done['out']}: {done['rows']:,} rows")
